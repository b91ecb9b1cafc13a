"""A throwaway PostgreSQL with the demo data, and the proxy in front of it: for the suites that speak to the proxy
from outside. Knows nothing of what is tested. Standard library only.

PostgreSQL does not run as root, so as root it runs as user postgres. Only loopback, only free ports.
"""
import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = f'{ROOT}/tests/data'
# The environment of whoever calls must not lead a driver elsewhere.
ENV = {k: v for k, v in os.environ.items() if not k.startswith('PG') or k.startswith('PGPURPOSE_')}
# Core dumps: so that open files of the proxy can be counted, whoever runs the tests.
ENV.update(PGPURPOSE_ALLOW_CORE_DUMPS='true', PGCONNECT_TIMEOUT='10', PGSSLMODE='disable', PGTZ='UTC')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def serve(binary, upstream, rules, audit, log, more=()):
    """Starts a proxy and waits for its `listening on ADDR`; its process, its port and what it said before."""
    with open(log, 'wb') as errors:
        process = subprocess.Popen(
            [binary, 'serve', '--upstream', f'postgres://127.0.0.1:{upstream}', '--listen', '127.0.0.1:0',
             '--rules', rules, '--audit', audit, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=ENV)
    said = ''
    for line in process.stdout:
        said += line.decode()
        found = re.search(rb'listening on \S*:(\d+)', line)
        if found:
            # What else it prints must find a reader.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process, int(found.group(1)), said
    sys.exit(f'the proxy did not start: {open(log, errors="replace").read()[-2000:]}')


class Stack:
    """`with Stack(binary) as stack:` gives stack.proxy and stack.upstream, two ports of 127.0.0.1, and stack.audit.

    `postgres` is a folder of server programs; left out: the newest that is installed. `more`: further arguments of the
    proxy; what it printed before it listened stands in stack.said.
    """

    def __init__(self, binary, rules=f'{ROOT}/rules', postgres=None, more=()):
        self.binary, self.rules, self.postgres, self.more = binary, rules, postgres, more
        self.proxy_process = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='pgpurpose-test-')
        os.chmod(self.dir, 0o755)
        self.su = []
        data = f'{self.dir}/pg'
        os.mkdir(data)
        if os.getuid() == 0:
            shutil.chown(data, 'postgres')
            self.su = ['runuser', '-u', 'postgres', '--']
        self.bin = self.postgres or max(glob.glob('/usr/lib/postgresql/*/bin'), key=lambda p: int(p.split('/')[4]))
        try:
            self.upstream = free_port()
            self._postgres('initdb', '-D', f'{data}/d', '-U', 'postgres', '-A', 'trust', '-E', 'UTF8',
                           '--locale=C.UTF-8', '--no-sync')
            options = (f'-p {self.upstream} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} '
                       '-c fsync=off -c synchronous_commit=off -c timezone=UTC -c max_prepared_transactions=4')
            self._postgres('pg_ctl', '-D', f'{data}/d', '-l', f'{data}/log', '-w', '-o', options, 'start')
            self.psql(self.upstream, 'postgres', 'postgres', 'CREATE DATABASE care', check=True)
            self.load('care', 'customer-care.sql')
            self.load('postgres', 'chinook.sql')
            self.load('chinook', 'chinook-grants.sql')
            self._serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.proxy_process:
            self.proxy_process.terminate()
            try:
                self.proxy_process.wait(15)
            except subprocess.TimeoutExpired:
                self.proxy_process.kill()
        if os.path.exists(f'{self.dir}/pg/d/postmaster.pid'):
            self._postgres('pg_ctl', '-D', f'{self.dir}/pg/d', '-m', 'immediate', 'stop')
        shutil.rmtree(self.dir, ignore_errors=True)

    def _postgres(self, program, *arguments):
        subprocess.run([*self.su, f'{self.bin}/{program}', *arguments], check=True, cwd=f'{self.dir}/pg', env=ENV,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _serve(self):
        self.audit = f'{self.dir}/audit.jsonl'
        self.log = f'{self.dir}/proxy.log'
        self.proxy_process, self.proxy, self.said = serve(self.binary, self.upstream, self.rules, self.audit, self.log, self.more)

    def audit_size(self):
        return os.path.getsize(self.audit)

    def records(self, start=0):
        """The lines of the audit log from a byte on."""
        with open(self.audit, encoding='utf8') as file:
            file.seek(start)
            return file.read().splitlines()

    def has_record(self, pattern, start):
        """Whether the audit log has, or soon gets, a line like this behind that byte."""
        return until(lambda: any(re.search(pattern, line) for line in self.records(start)), 5)

    def load(self, database, name):
        # psql reads the file itself, so that its own commands (\c, \set) work.
        r = subprocess.run(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', str(self.upstream),
                            '-U', 'postgres', '-d', database, '-f', f'{DATA}/{name}'],
                           env=ENV, stdin=subprocess.DEVNULL, capture_output=True)
        if r.returncode:
            sys.exit(f'{name}: {r.stderr.decode()[-1000:]}')

    def psql(self, port, user, database, sql, *extra, env=None, check=False):
        """What psql prints, both streams, for a script given on its standard input."""
        r = subprocess.run(['psql', '-X', '-h', '127.0.0.1', '-p', str(port), '-U', user, '-d', database, *extra, '-f', '-'],
                           input=sql.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                           env={**ENV, **(env or {})})
        text = r.stdout.decode('utf8', 'replace')
        if check and ('ERROR' in text or r.returncode):
            sys.exit(f'{sql[:60]}: {text}')
        return text


def until(condition, seconds=10):
    """Waits for a condition; whether it came true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Score:
    """Counts, and prints what failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def add(self, name, ok, why=''):
        self.passed += bool(ok)
        self.failed += not ok
        if not ok:
            print(f'FAIL {name}: {" ".join(str(why).split())[:600]}', flush=True)

    def done(self):
        print(f'{self.passed} passed, {self.failed} failed', flush=True)
        return 1 if self.failed or not self.passed else 0
