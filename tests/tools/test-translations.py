#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file with words that a person reads is in po/POTFILES, and every word has its translations. usage: test-translations.py TOP"""
import os
import re
import subprocess
import sys

MARKED = re.compile(r'\bN?_ ?\("|\b(?:C_|NC_|ngettext) ?\(|translatable="(?:yes|true)"')
FOLDERS = ('app', 'src', 'ui')


def marked_files(top):
    for folder in FOLDERS:
        for place, _, names in os.walk(os.path.join(top, folder)):
            for name in names:
                path = os.path.join(place, name)
                if name.endswith(('.c', '.cpp', '.h', '.ui')):
                    with open(path, encoding='utf-8') as file:
                        if MARKED.search(file.read()):
                            yield os.path.relpath(path, top)


def main():
    top = sys.argv[1]
    with open(os.path.join(top, 'po', 'POTFILES'), encoding='utf-8') as file:
        listed = {line.strip() for line in file if line.strip() and not line.startswith('#')}
    with open(os.path.join(top, 'po', 'LINGUAS'), encoding='utf-8') as file:
        languages = [word for line in file if not line.startswith('#') for word in line.split()]
    number, failed = 0, 0

    def report(problems, what):
        nonlocal number, failed
        number += 1
        failed += bool(problems)
        for problem in problems:
            print(f'# {problem}')
        print(f'{"not ok" if problems else "ok"} {number} - {what}')

    marked = set(marked_files(top))
    report([] if len(marked) > 50 else [f'only {len(marked)} files are marked'], 'words are found')
    report([f'po/POTFILES lacks {path}' for path in sorted(marked - listed)], 'no file with words is left out')
    report([f'{path} is in po/POTFILES, but is gone' for path in sorted(listed) if not os.path.exists(os.path.join(top, path))], 'all listed files exist')
    for language in languages:
        said = subprocess.run(['msgfmt', '--check', '--statistics', '--output-file=/dev/null', os.path.join(top, 'po', language + '.po')],
                              env={**os.environ, 'LC_ALL': 'C'}, stderr=subprocess.PIPE, check=False, text=True)
        incomplete = said.returncode != 0 or 'untranslated' in said.stderr or 'fuzzy' in said.stderr
        report([said.stderr.strip()] if incomplete else [], f'{language} is complete')
    print(f'1..{number}')
    return failed > 0


sys.exit(main())
