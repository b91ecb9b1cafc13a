#!/usr/bin/env python3
"""What the program is made of, as a CycloneDX 1.6 list (SBOM) on standard output: each crate that is compiled in,
with its version, licence and the checksum that Cargo.lock holds it to.

    python3 docker/sbom.py > pgpurpose.cdx.json
"""
import json
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def cargo(*words):
    return subprocess.run(['cargo', *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode()


def main():
    host = re.search(r'(?m)^host: (\S+)', subprocess.run(['rustc', '-vV'], check=True, stdout=subprocess.PIPE).stdout.decode())
    platform = ['--locked', '--filter-platform', host.group(1)]
    packages = {(p['name'], p['version']): p for p in json.loads(cargo('metadata', '--format-version', '1', *platform))['packages']}
    # Without what only tests and build scripts need.
    used = sorted(set(re.findall(r'(?m)^(\S+) v(\S+)', cargo('tree', '--locked', '-e', 'normal', '--prefix', 'none'))))
    with open(f'{ROOT}/Cargo.lock', encoding='utf8') as lock:
        sums = {m[:2]: m[2] for m in re.findall(r'name = "(.+)"\nversion = "(.+)"\nsource = .+\nchecksum = "(.+)"', lock.read())}
    components = []
    for key in used:
        name, version = key
        component = {'type': 'library', 'name': name, 'version': version, 'purl': f'pkg:cargo/{name}@{version}',
                     'licenses': [{'expression': packages[key]['license'].replace('/', ' OR ')}]}
        if key in sums:
            component['hashes'] = [{'alg': 'SHA-256', 'content': sums[key]}]
        components.append(component)
    own = next(c for c in components if c['name'] == 'pgpurpose')
    components.remove(own)
    print(json.dumps({'bomFormat': 'CycloneDX', 'specVersion': '1.6', 'version': 1,
                      'metadata': {'component': {**own, 'type': 'application'}}, 'components': components}, indent=1))


if __name__ == '__main__':
    main()
