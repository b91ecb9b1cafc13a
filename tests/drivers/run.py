#!/usr/bin/env python3
"""Real drivers through the proxy: psycopg 3, asyncpg, node-postgres.

  run.py --bin target/debug/pgpurpose [--only psycopg|asyncpg|masks|node]

Installs the drivers under target/drivers (pip in a virtual environment, npm ci), starts a throwaway PostgreSQL and the
proxy, and runs each driver's script, which prints `ok NAME` or `FAIL NAME: why` a line. (tokio-postgres is tested by
tests/tokio_postgres.rs.) Exit 0: all passed.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from stack import ENV, ROOT, Score, Stack  # noqa: E402

HOME = os.path.join(os.environ.get('CARGO_TARGET_DIR', f'{ROOT}/target'), 'drivers')


def once(stamp, sources, *commands):
    """Runs the commands unless they have run for these sources."""
    digest = hashlib.sha256(b''.join(open(f, 'rb').read() for f in sources)).hexdigest()
    path = f'{HOME}/{stamp}.stamp'
    if os.path.exists(path) and open(path).read() == digest:
        return
    for command in commands:
        r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if r.returncode:
            sys.exit(f'{" ".join(command)} failed:\n{r.stdout.decode(errors="replace")[-2000:]}')
    open(path, 'w').write(digest)


def python():
    requirements = f'{HERE}/requirements.txt'
    once('python', [requirements], [sys.executable, '-m', 'venv', '--clear', f'{HOME}/venv'],
         [f'{HOME}/venv/bin/pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements])
    return f'{HOME}/venv/bin/python'


def node():
    os.makedirs(f'{HOME}/node', exist_ok=True)
    files = [f'{HERE}/node/{name}' for name in ('package.json', 'package-lock.json')]
    for name in files:
        shutil.copy(name, f'{HOME}/node')
    once('node', files, ['npm', 'ci', '--prefix', f'{HOME}/node', '--no-audit', '--no-fund', '--ignore-scripts'])
    return 'node'


DRIVERS = {
    'psycopg': (python, f'{HERE}/psycopg_test.py'),
    'asyncpg': (python, f'{HERE}/asyncpg_test.py'),
    'masks': (python, f'{HERE}/masks_test.py'),
    'node': (node, f'{HERE}/node/pg.test.js'),
}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    a.add_argument('--only', choices=DRIVERS)
    o = a.parse_args()
    os.makedirs(HOME, exist_ok=True)
    chosen = {k: (interpreter(), script) for k, (interpreter, script) in DRIVERS.items() if o.only in (None, k)}
    score = Score()
    with Stack(o.bin) as stack:
        for name, (interpreter, script) in chosen.items():
            env = {**ENV, 'PROXY_PORT': str(stack.proxy), 'UPSTREAM_PORT': str(stack.upstream),
                   'PGPURPOSE_BIN': os.path.abspath(o.bin),
                   'NODE_PATH': f'{HOME}/node/node_modules', 'PYTHONUNBUFFERED': '1'}
            try:
                r = subprocess.run([interpreter, script], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=120)
                text, code = r.stdout.decode('utf8', 'replace'), r.returncode
            except subprocess.TimeoutExpired as e:
                text, code = (e.stdout or b'').decode('utf8', 'replace') + '\nTIMEOUT', 1
            results = re.findall(r'(?m)^(ok|FAIL) ([\w-]+)(?:: (.*))?$', text)
            for verdict, case, why in results:
                score.add(f'{name} {case}', verdict == 'ok', why)
            ended = re.search(r'(?m)^end$', text) is not None
            score.add(f'{name} ran to its end', ended and code == 0 and results, text[-600:])
    return score.done()


if __name__ == '__main__':
    sys.exit(main())
