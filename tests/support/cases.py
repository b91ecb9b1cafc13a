"""Reads case files: a header line `-- case: NAME | key: value | flag`, then SQL up to the next header or `-- =====`; behind
a line `-- as` stands other SQL."""
import re


def read(path):
    cases = []
    current = None
    for line in open(path, encoding='utf8', newline=''):
        header = re.match(r'-- case: (.*?)\s*$', line)
        if header:
            name, *fields = re.split(r' \| (?=[\w-]+(?:: |$| \|))', header.group(1))
            current = {'name': name, 'sql': '', 'must-see': [], 'must-not-see': [], 'audit': [], 'flags': set(), 'as': ''}
            part = 'sql'
            for field in fields:
                key, colon, value = field.partition(': ')
                if not colon:
                    current['flags'].add(key)
                elif key in ('must-see', 'must-not-see', 'audit'):
                    current[key].append(value)
                else:
                    current[key] = value
            cases.append(current)
        elif line.startswith('-- ====='):
            current = None
        elif current is not None and line.rstrip() == '-- as':
            part = 'as'
        elif current is not None:
            current[part] += line
    return cases
