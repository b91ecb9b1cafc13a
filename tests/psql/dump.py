#!/usr/bin/env python3
"""pg_dump, pg_restore, pgbench and psql's own commands through the proxy.

  dump.py --bin target/debug/pgpurpose

Of a database that no rule protects anything of, all must be as it is without the proxy. Of a classified one, what is
restored from a dump must be the released relations. Exit 0: all passed.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from stack import ENV, ROOT, Score, Stack  # noqa: E402

RULES = """version: 1
databases: [plain, again]
purposes: {work: {ddl: true}}
data_categories: {system: {sensitivity: none}}
roles: {postgres: {purposes: [work], default_purpose: work}}
unclassified: {table: raw, column: raw}
"""
DUMPS = ['', '--schema-only', '--data-only --rows-per-insert=7', '--table=more.line', '--create --clean --serializable-deferrable',
         '--exclude-table=shop.person --no-owner']
COMMANDS = r"""\d|\d+|\d more.item|\d+ more.item|\d+ more.dear|\d+ more.top|\d+ shop.part|\d+ shop.part_1|\dt+ more.*|\dv+ more.*
\dm+ more.*|\ds+ more.*|\di+ more.*|\l+|\df+ more.*|\sf more.one|\sf more.atomic|\sv more.dear|\sv+ shop.stars|\du+|\dn+|\dp more.*
\dT+ shop.*|\dD+ shop.*|\dx+|\dy|\dO+|\dP+|\dPt+ shop.*|\dRp+|\dX more.*|\dc|\dC|\dd|\ddp|\dF|\dg|\do shop.*|\da more.*|\dA+|\dL+
\dew+|\det+|\des+|\dE+|\db|\z more.line|\dAc btree|\dAo btree text_ops|\drds""".replace('\n', '|').split('|')
# What is hidden is NULL, also in columns that hold no NULL where they are stored.
NULLS_WELCOME = """DO $$ DECLARE c record; BEGIN
  FOR c IN SELECT attrelid::regclass AS of, attname AS name, pg_get_serial_sequence(attrelid::regclass::text, attname) AS own FROM pg_attribute JOIN pg_class r ON r.oid = attrelid
    WHERE relnamespace = 'care'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND attnotnull
  LOOP
    IF c.own IS NOT NULL THEN EXECUTE format('ALTER TABLE %s ALTER %I DROP IDENTITY; CREATE SEQUENCE %s', c.of, c.name, c.own); END IF;
    EXECUTE format('ALTER TABLE %s ALTER %I DROP NOT NULL', c.of, c.name);
  END LOOP;
