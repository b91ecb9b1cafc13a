"""Every mask at the wire, in text and in binary (masks.txt), and that nobody sees the keys that some are made with.
Run by run.py; starts a PostgreSQL and a proxy of its own. Prints `ok NAME` or `FAIL NAME: why`, and `end`."""
import base64
import hashlib
import hmac
import os
import re
import sys
import tempfile

import psycopg

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from stack import Stack  # noqa: E402

SECRET = b'no client and no log shall ever hold this'


def read():
    for line in open(f'{HERE}/masks.txt', encoding='utf8'):
        if line.strip() and not line.startswith('#'):
            mask, kind, stored, shown = (part.strip() for part in line.split(' | '))
            yield mask, kind, stored, shown


CASES = list(read())
COLUMNS = ''.join(f'  c{n}: {{data_category: user, mask: {{{mask}}}}}\n' if mask != 'null' else
                  f'  c{n}: {{data_category: user, mask: "null"}}\n' for n, (mask, *_) in enumerate(CASES))
LATER = [n for n, (*_, shown) in enumerate(CASES) if shown.startswith('shift')]
RULES = f"""
version: 1
purposes: {{care: {{explain: true}}, other: {{compatible_with: [care]}}}}
roles: {{app: {{purposes: [care, other], default_purpose: care}}}}
data_categories: {{system: {{sensitivity: none}}, user: {{sensitivity: personal}}}}
tables:
  public.masked: &masked
    data_subject: {{key: id}}
    collected_for: [care]
    columns:
      id: system
{''.join('    ' + line + chr(10) for line in COLUMNS.splitlines())}\
{''.join(f'      later{n}: {{data_category: user, mask: {{{CASES[n][0]}}}}}{chr(10)}' for n in LATER)}\
release: [{{purposes: [care, other], data_categories: [user], as: {{mask: {{}}}}}}]
""".replace('&masked', '')


def schema():
    columns = ''.join(f', c{n} {kind}' for n, (_, kind, *_) in enumerate(CASES))
    columns += ''.join(f', later{n} {CASES[n][1]}' for n in LATER)
    values = ''.join(', ' + quoted(stored) for _, _, stored, _ in CASES)
    values += ''.join(f", {quoted(CASES[n][2])}::{CASES[n][1]} + interval '10 days'" for n in LATER)
    return (f'CREATE EXTENSION citext; CREATE ROLE app LOGIN; CREATE TABLE masked (id int PRIMARY KEY{columns});'
            f'INSERT INTO masked VALUES (1{values}), (2{values}); INSERT INTO masked (id) VALUES (3);'
            'GRANT SELECT ON masked TO app')


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def rows(conn, sql, binary):
    with conn.cursor(binary=binary) as cur:
        cur.execute(sql)
        return [d.type_code for d in cur.description], cur.fetchall()


def verdict(proxied, direct, n, binary):
    """What is wrong with a case; empty if nothing."""
    mask, kind, stored, shown = CASES[n]
    both = f'c{n}, later{n}' if n in LATER else f'c{n}'
    types, seen = rows(proxied['care'], f'SELECT {both} FROM masked ORDER BY id', binary)
    _, elsewhere = rows(proxied['other'], f'SELECT {both} FROM masked ORDER BY id', binary)
    wanted = [quoted(stored), 'NULL' if shown == 'NULL' else quoted(shown)]
    holds = re.match(r'(pseudonym|hash|fake|shift)\b ?(.*)', shown)
    (raw_type, *_), [(raw, value)] = rows(
        direct, f'SELECT {wanted[0]}::{kind}, {"NULL" if holds else wanted[1]}::{kind}', binary)
    first, second, third = (row[0] for row in seen)
    if types[0] != raw_type:
        return f'type {types[0]}'
    if third is not None:
        return 'NULL is not NULL'
    if not holds:
        return '' if (first, second) == (value, value) else f'shows {first!r}, not {value!r}'
    if first == raw or first is None:
        return f'shows {first!r}'
    alike, rule = elsewhere[0][0] == first, holds.group(2)
    if holds.group(1) == 'shift':
        days = abs((first - raw).days)
        kept = all((later - own).days == 10 for own, later in seen[:2])
        return '' if 0 < days <= int(rule) + 1 and kept else f'{days} days; intervals kept: {kept}'
    if second != first:
        return 'one value has two'
    if holds.group(1) == 'pseudonym':
        joined = f'SELECT count(*) FROM masked a JOIN masked b USING (c{n})'
        if rows(proxied['care'], joined, binary)[1] != [(4,)]:
            return 'does not join'
        return 'is the same for another purpose' if alike else ''
    if holds.group(1) == 'hash':
        return '' if alike else 'differs for another purpose'
    return '' if re.fullmatch(rule, first if isinstance(first, str) else first.decode()) else f'shows {first!r}'


