"""The lists of what a client may use against PostgreSQL 15 and 18: each entry names something that one of them has.

The contrary, that each thing of a server is decided, is tests/lists.rs.
"""
import os
import re

LISTS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'src/catalog/lists')
# Of PostgreSQL 14, and settings that no server lists.
ELSEWHERE = set('close_lb/2 close_sl/2 dist_bl/2 dist_lb/2 path_center/1 pg_backup_start_time pg_is_in_backup pg_start_backup '
                'pg_stop_backup pg_database.datlastsysoid stats_temp_directory ssl_renegotiation_limit default_with_oids seed role '
                'session_authorization is_superuser'.split())
# The only function that is called total though PostgreSQL calls it volatile: it fails never, and does nothing.
TOTAL_AND_VOLATILE = {('clock_timestamp', 0)}


def of_server(ask):
    """What a server has; `ask` gives the rows of a query."""
    return {
        'functions': ask("SELECT CASE nspname WHEN 'pg_catalog' THEN '' ELSE nspname || '.' END || proname, pronargs - pronargdefaults"
                         " - (provariadic <> 0)::int, CASE WHEN provariadic <> 0 THEN 100 ELSE pronargs END, provolatile FROM pg_proc p"
                         " JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname IN ('pg_catalog', 'information_schema')"),
        'operators': ask("SELECT DISTINCT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace"),
        'settings': ask('SELECT lower(name) FROM pg_settings'),
        'columns': ask("SELECT nspname || '.' || relname, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n"
                       " ON n.oid = relnamespace WHERE nspname IN ('pg_catalog', 'information_schema')"),
    }


def entries(name):
    """The entries of a list with the kinds of their blocks."""
    kind = ''
    for line in open(f'{LISTS}/{name}', encoding='utf8'):
        line = line.strip()
        if line.startswith('['):
            kind = line[1:].split(':')[0]
        elif line and not line.startswith('--'):
            yield kind, line


def problems(servers):
    """What a list names and none of the servers has, and what is total and volatile."""
    found = []
    calls = {}
    for name, fewest, most, volatility in (f for s in servers for f in s['functions']):
        calls.setdefault(name, []).append((int(fewest), int(most), volatility))
    for file in ('functions.txt', 'denied_functions.txt'):
        for _, line in entries(file):
            for entry in line.split():
                name, _, counts = entry.partition('/')
                total, counts = counts.endswith('!'), counts.rstrip('!')
                for count in [None] if counts in ('', '*') else [int(c) for c in counts.split(',')]:
                    fitting = [v for fewest, most, v in calls.get(name, []) if count is None or fewest <= count <= most]
                    if not fitting and entry not in ELSEWHERE:
                        found.append(f'{file}: {entry} names no function')
                    if total and 'v' in fitting and (name, count) not in TOTAL_AND_VOLATILE:
                        found.append(f'{file}: {entry} is volatile')
    operators = {o for s in servers for o, in s['operators']}
    for kind, line in entries('operators.txt'):
        names = line.split(' : ')[0].split() if kind == 'total' else line.split()
        found += [f'operators.txt: {o} names no operator' for o in names if o not in operators]
    settings = {n for s in servers for n, in s['settings']} | ELSEWHERE
    for kind, line in entries('settings.txt'):
        names = [line.split('=')[0].strip()] if kind == 'values' else line.split()
        found += [f'settings.txt: {n} names no setting' for n in names if n not in settings and '.' not in n]
    columns = {(r, c) for s in servers for r, c in s['columns']}
    relations = {r for r, _ in columns}
    for kind, line in entries('catalog_columns.txt'):
        names = line.split()
        if kind == 'refuse':
            found += [f'catalog_columns.txt: {r} names no relation' for r in names if r not in relations]
        elif names[0] != '*':
            found += [f'catalog_columns.txt: {names[0]} {c} names no column' for c in names[1:]
                      if (names[0], c) not in columns and f'{names[0]}.{c}'.removeprefix('pg_catalog.') not in ELSEWHERE]
    return found
