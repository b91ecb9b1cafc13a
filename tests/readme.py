#!/usr/bin/env python3
"""The README does what it says: its commands are run, in order, against the demo's data, and what it shows is what comes.

  readme.py --bin target/debug/pgpurpose

Each section has a folder of its own with the example rules; addresses of the README stand for those of this run, `…` in
what it shows for anything. Exit 0: nothing in it is untrue.
"""
import argparse
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, f'{HERE}/support', f'{HERE}/drivers']
import run as drivers  # noqa: E402
from first_hour import CASES  # noqa: E402
from stack import ENV, ROOT, Score, Stack, free_port, until  # noqa: E402

# Not run here: they build, or are what runs this.
NOT_RUN = ('./demo', './test', 'cargo ')
# Exit codes other than 0 that a command may have: what it found is not to mend.
FOUND = {'pgpurpose diff': 1, 'pgpurpose replay': 1, 'pgpurpose check rules/ --against': 1}
# The first table's columns: who asks, for what, and about whom.
ASKED = {'support': ('support_app', 'care.support'), 'quality': ('quality', 'care.quality'),
         'marketing': ('marketing_app', 'marketing'), 'a third party': ('partner', 'marketing.partner_offers'),
         'the person': ('portal', 'subject_access')}


def blocks(text):
    """Section, language and text of each code block."""
    for section in re.split(r'^##+ ', text, flags=re.M):
        title = section.split('\n')[0]
        for language, body in re.findall(r'^```(\w*)\n(.*?)^```', section, re.M | re.S):
            yield title, language, body


def commands(block):
    """Each command of a block in one line, comments taken off."""
    for line in block.replace('\\\n', ' ').splitlines():
        command = re.sub(r'(^|\s)#.*', '', line).strip()
        if command:
            yield command


def pattern(shown):
    """What is shown, as a pattern: `…` is anything."""
    return re.escape(shown).replace('…', '.*')


