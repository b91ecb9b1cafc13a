#!/usr/bin/env python3
"""The audit page in a real browser: headless Chromium, driven by playwright-core.

  run.py --bin target/debug/pgpurpose [--shots DIR]

Installs playwright-core under target/page (npm ci), starts a throwaway PostgreSQL and the proxy with --admin, sends it
statements, some of them hostile, and runs page.test.js, which prints `ok NAME` or `FAIL NAME: why` a line. Exit 0: all
passed. --shots: pictures of every page, light, dark and 390 px wide, to look at.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from stack import ENV, ROOT, Score, Stack  # noqa: E402

HOME = os.path.join(os.environ.get('CARGO_TARGET_DIR', f'{ROOT}/target'), 'page')
SCRIPT = '<script>document.title="taken"</script><img src=x onerror="document.title=1">'

# What people did: role, declarations, statement.
TRAFFIC = [
    ('support_app', {'actor': 'agent-17', 'reason': 'T-1'}, "SELECT full_name, health_note FROM care.customers WHERE email = 'canary-literal@example.net'"),
    ('support_app', {'actor': 'agent-17'}, 'SELECT full_name, email, health_note FROM care.customers WHERE customer_id = 1'),
    ('marketing_app', {'purpose': 'marketing'}, 'SELECT full_name, email FROM care.customers'),
    ('quality', {'purpose': 'care.quality', 'actor': 'canary-actor'}, 'SELECT device_id FROM care.customers'),
    ('support_app', {'purpose': 'marketing'}, 'SELECT email FROM care.customers'),
    ('marketing_app', {'purpose': 'sale'}, 'SELECT email FROM care.customers'),
    ('dba', {'purpose': 'emergency', 'reason': 'INC-77', 'actor': 'night shift'}, 'SELECT full_name FROM care.customers LIMIT 1'),
    ('dba', {'purpose': 'schema_change'}, 'ALTER TABLE care.customers ADD COLUMN nickname text'),
    ('support_app', {}, 'SELECT nickname FROM care.customers LIMIT 1'),
    ('support_app', {'actor': SCRIPT, 'reason': SCRIPT}, f'SELECT email AS "{SCRIPT[:40]}" FROM care.customers LIMIT 1'),
    ('support_app', {'purpose': SCRIPT}, 'SELECT email FROM care.customers'),
    ('support_app', {}, f"SELECT '{SCRIPT}' AS x, 1/0"),
]


def playwright():
    os.makedirs(HOME, exist_ok=True)
    for name in ('package.json', 'package-lock.json'):
        shutil.copy(f'{HERE}/{name}', HOME)
    r = subprocess.run(['npm', 'ci', '--prefix', HOME, '--no-audit', '--no-fund', '--ignore-scripts'],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if r.returncode:
        sys.exit(f'npm ci failed:\n{r.stdout.decode(errors="replace")[-2000:]}')


def chromium():
    for name in ('chromium', 'chromium-browser', 'google-chrome'):
        if shutil.which(name):
            return shutil.which(name)
    sys.exit('no Chromium here: apt-get install chromium')


def send(stack, role, declared, statement):
    quoted = {key: value.replace("'", "''") for key, value in declared.items()}
    sets = ''.join(f"SET pgpurpose.{key} = '{value}';\n" for key, value in quoted.items())
    stack.psql(stack.proxy, role, 'care', sets + statement + ';\n')


def change_rules(stack, rules):
    """Marketing no longer sees addresses, masked or not: what the page shows as a change."""
    before = "- {purposes: [marketing], data_categories: [user.name, user.contact.email], as: {mask: {}}}"
    path = f'{rules}/customer-care.yaml'
    with open(path, encoding='utf8') as file:
        text = file.read()
    assert before in text
    text = text.replace(before, before.replace('user.name, user.contact.email', 'user.name'))
    with open(path, 'w', encoding='utf8') as file:
        file.write(text.replace('revision: "2026-11-24"', 'revision: "2026-11-25"'))
    stack.proxy_process.send_signal(signal.SIGHUP)
    assert stack.has_record('"event":"policy_changed"', 0)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', default='target/debug/pgpurpose')
    a.add_argument('--shots', default='')
    o = a.parse_args()
    playwright()
    score = Score()
    with tempfile.TemporaryDirectory(prefix='pgpurpose-page-') as folder:
        rules, key = f'{folder}/rules', f'{folder}/audit.key'
        shutil.copytree(f'{ROOT}/rules', rules)
        subprocess.run([o.bin, 'audit', 'key', key], check=True, stdout=subprocess.DEVNULL)
        pages(o, score, rules, ['--admin', '127.0.0.1:0', '--audit-key', key, '--audit-checkpoint-records', '10'])
    sys.exit(score.done())


def pages(o, score, rules, flags):
    with Stack(o.bin, rules=rules, more=flags) as stack:
        page = re.search(r'audit page on (http://\S+)/', stack.said).group(1)
        token = re.search(r'audit page token (\S+)', stack.said).group(1)
        change_rules(stack, rules)
        for step in TRAFFIC:
            send(stack, *step)
        env = {**ENV, 'NODE_PATH': f'{HOME}/node_modules', 'PAGE': page, 'TOKEN': token, 'PROXY_PORT': str(stack.proxy),
               'CHROMIUM': chromium(), 'SHOTS': os.path.abspath(o.shots) if o.shots else ''}
        try:
            r = subprocess.run(['node', f'{HERE}/page.test.js'], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=300)
            text, code = r.stdout.decode('utf8', 'replace'), r.returncode
        except subprocess.TimeoutExpired as e:
            text, code = (e.stdout or b'').decode('utf8', 'replace') + '\nTIMEOUT', 1
        for verdict, case, why in re.findall(r'(?m)^(ok|FAIL) ([\w-]+)(?:: (.*))?$', text):
            score.add(f'page/{case}', verdict == 'ok', why)
        ended = re.search(r'(?m)^end$', text)
        score.add('page/ended', ended and code == 0, text[-600:])


if __name__ == '__main__':
    main()