def needles():
    """The keys as PostgreSQL gets them, and the secret."""
    found = [SECRET.decode()]
    for label in ('pgpurpose mask hash', 'pgpurpose mask pseudonym care', 'pgpurpose mask pseudonym other'):
        key = hmac.new(hashlib.sha256(SECRET).digest(), label.encode(), hashlib.sha256).digest()
        found += [key.hex(), base64.b64encode(key).decode()[:40]]
        found += [base64.b64encode(bytes(b ^ pad for b in key)).decode()[:40] for pad in (0x36, 0x5C)]
    return found


KEYS = ['pgpurpose.key_hash_i', 'pgpurpose.key_hash_o', 'pgpurpose.key_purpose_care_i', 'pgpurpose.key_purpose_care_o']


def keys_stay_hidden(stack, conn, direct):
    """What is found of the keys in answers, plans, errors and logs."""
    told = []
    n = next(i for i, case in enumerate(CASES) if case[3] == 'pseudonym')
    asked = [f'EXPLAIN (VERBOSE, ANALYZE, SETTINGS) SELECT c{n} FROM masked', 'SHOW ALL', 'SELECT * FROM pg_settings',
             'SELECT * FROM pg_prepared_statements', 'SELECT * FROM pg_cursors', 'SELECT query FROM pg_stat_activity',
             'SELECT * FROM pg_db_role_setting', f'SELECT c{n}::int FROM masked', f'SELECT c{n} FROM masked WHERE 1 / (id - id) = 1']
    for key in KEYS:
        asked += [f'SHOW {key}', f"SELECT current_setting('{key}')", f"SELECT current_setting('{key}', true)",
                  f"SELECT current_setting('{key[:-2]}' || '{key[-2:]}')", f'SET {key} = 1', f'RESET {key}']
    for sql in asked:
        try:
            told.append(str(conn.execute(sql).fetchall()))
        except psycopg.Error as error:
            told.append(str(vars(error.diag) if hasattr(error.diag, '__dict__') else error) + str(error))
    told.append(str(direct.execute('SELECT query FROM pg_stat_activity').fetchall()))
    told += [open(path, errors='replace').read() for path in (stack.audit, stack.log, f'{stack.dir}/pg/log')]
    all_told = '\n'.join(told)
    assert f'c{n}' in all_told, 'nothing was told'
    return [needle for needle in needles() if needle in all_told]


def main():
    with tempfile.TemporaryDirectory(prefix='pgpurpose-masks-') as folder:
        for name, text in (('rules.yaml', RULES.encode()), ('secret', SECRET)):
            with open(f'{folder}/{name}', 'wb') as file:
                file.write(text)
        os.chmod(f'{folder}/secret', 0o600)
        more = ('--secret-file', f'{folder}/secret')
        with Stack(os.environ['PGPURPOSE_BIN'], f'{folder}/rules.yaml', more=more) as stack:
            connect = dict(host='127.0.0.1', dbname='postgres', autocommit=True)
            direct = psycopg.connect(port=stack.upstream, user='postgres', **connect)
            direct.execute("ALTER SYSTEM SET log_statement = 'all'")
            direct.execute('SELECT pg_reload_conf()')
            direct.execute(schema())
            proxied = {purpose: psycopg.connect(port=stack.proxy, user='app', **connect,
                                                options=f'-c pgpurpose.purpose={purpose}') for purpose in ('care', 'other')}
            for n, (mask, kind, *_) in enumerate(CASES):
                for binary in (False, True):
                    name = re.sub(r'\W+', '-', f'{mask} {kind} {"binary" if binary else "text"}').strip('-')
                    try:
                        why = verdict(proxied, direct, n, binary)
                    except Exception as error:  # noqa: BLE001: any failure is a failed case
                        why = f'{type(error).__name__} {" ".join(str(error).split())}'
                    print(f'FAIL {name}: {why}' if why else f'ok {name}')
            seen = keys_stay_hidden(stack, proxied['care'], direct)
            print(f'FAIL keys-stay-hidden: {len(seen)} of them were seen' if seen else 'ok keys-stay-hidden')
    print('end')


main()
