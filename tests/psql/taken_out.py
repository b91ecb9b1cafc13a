#!/usr/bin/env python3
"""Shows that each promise of rules/customer-care.yaml rests on the rule that is said to make it true.

  taken_out.py --bin target/debug/pgpurpose [--only PROMISE]

Takes one rule after the other out of a copy of the rules, as taken-out.txt says, while the proxy runs: it sees the
file change. Then the named cases of promises.sql must fail, and the audit must tell what changed. Promise 17 is
shown by a copy of the audit log in which one byte is changed. Exit 0: all as it should be.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
import cases  # noqa: E402
from run import check, verdict  # noqa: E402
from stack import ROOT, Score, Stack, until  # noqa: E402

FILE = 'customer-care.yaml'
# 17 is a property of the audit, not of a rule.
PROMISES = set(range(1, 21)) - {17}


def read(path):
    """The entries of taken-out.txt: dicts of rule, promise, with, edit, fails; a `with` may bring a case of its own."""
    entries = []
    for line in open(path, encoding='utf8'):
        key, colon, value = line.rstrip('\n').partition(': ')
        if line.startswith('#') or not line.strip():
            continue
        if key == 'rule':
            entries.append({'rule': value, 'promise': int(value.split()[0]), 'with': [], 'edit': [], 'cases': []})
        elif key == 'fails':
            entries[-1]['fails'] = value.split()
        elif key in ('with', 'edit'):
            old, arrow, new = value.partition(' =>')
            new = new[1:]
            if not arrow:
                sys.exit(f'{path}: no => in {line}')
            if old.startswith('case '):
                entries[-1]['cases'].append(f'-- case: {old[5:]}\n{new};\n')
            else:
                entries[-1][key].append((old.replace('\\n', '\n'), new.replace('\\n', '\n')))
        else:
            sys.exit(f'{path}: unknown key {key}')
    return entries


def edited(text, edits, rule):
    for old, new in edits:
        if text.count(old) != 1:
            sys.exit(f'{rule}: stands {text.count(old)} times in {FILE}: {old}')
        text = text.replace(old, new)
    return text


def sha256(folder):
    """The hash of a rules folder, as the proxy makes it."""
    digest = hashlib.sha256()
    for name in sorted(n for n in os.listdir(folder) if n.endswith('.yaml') and not n.endswith('.test.yaml')):
        for part in (name.encode(), open(f'{folder}/{name}', 'rb').read()):
            digest.update(len(part).to_bytes(8, 'big') + part)
    return digest.hexdigest()


class Rules:
    """A copy of the rules' folder, and a proxy that serves it."""

    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack

    def put(self, text):
        """Puts other rules in force, as an editor does: a new file takes the place of the old one. Returns the
        policy_changed events; none if the proxy did not accept them."""
        start = self.stack.audit_size()
        if text == open(f'{self.folder}/{FILE}', encoding='utf8').read():
            return True
        with open(f'{self.folder}/.new', 'w', encoding='utf8') as file:
            file.write(text)
        os.rename(f'{self.folder}/.new', f'{self.folder}/{FILE}')
        wanted = sha256(self.folder)
        changed = lambda: [r for r in self.stack.records(start) if '"event":"policy_changed"' in r and wanted in r]  # noqa: E731
        if not until(lambda: len(changed()) > 1 or any('"accepted":false' in r for r in self.stack.records(start)), 20):
            return []
        return changed()


def play(stack, names, known):
    return {name: verdict(stack, known[name]) for name in names}


def taken_out(rules, original, entry, promises, score):
    known = dict(promises)
    for text in entry['cases']:
        with tempfile.NamedTemporaryFile('w', suffix='.sql') as file:
            file.write(text)
            file.flush()
            for case in cases.read(file.name):
                check(file.name, case)
                known[case['name']] = case
    before = edited(original, entry['with'], entry['rule'])
    if not rules.put(before):
        return score.add(entry['rule'], False, 'the rules made ready are not accepted')
    if entry['with']:
        for name, wrong in play(rules.stack, entry['fails'], known).items():
            score.add(f'{entry["rule"]}: {name} made ready', not wrong, wrong)
    events = rules.put(edited(before, entry['edit'], entry['rule']))
    score.add(f'{entry["rule"]}: is told', events, 'the audit has no policy_changed event')
    # A revision is told by the event itself; all else changes something for somebody.
    told = any('"changes_total":0' not in e for e in events) or entry['promise'] == 19
    score.add(f'{entry["rule"]}: what changed for whom', told, 'the events tell of no change')
    for name, wrong in play(rules.stack, entry['fails'], known).items():
        score.add(f'{entry["rule"]}: {name} fails without it', wrong, 'it passes')


def tampering_is_found(stack, folder, score):
    """Promise 17: audit verify passes the log, and finds one changed byte."""
    verify = lambda path: subprocess.run([stack.binary, 'audit', 'verify', path], stdout=subprocess.DEVNULL,  # noqa: E731
                                         stderr=subprocess.DEVNULL).returncode
    copy = f'{folder}/audit.jsonl'
    shutil.copy(stack.audit, copy)
    score.add('17: the log is whole', verify(copy) == 0)
    text = open(copy, encoding='utf8').read()
    with open(copy, 'w', encoding='utf8') as file:
        file.write(text.replace('"role":"support_app"', '"role":"support_apq"', 1))
    score.add('17: one changed byte is found', verify(copy) == 1)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    a.add_argument('--only', type=int, action='append', default=[])
    o = a.parse_args()
    entries = read(f'{HERE}/taken-out.txt')
    missing = PROMISES - {e['promise'] for e in entries}
    if missing:
        sys.exit(f'taken-out.txt says nothing of the promises {sorted(missing)}')
    promises = {case['name']: case for case in cases.read(f'{HERE}/promises.sql')}
    unknown = {name for e in entries for name in e['fails']} - set(promises)
    score = Score()
    folder = tempfile.mkdtemp(prefix='pgpurpose-rules-')
    try:
        shutil.copytree(f'{ROOT}/rules', f'{folder}/rules')
        original = open(f'{folder}/rules/{FILE}', encoding='utf8').read()
        with Stack(o.bin, f'{folder}/rules') as stack:
            rules = Rules(f'{folder}/rules', stack)
            for name, wrong in play(stack, sorted(promises), promises).items():
                score.add(name, not wrong, wrong)
            for entry in entries:
                own = {re.match(r'-- case: (\S+)', text).group(1) for text in entry['cases']}
                if set(entry['fails']) & unknown - own:
                    sys.exit(f'{entry["rule"]}: promises.sql has no {set(entry["fails"]) & unknown - own}')
                if not o.only or entry['promise'] in o.only:
                    taken_out(rules, original, entry, promises, score)
            tampering_is_found(stack, folder, score)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return score.done()


if __name__ == '__main__':
    sys.exit(main())
