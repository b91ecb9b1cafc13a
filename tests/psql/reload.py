#!/usr/bin/env python3
"""New rules for a proxy that runs: as a ConfigMap brings them, in pieces, wrong, and while a statement is under way.

  reload.py --bin target/debug/pgpurpose

Exit 0: all as it should be.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from stack import ROOT, Score, Stack, free_port, serve, until  # noqa: E402

FILE = 'customer-care.yaml'
NAMES_RAW = 'data_categories: [user.unique_id, user.name, user.contact, user.demographic], as: raw'
NAMES_MASKED = ('data_categories: [user.unique_id, user.contact, user.demographic], as: raw}\n'
                '  - {purposes: [care.support], data_categories: [user.name], as: {mask: {}}')
QUERY = 'SELECT full_name FROM care.customers WHERE customer_id = 1;'
RAW, MASKED = 'Ada Lindqvist', 'A************'


class ConfigMap:
    """A folder of links through `..data`, as Kubernetes mounts one; `..data` is swapped at once."""

    def __init__(self, folder, text):
        self.folder, self.number = folder, 0
        self.swap(text)
        os.symlink(f'..data/{FILE}', f'{folder}/{FILE}')

    def swap(self, text):
        self.number += 1
        version = f'..version_{self.number}'
        os.mkdir(f'{self.folder}/{version}')
        self.write(text, version)
        os.symlink(version, f'{self.folder}/..data_tmp')
        os.rename(f'{self.folder}/..data_tmp', f'{self.folder}/..data')

    def write(self, text, version='..data'):
        with open(f'{self.folder}/{version}/{FILE}', 'w', encoding='utf8') as file:
            file.write(text)


class Run:
    def __init__(self, stack, admin, rules, text):
        self.stack, self.admin, self.rules = stack, admin, rules
        self.open, self.masked = text, text.replace(NAMES_RAW, NAMES_MASKED)
        assert self.masked != self.open

    def shown(self):
        return self.stack.psql(self.stack.proxy, 'support_app', 'care', QUERY, '-At').strip()

    def becomes(self, wanted):
        return until(lambda: self.shown() == wanted, 20)

    def page(self, path):
        with urllib.request.urlopen(f'http://127.0.0.1:{self.admin}{path}', timeout=10) as answer:
            return answer.read().decode()

    def records(self, event, start):
        found = [json.loads(line) for line in self.stack.records(start)]
        return [record for record in found if record.get('event') == event]

    def one(self, event, start):
        until(lambda: self.records(event, start), 20)
        [record] = self.records(event, start)
        return record

    def a_link_that_is_swapped(self):
        start = self.stack.audit_size()
        assert self.shown() == RAW, self.shown()
        self.rules.swap(self.masked)
        assert self.becomes(MASKED), self.shown()
        assert self.one('reload', start)['accepted'] is True
        changes = self.one('policy_changed', start)['changes']
        told = [c for c in changes if (c['name'], c['purpose'], c['role']) == ('care.customers.full_name', 'care.support', 'support_app')]
        assert [(c['before'], c['after'].split()[0], c['sees_more']) for c in told] == [('raw', 'partial', False)], changes
        others = [c for c in changes if c['role'] != 'support_app' or not c['purpose'].startswith('care')]
        assert not others, others

    def a_file_that_is_half_written(self):
        start, log = self.stack.audit_size(), os.path.getsize(self.stack.log)
        self.rules.write(self.open[:self.open.index(NAMES_RAW) + 20])
        record = self.one('reload', start)
        assert record['accepted'] is False and record['errors'] >= 1, record
        assert self.shown() == MASKED, 'the old rules stay'
        assert 'pgpurpose_rules_older_than_files 1' in self.page('/metrics')
        assert 'pgpurpose_rules_reloads_total{result="failed"} 1' in self.page('/metrics')
        assert 'rules: ok, but older than the files' in self.page('/readyz')
        assert self.page('/healthz') == 'ok\n'
        assert 'the old rules stay in force' in open(self.stack.log, encoding='utf8').read()[log:]
        assert not self.records('policy_changed', start)
        self.rules.write(self.open)
        assert self.becomes(RAW)
        assert 'pgpurpose_rules_older_than_files 0' in self.page('/metrics')
        assert 'rules: ok\n' in self.page('/readyz')

    def a_statement_under_way(self):
        stack, start, answer = self.stack, self.stack.audit_size(), []
        waits = ("SELECT count(*) FROM pg_stat_activity WHERE usename = 'support_app' AND wait_event_type = 'Lock'")
        holds = threading.Event()
        script = f"BEGIN; LOCK care.customers; \\echo locked\n\\! while [ ! -e {stack.dir}/go ]; do sleep 0.05; done\nCOMMIT;"
        locking = threading.Thread(target=lambda: (stack.psql(stack.upstream, 'postgres', 'care', script), holds.set()))
        locking.start()
        locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'care.customers'::regclass"
        plain = lambda sql: stack.psql(stack.upstream, 'postgres', 'care', sql, '-At').strip()  # noqa: E731
        try:
            assert until(lambda: plain(locked) == '1', 20)
            asking = threading.Thread(target=lambda: answer.append(self.shown()))
            asking.start()
            assert until(lambda: plain(waits) == '1', 20)
            self.rules.swap(self.masked)
            assert self.one('reload', start)['accepted'] is True
        finally:
            open(f'{stack.dir}/go', 'w').close()
            locking.join()
        asking.join()
        assert answer == [RAW], answer
        assert self.becomes(MASKED)
        [old, *_] = [r for r in self.records('statement', start) if r['role'] == 'support_app']
        new = self.one('policy_changed', start)
        assert old['policy'] == new['before'] != new['policy'], (old['policy'], new)


    def the_audit_beside_the_rules(self):
        """Records that are written into the rules' own folder all the time are no change of theirs, and hide none."""
        stack = self.stack
        folder = tempfile.mkdtemp(dir=stack.dir)
        rules = f'{folder}/{FILE}'
        with open(rules, 'w', encoding='utf8') as file:
            file.write(self.open)
        proxy, port, _ = serve(stack.binary, stack.upstream, rules, f'{folder}/audit.jsonl', f'{folder}/log')
        shown = lambda: stack.psql(port, 'support_app', 'care', QUERY, '-At').strip()  # noqa: E731

        asking = subprocess.Popen(['psql', '-X', '-h', '127.0.0.1', '-p', str(port), '-U', 'support_app', '-d', 'care'],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        asking.stdin.write(b'SELECT 1 \\watch 0.02\n')
        asking.stdin.flush()
        try:
            assert shown() == RAW
            with open(rules, 'w', encoding='utf8') as file:
                file.write(self.masked)
            assert until(lambda: shown() == MASKED, 20)
        finally:
            asking.kill()
            asking.wait()
            proxy.terminate()
            proxy.wait(20)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    o = a.parse_args()
    text = open(f'{ROOT}/rules/{FILE}', encoding='utf8').read()
    score, admin = Score(), free_port()
    with tempfile.TemporaryDirectory(prefix='pgpurpose-rules-') as folder:
        rules = ConfigMap(folder, text)
        with Stack(o.bin, folder, more=('--admin', f'127.0.0.1:{admin}')) as stack:
            run = Run(stack, admin, rules, text)
            for case in (run.a_link_that_is_swapped, run.a_file_that_is_half_written, run.a_statement_under_way,
                         run.the_audit_beside_the_rules):
                try:
                    case()
                    score.add(case.__name__, True)
                except Exception as error:  # noqa: BLE001: any failure is a failed case
                    score.add(case.__name__, False, f'{type(error).__name__} {error} at line {error.__traceback__.tb_next.tb_lineno}')
    return score.done()


if __name__ == '__main__':
    sys.exit(main())
