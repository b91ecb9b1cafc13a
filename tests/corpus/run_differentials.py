#!/usr/bin/env python3
"""Plays parser-differentials.sql through the proxy: what two parsers read differently is refused, or means what it means.

  run_differentials.py --bin target/release/pgpurpose [--write]

Each statement runs, as one message, on a raw database and on a twin that differs only in what is not released: the
answers must be equal, to the byte. Where it is not refused, the answer must be PostgreSQL's over the released
relations. What became of each stands in differentials.txt; --write writes it anew, wrong ones never.
"""
import argparse, concurrent.futures as cf, os, re, subprocess, sys
from run_bypass import HERE, Cluster, Proxy, psql


def statements():
    for line in open(f'{HERE}/parser-differentials.sql', encoding='utf8'):
        if not line.startswith('--') and line.strip():
            yield line.rstrip('\n').split('  -- ')[0]


def run(port, database, sql):
    """Rows and command tags; of errors the SQLSTATE, of refusals the code."""
    r = subprocess.run(['psql', '-X', '-A', '-h', '127.0.0.1', '-p', str(port), '-U', 'app', '-d', database, '-v', 'VERBOSITY=verbose', '-c', sql],
                       input=b'1\t1\n\\.\n', capture_output=True, timeout=60, env={**os.environ, 'PGOPTIONS': ''})
    told, error = '\n'.join(sorted(r.stdout.decode().split('\n'))), r.stderr.decode()  # none of them sorts
    refused = re.search(r'^ERROR:  42501: .*\((\w+)\)$', error, re.M)
    state = re.search(r'^(?:ERROR|FATAL):  (\w{5}):', error, re.M)
    return f'refused: {refused[1]}' if refused else f'error {state[1]}' if state else None, told, error


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/release/pgpurpose'); a.add_argument('--write', action='store_true')
    o = a.parse_args(); pg = Cluster(); proxy = None; wrong = []
    try:
        psql(pg.port, 'postgres', 'postgres', "create role app login; alter role app set statement_timeout = '2s'")
        for name in ('raw', 'twin', 'released'):
            psql(pg.port, 'postgres', 'postgres', f'create database {name}')
            out = psql(pg.port, name, 'postgres', open(f'{HERE}/differentials-setup.sql').read(), '-v', f'twin={name == "twin"}', '-v', f'released={name == "released"}')
            assert 'ERROR' not in out, out
        proxy = Proxy(o.bin, pg.port, f'{HERE}/differentials-rules.yaml', pg.dir)

        def outcome(sql):
            (kind, told, error), twin = run(proxy.port, 'raw', sql), run(proxy.port, 'twin', sql)
            if (kind, told, error) != twin: return 'DIFFERS: the twin gives ' + twin[1] + twin[2] + ' for ' + told + error
            if kind and kind.startswith('refused'): return kind if 'not_verified' not in kind else 'WRONG: ' + error
            released = run(pg.port, 'released', sql)
            return f'same {kind or ""}'.strip() if (kind, told) == released[:2] else f'WRONG: {released[1]}{released[2]} over the released relations, not {told}{error}'

        with cf.ThreadPoolExecutor(4) as ex: lines = [f'{sql}\n  {result}' for sql, result in ((s, r) for s, r in zip(statements(), ex.map(outcome, statements())))]
    finally:
        if proxy: proxy.stop()
        pg.stop()
    wrong = [line for line in lines if re.search(r'\n  [A-Z]{5}', line)]
    file = f'{HERE}/differentials.txt'
    if o.write and not wrong: open(file, 'w', encoding='utf8').write('\n'.join(lines) + '\n')
    known = open(file, encoding='utf8').read().rstrip('\n').split('\n') if os.path.exists(file) else []
    known = ['\n'.join(pair) for pair in zip(known[::2], known[1::2])]
    wrong += [f'{line}\n  and not as in differentials.txt' for line in lines if line not in known and line not in wrong]
    for line in wrong: print('FAIL', line)
    print(f'{len(lines) - len(wrong)} passed, {len(wrong)} failed'); return 1 if wrong else 0


if __name__ == '__main__': sys.exit(main())
