#!/usr/bin/env python3
"""A soak: clients of all kinds for a time, at a bounded rate, while rules and schema change.

  run.py --bin target/release/pgpurpose [--seconds 3600] [--rate 200] [--clients 8]

What they do stands in work.sql. Every few seconds it looks at memory, descriptors, threads and sessions. At the end:
memory is flat (the last third against the first), nothing is left open, each statement that a client saw an answer of
is in the audit once, with as many rows, nothing was shown that must not be, and the chain holds. Exit 0: all of that.
"""
import argparse
import glob
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
import cases  # noqa: E402
from stack import ROOT, Score, Stack, free_port, until  # noqa: E402
from wire import Refused, Session, message, text  # noqa: E402

SERVED = {'allow', 'filter', 'mask'}
SESSION_LASTS = 40      # statements, until a client comes anew
RULES_LAST = 10         # seconds, until they change
# The last third may have this much more than the first: of memory, as a ratio.
GROWTH = 1.1


class Client(threading.Thread):
    """One of several: draws work, does it in a session of the role, and notes what the audit should say."""

    def __init__(self, number, port, work, pause, end):
        super().__init__(daemon=True)
        self.number, self.port, self.work, self.pause, self.end = number, port, work, pause, end
        self.random = random.Random(number)
        self.sessions, self.done, self.wrong, self.counter = {}, {}, [], 0

    def run(self):
        weights = [int(case['weight']) for case in self.work]
        due = time.monotonic()
        while time.monotonic() < self.end:
            [case] = self.random.choices(self.work, weights)
            try:
                getattr(self, case['how'])(case)
            except Exception as error:  # noqa: BLE001: whatever it is, it should not have been
                self.wrong.append(f'{case["name"]}: {type(error).__name__} {error}')
                self.sessions.pop(case['user'], None)
            due = max(due + self.pause, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
        for session, *_ in self.sessions.values():
            session.close()

    def session(self, user):
        session, left, prepared = self.sessions.get(user, (None, 0, None))
        if not left:
            if session:
                session.close()
            session, left, prepared = Session(self.port, user), SESSION_LASTS, {}
        self.sessions[user] = session, left - 1, prepared
        return session

    def tagged(self, case):
        """The statement with its purpose and a reason of its own, and that reason."""
        self.counter += 1
        reason = f'{self.number}-{self.counter}'
        return f"{case['sql'].strip()} /*purpose='{case['purpose']}',reason='{reason}'*/", reason

    def note(self, case, reason, answer, times=1, rows=True):
        """What was answered is as it should be; the audit is to have it."""
        state = case.get('sqlstate') or ('42501' if 'outcome' in case else None)
        body = answer.body.decode('utf8', 'replace')
        seen = all(re.search(p, body) for p in case['must-see']) and not any(re.search(p, body) for p in case['must-not-see'])
        if answer.sqlstate != state or answer.code != case.get('code') or not seen:
            self.wrong.append(f'{case["name"]}: {answer.sqlstate} {answer.code} {body[:200]}')
        known = self.done.setdefault(reason, [case.get('outcome'), 0, 0 if rows else None])
        known[1] += times
        known[2] = known[2] + answer.rows if rows else None

    def plain(self, case):
        sql, reason = self.tagged(case)
        self.note(case, reason, self.session(case['user']).query(sql))

    def unlike(self, case):
        self.plain({**case, 'sql': case['sql'].format(f'c{self.number}_{self.counter}')})

    def unreadable(self, case):
        """Its tag cannot be read either: the audit has it without a reason."""
        sql, reason = self.tagged(case)
        self.note(case, reason, self.session(case['user']).query(sql))
        del self.done[reason]

    def prepared(self, case, times=1):
        session = self.session(case['user'])
        prepared = self.sessions[case['user']][2]
        if case['name'] not in prepared:
            sql, prepared[case['name']] = self.tagged(case)
            session.prepare(case['name'], sql)
        answer = session.execute(case['name'], [1], times)
        if answer.code == 'purpose_conflict':    # the rules changed between Bind and Execute
            self.done.pop(prepared.pop(case['name']), None)
            session.query(f'DEALLOCATE "{case["name"]}"')
            return
        self.note(case, prepared[case['name']], answer, times)

    def pipeline(self, case):
        self.prepared(case, 5)

    def transaction(self, case):
        session = self.session(case['user'])
        session.query('BEGIN')
        self.plain(case)
        self.sessions[case['user']][0].query('ROLLBACK' if self.random.random() < .5 else 'COMMIT')

    def copy_in(self, case):
        sql, reason = self.tagged(case)
        self.note(case, reason, self.session(case['user']).copy_in(sql, b'3\ta line\n' * 20), rows=False)

    def cancelled(self, case):
        sql, reason = self.tagged(case)
        session, answered = self.session(case['user']), threading.Event()
        session.send(message(b'Q', text(sql)))

        def cancel():
            while not answered.wait(.2):    # one that comes before the statement has begun does nothing
                session.cancel()
        other = threading.Thread(target=cancel)
        other.start()
        try:
            answer = session.answer()
        finally:
            answered.set()
            other.join()
        self.note({**case, 'sqlstate': '57014'}, reason, answer)
        # The last request may still be on its way, to whatever runs next.
        self.sessions.pop(case['user'])
        session.close()

    def late(self, case):
        sql, reason = self.tagged(case)
        session = self.session(case['user'])
        session.send(message(b'Q', text(sql)))
        time.sleep(.5)
        self.note(case, reason, session.answer())

    def gone_reading(self, case):
        sql, reason = self.tagged(case)
        session = Session(self.port, case['user'])
        session.send(message(b'Q', text(sql)))
        while session.next()[0] != b'D':
            pass
        session.vanish()
        self.done[reason] = [None, 1, None]

    def gone_waiting(self, case):
        session = Session(self.port, case['user'])
        session.send(message(b'Q', text(self.tagged(case)[0])))
        session.vanish()

    def broken(self, case):
        """Who is no client, or half of one."""
        which = self.random.randrange(4)
        if which == 0:
            try:
                Session(self.port, 'nobody')
            except Refused:
                return
            raise AssertionError('nobody was let in')
        if which == 1:
            session = Session(self.port, case['user'])
            session.send(b'Q\0\0\x10\0SELECT')
            session.vanish()
            return
        with socket.create_connection(('127.0.0.1', self.port), 60) as other:
            other.sendall(b'GET / HTTP/1.0\r\n\r\n' if which == 2 else b'\0\0\0\x20\0\x03')


class Observer:
    """Looks at the process from outside."""

    def __init__(self, process, admin):
        self.process, self.admin, self.samples = process, admin, []

    def metric(self, name):
        with urllib.request.urlopen(f'http://127.0.0.1:{self.admin}/metrics', timeout=30) as answer:
            return int(re.search(rf'^{name} (\d+)', answer.read().decode(), re.M).group(1))

    def look(self):
        status = dict(line.split(':', 1) for line in open(f'/proc/{self.process}/status', encoding='utf8') if ':' in line)
        return {'memory': int(status['VmRSS'].split()[0]), 'threads': int(status['Threads']),
                'descriptors': len(os.listdir(f'/proc/{self.process}/fd')), 'sessions': self.metric('pgpurpose_sessions'),
                'lag': self.metric('pgpurpose_audit_lag_records'), 'plans': self.metric('pgpurpose_plan_cache_entries')}

    def thirds(self, key):
        values, third = [sample[key] for sample in self.samples], max(1, len(self.samples) // 3)
        return statistics.median(values[:third]), statistics.median(values[-third:])


def change(stack, rules, number):
    """New rules, every third time such as cannot be read, and a table more and one less."""
    path = f'{rules}/customer-care.yaml'
    whole = open(f'{ROOT}/rules/customer-care.yaml', encoding='utf8').read()
    # The day's bound on statistics is tested elsewhere.
    whole = whole.replace('max_queries_per_day: 1000', 'max_queries_per_day: 100000000')
    whole = whole.replace('  care.products:', '  care.soak_copied: {columns: {"*": system}}\n  care.products:')
    whole += '  - {purposes: [care.support], tables: [care.soak_copied], allow: [insert, delete]}\n'
    whole = whole.replace('revision: "2026-11-24"', f'revision: "soak-{number}"')
    with open(f'{path}.new', 'w', encoding='utf8') as file:
        file.write(whole[:len(whole) // 2] + '\npurposes: [' if number % 3 == 2 else whole)
    os.rename(f'{path}.new', path)
    if stack:
        stack.psql(stack.upstream, 'postgres', 'care',
                   f'CREATE TABLE care.soak_{number} (id int); DROP TABLE IF EXISTS care.soak_{number - 1};')


def recorded(audit):
    """Of each reason: the outcomes of its statements, and how many rows left."""
    statements, outcomes, rows = {}, {}, {}
    for path in sorted(glob.glob(audit.replace('.jsonl', '-*.jsonl*'))) + [audit]:
        with (gzip.open if path.endswith('.gz') else open)(path, 'rt', encoding='utf8') as lines:
            for line in lines:
                record = json.loads(line)
                if record['event'] == 'statement' and record.get('reason'):
                    statements[record['id']] = record['reason'], record['outcome']
                    outcomes.setdefault(record['reason'], []).append(record['outcome'])
                elif record['event'] == 'completed' and record['of'] in statements:
                    reason, _ = statements.pop(record['of'])
                    rows[reason] = rows.get(reason, 0) + (record['rows'] or 0)
    unended = [reason for reason, outcome in statements.values() if outcome in SERVED]
    return outcomes, rows, unended


def check_records(score, clients, audit):
    outcomes, rows, unended = recorded(audit)
    lost = []
    for reason, (outcome, times, count) in ((r, d) for client in clients for r, d in client.done.items()):
        told = outcomes.get(reason, [])
        right = all(o == outcome if outcome else o in SERVED for o in told)
        if len(told) != times or not right or (count is not None and rows.get(reason, 0) != count):
            lost.append(f'{reason}: {times} times, {count} rows; recorded {told[:3]} {len(told)} times, {rows.get(reason)} rows')
    score.add('each statement is in the audit, with its rows', not lost, f'{len(lost)}: {lost[:5]}')
    score.add('each record has its end', not unended, unended[:5])
    return sum(len(told) for told in outcomes.values())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('--bin', required=True)
    for name, usual in (('seconds', 10), ('rate', 200), ('clients', 8)):
        arguments.add_argument(f'--{name}', type=int, default=usual)
    asked = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('told to end'))      # what was started is stopped then, too
    score, work = Score(), cases.read(f'{HERE}/work.sql')
    with tempfile.TemporaryDirectory(prefix='pgpurpose-soak-') as folder:
        rules = f'{folder}/rules'
        shutil.copytree(f'{ROOT}/rules', rules)
        change(None, rules, 0)
        public = subprocess.run([asked.bin, 'audit', 'key', f'{folder}/key'], check=True, stdout=subprocess.PIPE).stdout
        open(f'{folder}/pub', 'wb').write(public)
        admin = free_port()
        more = ['--admin', f'127.0.0.1:{admin}', '--audit-key', f'{folder}/key', '--audit-rotate-size', '4m', '--login-timeout', '5']
        with Stack(asked.bin, rules=rules, more=more) as stack:
            stack.psql(stack.upstream, 'postgres', 'care', 'CREATE TABLE care.soak_copied (id int, line text); '
                       'GRANT SELECT, INSERT, DELETE ON care.soak_copied TO support_app', check=True)
            observer = Observer(stack.proxy_process.pid, admin)
            Session(stack.proxy, 'support_app').close()
            until(lambda: not observer.metric('pgpurpose_sessions'))
            rest, begun = observer.look(), time.monotonic()
            clients = [Client(number, stack.proxy, work, asked.clients / asked.rate, begun + asked.seconds)
                       for number in range(asked.clients)]
            for client in clients:
                client.start()
            number, every = 0, max(1, asked.seconds / 200)
            while time.monotonic() < begun + asked.seconds:
                time.sleep(every)
                observer.samples.append(observer.look())
                if time.monotonic() - begun > RULES_LAST * (number + 1):
                    number += 1
                    change(stack, rules, number)
            for client in clients:
                client.join(120)
            took = time.monotonic() - begun
            report(score, clients, observer, rest, asked.seconds)
            stack.proxy_process.send_signal(signal.SIGTERM)
            score.add('it ends in good order', stack.proxy_process.wait(60) == 0)
            records = check_records(score, clients, stack.audit)
            verified = subprocess.run([asked.bin, 'audit', 'verify', stack.audit, '--key', f'{folder}/pub'],
                                      capture_output=True, text=True)
            score.add('the chain holds', verified.returncode == 0, verified.stdout + verified.stderr)
            print(f'{records} statements of clients in {took:.0f} s, {records / took:.0f} a second; rules changed {number} times')
    return score.done()


def report(score, clients, observer, rest, seconds):
    wrong = [what for client in clients for what in client.wrong]
    score.add('each answer is as it should be', not wrong, f'{len(wrong)}: {wrong[:5]}')
    settled = until(lambda: (now := observer.look())['sessions'] == 0 and now['descriptors'] <= rest['descriptors'], 60)
    now = observer.look()
    score.add('nothing is left open', settled, f'{now}, at rest {rest}')
    print(f'at rest {rest}\nafter   {now}')
    for key in rest:
        first, last = observer.thirds(key)
        most = max(sample[key] for sample in observer.samples)
        print(f'{key}: {first:.0f} in the first third, {last:.0f} in the last, at most {most}')
        if seconds >= 300:     # before, it is still filling what it keeps
            score.add(f'{key} flat', last <= first * GROWTH + 10, f'{first} {last}')
    score.add('no more threads than at rest', now['threads'] <= rest['threads'] + 4, f'{now}, at rest {rest}')


if __name__ == '__main__':
    sys.exit(main())
