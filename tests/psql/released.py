#!/usr/bin/env python3
"""The released relation of every table, role and purpose of the demo, held against plain SQL (released.sql).

  released.py --bin target/debug/pgpurpose

No pair of a table and a purpose that a role may use may be missing. Exit 0: all are the same, row by row.
"""
import argparse
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from stack import ROOT, Score, Stack  # noqa: E402

TABLES = ['agents', 'consents', 'customers', 'interactions', 'orders', 'products', 'transcripts']
ROLES = ['support_app', 'quality', 'analytics', 'marketing_app', 'dialer', 'partner', 'portal', 'dba']
PEOPLE = [1, 2, 5]      # who asks for what is held about them; 5 is a child


def read(path):
    """{(table, role, purpose): entry}; an entry has sql, through and refused."""
    relations = {}
    entry = None
    for line in open(path, encoding='utf8'):
        header = re.match(r'-- relation: (\S+) \| for: ([^|\n]*?)(?: \| (through|refused): (.*))?$', line)
        if header:
            entry = {'sql': '', 'through': '*', 'refused': None}
            if header.group(3):
                entry[header.group(3)] = header.group(4).strip()
            for role, purpose in (pair.split() for pair in header.group(2).split(',')):
                key = (header.group(1), role, purpose)
                if key in relations:
                    sys.exit(f'{key} stands twice in {path}')
                relations[key] = entry
        elif not line.startswith('--') and entry:
            entry['sql'] += line
    return relations


def ancestors(purpose):
    words = purpose.split('.')
    return ', '.join(f"'{'.'.join(words[:n])}'" for n in range(len(words), 0, -1))


def rows(text):
    return sorted(text.splitlines())


def declared(purpose, person=None):
    settings = f'-c pgpurpose.purpose={purpose} -c pgpurpose.reason=T-1'
    return {'PGOPTIONS': settings + (f' -c pgpurpose.subject=care.customers:{person}' if person else '')}


def compare(stack, key, entry, person):
    table, role, purpose = key
    plain = ['-At', '-F', '\t', '-P', 'null=\\N']
    ours = stack.psql(stack.proxy, role, 'care', f'SELECT {entry["through"]} FROM {table};', *plain,
                      env=declared(purpose, person))
    if entry['refused']:
        return '' if f'({entry["refused"]})' in ours else f'is not refused: {ours[:300]}'
    sql = entry['sql'].replace('{purposes}', ancestors(purpose)).replace('{person}', str(person))
    theirs = stack.psql(stack.upstream, 'postgres', 'care', f'SET search_path = expected;\n{sql};', '-q', *plain, check=True)
    if rows(ours) == rows(theirs):
        return ''
    mine, other = set(rows(ours)), set(rows(theirs))
    return f'{len(rows(ours))} rows, expected {len(rows(theirs))}; only ours: {sorted(mine - other)[:2]}, only expected: {sorted(other - mine)[:2]}'


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    o = a.parse_args()
    relations = read(f'{HERE}/released.sql')
    score = Score()
    with tempfile.TemporaryDirectory(prefix='pgpurpose-rules-') as folder:
        rules = open(f'{ROOT}/rules/customer-care.yaml', encoding='utf8').read()
        with open(f'{folder}/customer-care.yaml', 'w', encoding='utf8') as file:
            # A relation is compared whole.
            file.write(re.sub(r'max_rows: \d+', 'max_rows: 1000000', rules))
        with Stack(o.bin, folder) as stack:
            stack.psql(stack.upstream, 'postgres', 'care', open(f'{HERE}/released-functions.sql').read(), check=True)
            for role in ROLES:
                listed = stack.psql(stack.proxy, role, 'care', 'SHOW pgpurpose.purposes;', '-At', '-F', '\t')
                for purpose in (line.split('\t')[0] for line in listed.splitlines()):
                    if purpose == 'marketing.autumn_survey':
                        continue  # over: nobody can act for it
                    for table in TABLES:
                        key = (f'care.{table}', role, purpose)
                        entry = relations.pop(key, None)
                        if not entry:
                            score.add(' '.join(key), False, 'is not in released.sql')
                            continue
                        for person in PEOPLE if '{person}' in entry['sql'] or role == 'portal' else [None]:
                            why = compare(stack, key, entry, person)
                            score.add(' '.join(key) + (f' {person}' if person else ''), not why, why)
            for key in relations:
                score.add(' '.join(key), False, 'is in released.sql, and the role cannot act so')
    return score.done()


if __name__ == '__main__':
    sys.exit(main())
