#!/usr/bin/env python3
"""psql through the proxy: plays the cases of a file (cases.sql, promises.sql, statistics.sql, policy/cases.sql, observe.sql) against
the demo databases.

  run.py --bin target/debug/pgpurpose [--cases FILE] [--only NAME]

The header of a case is explained at the top of each file. Exit 0: all passed.
"""
import argparse
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
import cases  # noqa: E402
from stack import ROOT, Score, Stack  # noqa: E402

DECLARED = ('purpose', 'subject', 'reason', 'actor')
KEYS = {'name', 'sql', 'as', 'must-see', 'must-not-see', 'audit', 'flags', 'db', 'role', *DECLARED}
FLAGS = {'fails', 'same-as-direct'}


def check(path, case):
    unknown = (set(case) - KEYS) | (case['flags'] - FLAGS)
    if unknown:
        sys.exit(f'{path}: case {case["name"]}: unknown {unknown}')


def options(case):
    settings = [f'-c pgpurpose.{k}={case[k]}' for k in DECLARED if k in case]
    return {'PGOPTIONS': ' '.join(settings)} if settings else {}


def verdict(stack, case):
    """What is wrong with a case; empty if nothing."""
    start = stack.audit_size()
    text = stack.psql(stack.proxy, case['role'], case.get('db', 'care'), case['sql'], env=options(case))
    wrong = []
    failed = re.search(r'ERROR:|FATAL:|connection to server|server closed', text)
    if failed and 'fails' not in case['flags']:
        wrong.append('an error')
    if not failed and 'fails' in case['flags']:
        wrong.append('no error')
    wrong += [f'does not show {p}' for p in case['must-see'] if not re.search(p, text, re.M)]
    wrong += [f'shows {p}' for p in case['must-not-see'] if re.search(p, text, re.M)]
    wrong += [f'leaves no record {p}' for p in case['audit'] if not stack.has_record(p, start)]
    if case['as'] or 'same-as-direct' in case['flags']:
        role, sql = ('postgres', case['as']) if case['as'] else (case['role'], case['sql'])
        direct = stack.psql(stack.upstream, role, case.get('db', 'care'), sql)
        if direct != text:
            wrong.append(f'differs from PostgreSQL, which gives: {direct[:400]}')
    return f'{"; ".join(wrong)}. Gave: {text}' if wrong else ''


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    a.add_argument('--cases', action='append', default=[])
    a.add_argument('--only', action='append', default=[])
    o = a.parse_args()
    score = Score()
    with Stack(o.bin) as stack:
        stack.psql(stack.upstream, 'postgres', 'care', open(f'{HERE}/statistics-setup.sql', encoding='utf8').read(), check=True)
        play(stack, o.cases or [f'{HERE}/{name}.sql' for name in ('cases', 'promises', 'statistics')], o.only, score)
    if not o.cases:
        with Stack(o.bin, f'{HERE}/policy/rules.yaml') as stack:
            stack.psql(stack.upstream, 'postgres', 'care', open(f'{HERE}/policy/setup.sql', encoding='utf8').read(), check=True)
            play(stack, [f'{HERE}/policy/cases.sql'], o.only, score)
        with tempfile.TemporaryDirectory(prefix='pgpurpose-rules-') as folder:
            observing(folder)
            with Stack(o.bin, folder) as stack:
                stack.psql(stack.upstream, 'postgres', 'care', 'CREATE ROLE care_reader LOGIN; GRANT USAGE ON SCHEMA '
                           'care TO care_reader; GRANT SELECT ON care.products TO care_reader', check=True)
                play(stack, [f'{HERE}/observe.sql'], o.only, score)
    return score.done()


def play(stack, paths, only, score):
    for path in paths:
        for case in cases.read(path):
            check(path, case)
            if not only or case['name'] in only:
                why = verdict(stack, case)
                score.add(case['name'], not why, why)


def observing(folder):
    """The shipped rules, observed only."""
    for name in os.listdir(f'{ROOT}/rules'):
        if name.endswith('.yaml') and not name.endswith('.test.yaml'):
            rules = open(f'{ROOT}/rules/{name}', encoding='utf8').read()
            with open(f'{folder}/{name}', 'w', encoding='utf8') as file:
                file.write(rules.replace('mode: enforce', 'mode: observe'))


if __name__ == '__main__':
    sys.exit(main())