class Reader:
    """Somebody who types what the README says."""

    def __init__(self, stack, binary, folder, score):
        self.stack, self.folder, self.score, self.proxy, self.section = stack, folder, score, None, None
        os.mkdir(f'{folder}/bin')
        os.symlink(binary, f'{folder}/bin/pgpurpose')
        self.port, self.admin = free_port(), free_port()
        self.env = {**ENV, 'PATH': f'{folder}/bin:{os.environ["PATH"]}', 'PGPURPOSE_LOG': 'warn'}

    def enter(self, section):
        """A folder for each section, with the rules that it speaks of."""
        if section == self.section:
            return
        self.leave()
        self.section = section
        self.here = f'{self.folder}/{len(os.listdir(self.folder))}'
        os.mkdir(self.here)
        os.mkdir(f'{self.here}/elsewhere')
        if section.startswith('From an unknown database'):
            os.mkdir(f'{self.here}/rules')
        else:
            shutil.copytree(f'{ROOT}/rules', f'{self.here}/rules')
            shutil.copytree(f'{ROOT}/rules', f'{self.here}/rules.new')
            shutil.copy(f'{ROOT}/rules/customer-care.yaml', f'{self.here}/stricter.yaml')
        with open(f'{self.here}/secret', 'w', encoding='utf8') as file:
            file.write('0123456789abcdef0123456789abcdef')
        if os.path.exists(self.stack.audit):
            shutil.copy(self.stack.audit, f'{self.here}/audit.jsonl')
        if section.startswith(('Start it', 'From', 'The audit')):
            os.remove(f'{self.here}/audit.jsonl')

    def leave(self):
        if self.proxy:
            self.proxy.send_signal(signal.SIGTERM)
            self.proxy.wait(30)
            self.proxy = None

    def here_and_now(self, command):
        """With this run's addresses for the README's."""
        at = f'127.0.0.1:{self.stack.upstream}'
        for written, meant in (
                ('target/release/pgpurpose', 'pgpurpose'), ('postgres://127.0.0.1:5432', f'postgres://{at}'),
                ('postgres://postgres@127.0.0.1/shop', f'postgres://postgres@{at}/chinook'),
                ('postgres://dba@db:5432/shop', f'postgres://postgres@{at}/care'),
                ('127.0.0.1:6432', f'127.0.0.1:{self.port}'), ('port=6432', f'port={self.port}'),
                ('/mnt/elsewhere', f'{self.here}/elsewhere'), ('logs:514', f'127.0.0.1:{free_port()}'),
                ('serve …', f'serve --upstream postgres://{at} --rules rules/ --audit audit.jsonl')):
            command = command.replace(written, meant)
        return command

    def run(self, written, stdin=''):
        """Runs a command; what it printed."""
        if written.startswith(NOT_RUN):
            return ''
        command = self.here_and_now(written)
        if ' serve ' in command:
            return self.serve(written, command)
        if 'audit ' in written:
            self.leave()
        if 'stricter/' in written and not os.path.exists(f'{self.here}/stricter'):
            shutil.copytree(f'{self.here}/rules', f'{self.here}/stricter')
        if written.startswith('pgpurpose test') and not glob.glob(f'{self.here}/rules/*.test.yaml'):
            self.write_a_case()
        follows = '--follow' in command
        done = subprocess.run(['timeout', '2' if follows else '120', 'bash', '-c', command], cwd=self.here, env=self.env,
                              input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        fine = {0, *(code for start, code in FOUND.items() if written.startswith(start))} | ({124} if follows else set())
        said = done.stdout.decode()
        self.score.add(written, done.returncode in fine, f'exit code {done.returncode}: {said[-400:]}')
        return said

    def write_a_case(self):
        """What the reader does by hand."""
        subprocess.run(['pgpurpose', 'catalog', '--against', f'postgres://postgres@127.0.0.1:{self.stack.upstream}/chinook',
                        '--output', f'{self.here}/rules/catalog.json'], env=self.env, check=True, stdout=subprocess.DEVNULL)
        with open(f'{self.here}/rules/shop.test.yaml', 'w', encoding='utf8') as file:
            file.write(CASES)

    def serve(self, written, command):
        self.leave()
        if '--listen' not in command:
            command += f' --listen 127.0.0.1:{self.port}'
        with open(f'{self.here}/said', 'wb') as said:
            self.proxy = subprocess.Popen(f'exec {command}', shell=True, cwd=self.here, env=self.env, stdout=said, stderr=said)
        read = lambda: open(f'{self.here}/said', encoding='utf8').read()  # noqa: E731
        listens = until(lambda: f'listening on 127.0.0.1:{self.port}\n' in read() or self.proxy.poll() is not None)
        self.score.add(written, listens and self.proxy.poll() is None, read()[-400:])
        return read()


def first_table(stack, score, text):
    """One query, one table, five purposes."""
    table = next(body for _, language, body in blocks(text) if 'full_name' in body)
    heads = [(m.start(), m.group().strip()) for m in re.finditer(r'\S+( \S+)*', table.splitlines()[0])]
    ends = [start for start, _ in heads[1:]] + [999]
    rows = [(line.split()[0], [line[start:end].strip() for (start, _), end in zip(heads, ends)]) for line in table.splitlines()[1:]]
    columns = ', '.join(f"coalesce({name}::text, 'NULL')" for name, _ in rows)
    for index, (_, head) in enumerate(heads):
        role, purpose = ASKED[head]
        said = stack.psql(stack.proxy, role, 'care', f"SET pgpurpose.purpose = '{purpose}'; SET pgpurpose.subject = 'care.customers:1'; "
                          f'SELECT {columns} FROM care.customers WHERE customer_id = 1;', '-Atq', '-F', '\n')
        shown = [cells[index] for _, cells in rows]
        if shown[0] == '(no such row)':
            score.add(f'table: {head}', not said.strip() and not any(shown[1:]), said)
        else:
            score.add(f'table: {head}', re.fullmatch('\n'.join(pattern(cell) for cell in shown), said.strip()), f'{shown} {said}')


def refusal(stack, score, body):
    """`=> statement`, and what psql prints."""
    statement, *shown = body.strip().splitlines()
    said = stack.psql(stack.proxy, 'quality', 'care', statement.removeprefix('=> '))
    for line in shown:
        score.add(line, re.search(pattern(line).replace(r'\ ', ' +'), said), said)


def event(stack, score, body):
    """The keys that events have are those that are shown."""
    shown = [json.loads(part) for part in re.split(r'(?<=})\n(?={)', body.strip())]
    tag = "/*purpose='care.support',reason='T-123',actor='agent-17'*/"
    start = stack.audit_size()
    stack.psql(stack.proxy, 'support_app', 'care', f'SELECT email FROM care.customers WHERE customer_id = 7 {tag};')
    until(lambda: any('"completed"' in line for line in stack.records(start)))
    for record in map(json.loads, stack.records(start)):
        for like in shown:
            if record['event'] == like['event']:
                score.add(f'keys of {like["event"]}', set(like) <= set(record), set(like) - set(record))
                score.add(f'form of {like["event"]}', all(type(like[k]) is type(record[k]) or None in (like[k], record[k]) for k in like if k in record), record)


def snippet(stack, score, name, interpreter, program):
    """What an application would have."""
    done = subprocess.run([*interpreter, program.replace('6432', str(stack.proxy))], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**ENV, 'NODE_PATH': f'{drivers.HOME}/node/node_modules'}, timeout=60)
    score.add(name, done.returncode == 0 and not done.stderr, done.stderr)


