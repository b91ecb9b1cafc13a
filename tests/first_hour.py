#!/usr/bin/env python3
"""The README's path for a DBA, walked on Chinook: from an unknown database to enforced rules in six commands.

    python3 tests/first_hour.py --bin target/debug/pgpurpose

classify, check, test, serve in observe mode, replay, enforce. Each must do what the README says of it.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'support'))
from stack import ENV, Score, Stack, serve, until  # noqa: E402

CASES = """schema: catalog.json
cases:
  - name: support sees the address to answer to
    given: {role: support_app}
    when: SELECT email FROM customer WHERE customer_id = 7
    then: {outcome: allow, fields: {email: raw}}
  - name: music is nobody's secret
    given: {role: analytics}
    when: SELECT name FROM track
    then: {outcome: allow}
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('--bin', required=True)
    binary = os.path.abspath(arguments.parse_args().bin)
    score = Score()
    with Stack(binary) as stack, tempfile.TemporaryDirectory(prefix='pgpurpose-first-hour-') as folder:
        url = f'postgres://postgres@127.0.0.1:{stack.upstream}/chinook'
        rules = f'{folder}/rules'
        os.mkdir(rules)

        def run(*words):
            r = subprocess.run([binary, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=ENV, timeout=120)
            return r.returncode, r.stdout.decode()

        def read(path):
            with open(path, encoding='utf8') as file:
                return file.read()

        def write(path, text):
            with open(path, 'w', encoding='utf8') as file:
                file.write(text)

        # 1. A proposal, with no value in it.
        code, said = run('classify', '--against', url, '--output', f'{rules}/chinook.yaml')
        proposal = read(f'{rules}/chinook.yaml') if code == 0 else ''
        score.add('classify', code == 0 and 'email: user.contact.email' in proposal, said)
        score.add('no value of the database is in the proposal',
                  'luisg@embraer' not in proposal and 'Gonçalves' not in proposal, proposal)

        # 2. It is well-formed, and fits the database.
        code, said = run('check', rules, '--against', url)
        score.add('check', code == 0, said)

        # 3. Cases without a server, upon a snapshot.
        code, said = run('catalog', '--against', url, '--output', f'{rules}/catalog.json')
        write(f'{rules}/chinook.test.yaml', CASES)
        code, said = run('test', rules)
        score.add('test', code == 0 and '2 passed, 0 failed' in said, said)

        # 4. The application runs through the proxy, which only observes.
        audit = f'{folder}/audit.jsonl'
        proxy, port, *_ = serve(binary, stack.upstream, rules, audit, f'{folder}/log')
        try:
            shown = stack.psql(port, 'support_app', 'chinook', 'SELECT email FROM customer WHERE customer_id = 1;'
                               'SELECT first_name, phone FROM employee WHERE employee_id = 1;', '-At')
            score.add('observe', 'luisg@embraer' in shown and 'Andrew' in shown, shown)
            recorded = until(lambda: read(audit).count('"completed"') >= 2)
            score.add('what ran is recorded', recorded, read(audit))
        finally:
            proxy.terminate()
            proxy.wait(15)

        # 5. Stricter rules, tried on what was recorded.
        candidate = f'{folder}/candidate'
        os.mkdir(candidate)
        stricter = proposal.replace('mode: observe', 'mode: enforce').replace(
            '\nwrites:', '  - {purposes: [service], columns: [public.employee.phone], as: hidden}\n\nwrites:', 1)
        write(f'{candidate}/chinook.yaml', stricter)
        code, said = run('replay', audit, rules, '--against', url)
        score.add('replay of the rules in force finds nothing', code == 0, said)
        code, said = run('replay', audit, candidate, '--against', url)
        expected = 'public.employee.phone: raw, would be hidden'
        score.add('replay shows what the stricter ones change', code == 1 and expected in said, said)

        # 6. They are enforced.
        proxy, port, *_ = serve(binary, stack.upstream, candidate, f'{folder}/enforced.jsonl', f'{folder}/log')
        try:
            shown = stack.psql(port, 'support_app', 'chinook', 'SELECT first_name, phone IS NULL FROM employee WHERE '
                               'employee_id = 1; EXPLAIN (PGPURPOSE) SELECT phone FROM employee;', '-At')
            score.add('enforce', 'Andrew|t' in shown, shown)
            score.add('explain says by which rule', re.search(r'employee\.phone\s+output\s+hidden\s.*chinook\.yaml:\d+', shown), shown)
        finally:
            proxy.terminate()
            proxy.wait(15)
    print(f'{score.passed} passed, {score.failed} failed')
    sys.exit(1 if score.failed else 0)


if __name__ == '__main__':
    main()