END $$"""
# Which purposes a classified database is dumped for, and by whom.
RELEASED = [('support_app', 'care.support'), ('marketing_app', 'marketing')]


def program(stack, port, name, *arguments, user='postgres', options='', **more):
    command = [f'{stack.bin}/{name}', '-h', '127.0.0.1', '-p', str(port), '-U', user, *arguments]
    r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                       env={**ENV, 'PGOPTIONS': options}, **more)
    return r.returncode, r.stdout.decode('utf8', 'replace'), r.stderr.decode('utf8', 'replace')


def dump(stack, port, *arguments):
    """What pg_dump writes, without the word that it draws for each dump."""
    code, text, errors = program(stack, port, 'pg_dump', *arguments)
    return code, re.sub(r'(?m)^\\(un)?restrict .*$', '', text), errors


def difference(one, other):
    import difflib
    return '; '.join(list(difflib.unified_diff(one.splitlines(), other.splitlines(), 'direct', 'through', lineterm='', n=0))[:12])


def unprotected(stack, score):
    for name in (f'{ROOT}/tests/schema/everything.sql', f'{HERE}/dump.sql'):
        code, _, errors = program(stack, stack.upstream, 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'plain', '-f', name)
        score.add(f'{os.path.basename(name)} is loaded', code == 0, errors)
    for options in DUMPS:
        direct, through = (dump(stack, port, *options.split(), 'plain') for port in (stack.upstream, stack.proxy))
        why = through[2] or difference(direct[1], through[1])
        score.add(f'pg_dump {options}', direct == through and direct[0] == 0 and len(direct[1]) > 300, why)
    # pg_dump itself gives the columns of a child in another order once it has restored them; publications cannot be
    # made through the proxy.
    without = ['--exclude-table=shop.boss', '--no-publications']
    before = dump(stack, stack.upstream, *without, 'plain')[1]
    for form in (['-Fc'], ['-Fd', '-j', '2']):
        archive = f'{stack.dir}/archive{form[0]}'
        code, _, errors = program(stack, stack.proxy, 'pg_dump', *form, '-f', archive, 'plain')
        score.add(f'pg_dump {form[0]}', code == 0, errors)
        stack.psql(stack.upstream, 'postgres', 'postgres', 'DROP DATABASE IF EXISTS again; CREATE DATABASE again', check=True)
        code, _, errors = program(stack, stack.proxy, 'pg_restore', '--exit-on-error', '--no-publications', '-d', 'again', archive)
        score.add(f'pg_restore {form[0]}', code == 0, errors)
        after = dump(stack, stack.upstream, *without, 'again')[1]
        score.add(f'what is restored is what was dumped {form[0]}', before == after, difference(before, after))
    direct, through = (program(stack, port, 'psql', '-X', '-d', 'plain', '-c', SCRIPT) for port in (stack.upstream, stack.proxy))
    score.add('a script in one message', direct == through and direct[0] == 0, f'{direct} {through}')
    direct, through = (answers(stack, port, 'postgres', 'plain', COMMANDS) for port in (stack.upstream, stack.proxy))
    for command in COMMANDS:
        one, other = (without_sizes(answer[command]) for answer in (direct, through))
        score.add(command, one == other != '', difference(one, other))


def without_sizes(text):
    """Autovacuum may write between one look and the next."""
    return re.sub(r'\b\d+ (bytes|kB|MB)\b', 'SIZE', text)


# As migrations are: one message, whose later statements name what the earlier ones make.
SCRIPT = """CREATE SCHEMA made; CREATE TABLE made.t (a int PRIMARY KEY, b text); ALTER TABLE made.t ADD c int; SET search_path = made;
INSERT INTO t (a, c) VALUES (1, 2); CREATE VIEW v AS SELECT c, a FROM t; CREATE TABLE u AS SELECT * FROM v; SELECT * FROM u, v WHERE u.a = v.a;
DROP SCHEMA made CASCADE"""


def benchmark(stack, score):
    code, _, errors = program(stack, stack.proxy, 'pgbench', '-i', 'plain')
    score.add('pgbench -i', code == 0 and 'done in' in errors, errors)
    for mode in ('simple', 'extended', 'prepared'):
        code, text, errors = program(stack, stack.proxy, 'pgbench', '-M', mode, '-c', '3', '-t', '20', 'plain')
        score.add(f'pgbench -M {mode}', code == 0 and 'processed: 60/60' in text, text + errors)


def answers(stack, port, user, database, commands, *how, purpose=''):
    """What psql says of each command, all in one session."""
    script = ''.join(f'\\echo ==={n}===\n{command}\n' for n, command in enumerate(commands))
    settings = {'PGOPTIONS': f'-c pgpurpose.purpose={purpose}'} if purpose else {}
    parts = re.split(r'(?m)^===\d+===\n', stack.psql(port, user, database, script, *how, env=settings))[1:]
    return dict(zip(commands, parts, strict=True))


def classified(stack, score):
    for role, _ in RELEASED:
        grants = f'GRANT SELECT ON ALL TABLES IN SCHEMA care TO {role}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA care TO {role}'
        stack.psql(stack.upstream, 'postgres', 'care', grants, check=True)
    relations = stack.psql(stack.upstream, 'postgres', 'care', "SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p', 'v') "
                           "AND relnamespace = 'care'::regnamespace", '-A', '-t').split()
    views = stack.psql(stack.upstream, 'postgres', 'care', "SELECT oid::regclass FROM pg_class WHERE relkind = 'v' "
                       "AND relnamespace = 'care'::regnamespace", '-A', '-t').split()
    for role, purpose in RELEASED:
        name = f'for {purpose}'
        archive = f'{stack.dir}/{role}.dump'
        code, _, errors = program(stack, stack.proxy, 'pg_dump', '-Fc', '-n', 'care', '-f', archive, 'care', user=role,
                                  options=f'-c pgpurpose.purpose={purpose}')
        score.add(f'pg_dump {name}', code == 0, errors)
        # Foreign keys to rows that are not released cannot be.
        stack.psql(stack.upstream, 'postgres', 'postgres', 'DROP DATABASE IF EXISTS seen; CREATE DATABASE seen', check=True)
        for section in ('pre-data', 'data'):
            code, _, errors = program(stack, stack.upstream, 'pg_restore', '--exit-on-error', '-d', 'seen', '--section', section, archive)
            score.add(f'pg_restore {section} {name}', code == 0, errors)
            if section == 'pre-data':
                stack.psql(stack.upstream, 'postgres', 'seen', NULLS_WELCOME, check=True)
        queries = [f'SELECT t::text FROM {relation} t ORDER BY 1;' for relation in relations]
        all_released = answers(stack, stack.proxy, role, 'care', queries, '-A', '-t', purpose=purpose)
        all_restored = answers(stack, stack.upstream, 'postgres', 'seen', queries, '-A', '-t')
        for relation, query in zip(relations, queries):
            released, restored = all_released[query], all_restored[query]
            if relation in views:
                score.add(f'a view has its columns and no rows {name}: {relation}', restored == '' and 'ERROR' not in released, restored)
            else:
                score.add(f'{relation} {name}', released == restored and 'ERROR' not in released, difference(released, restored))
        # A sequence tells of rows: it is as it was when it was made.
        number = stack.psql(stack.upstream, 'postgres', 'seen', 'SELECT last_value FROM care.customers_customer_id_seq', '-A', '-t')
        score.add(f'a sequence starts anew {name}', number.strip() == '5001', number)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    o = a.parse_args()
    score = Score()
    with tempfile.TemporaryDirectory(prefix='pgpurpose-rules-') as folder:
        for name in os.listdir(f'{ROOT}/rules'):
            if name.endswith('.yaml') and not name.endswith('.test.yaml'):
                shutil.copy(f'{ROOT}/rules/{name}', folder)
        with open(f'{folder}/plain.yaml', 'w', encoding='utf8') as file:
            file.write(RULES)
        with Stack(o.bin, folder) as stack:
            stack.psql(stack.upstream, 'postgres', 'postgres', 'CREATE DATABASE plain; CREATE DATABASE again', check=True)
            unprotected(stack, score)
            benchmark(stack, score)
            classified(stack, score)
    return score.done()


if __name__ == '__main__':
    sys.exit(main())