def first_rules(reader, score, body):
    """The file that is shown is well-formed."""
    name = body.split('\n')[0].removeprefix('# ')
    os.makedirs(f'{reader.folder}/first/{os.path.dirname(name)}', exist_ok=True)
    with open(f'{reader.folder}/first/{name}', 'w', encoding='utf8') as file:
        file.write(body)
    done = subprocess.run(['pgpurpose', 'check', os.path.dirname(name)], cwd=f'{reader.folder}/first', env=reader.env, capture_output=True, text=True)
    score.add(name, done.returncode == 0, done.stdout + done.stderr)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('--bin', required=True)
    os.makedirs(drivers.HOME, exist_ok=True)
    binary, score = os.path.abspath(arguments.parse_args().bin), Score()
    text = open(f'{ROOT}/README.md', encoding='utf8').read()
    with tempfile.TemporaryDirectory(prefix='pgpurpose-readme-') as folder, Stack(binary) as stack:
        reader, waiting = Reader(stack, binary, folder, score), None
        try:
            first_table(stack, score, text)
            for section, language, body in blocks(text):
                reader.enter(section)
                if language == 'sh':
                    for command in commands(body):
                        if command.startswith('psql'):
                            waiting = command       # what it is to do stands in the block behind
                        else:
                            reader.run(command)
                elif language == 'sql' and waiting:
                    said = reader.run(waiting.replace('port=6432', f'port={stack.proxy}'), body)
                    score.add('what psql was told', 'ERROR' not in said, said)
                    waiting = None
                elif 'psycopg.connect(' in body:
                    snippet(stack, score, 'psycopg', [drivers.python(), '-c'], f'import psycopg\n{body}')
                elif 'new Pool(' in body:
                    wrapped = f"const {{ Pool }} = require('pg');\n(async () => {{ {body}; await pool.end(); }})();"
                    snippet(stack, score, 'node-postgres', [drivers.node(), '-e'], wrapped.replace("user:", "database: 'care', user:"))
                elif body.startswith('=> '):
                    refusal(stack, score, body)
                elif language == 'json':
                    event(stack, score, body)
                elif body.startswith('# rules/'):
                    first_rules(reader, score, body)
        finally:
            reader.leave()
    return score.done()


if __name__ == '__main__':
    sys.exit(main())
