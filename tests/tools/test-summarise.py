#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/summarise counts: written by hand, one log of every kind of test. Speaks TAP."""
import json
import os
import subprocess
import sys
import tempfile

SUMMARISE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'summarise')


def test(name, result, stdout='', returncode=0):
    return {'name': f'mien / {name}', 'result': result, 'stdout': stdout, 'returncode': returncode}


CASES = [
    ('subtests are counted one by one',
     [test('a', 'OK', 'TAP version 13\n# random seed: R02S\n1..3\nok 1 /a/b\nok 2 /a/c # SKIP no camera\nok 3 /a/d\n')],
     0, '2 passed, 0 failed, 1 skipped', 0, ['a /a/c: no camera']),
    ('a failed subtest fails', [test('a', 'FAIL', '1..2\nok 1 /x\nnot ok 2 /y\n', 1)], 1, '1 passed, 1 failed, 0 skipped', 1, ['a /y']),
    ('a crash is a failure of its own', [test('a', 'ERROR', '1..3\nok 1 /x\n', -11)], 1, '1 passed, 1 failed, 0 skipped', 1, ['exit status -11']),
    ('a crash without a word counts', [test('a', 'FAIL', '', -6)], 1, '0 passed, 1 failed, 0 skipped', 1, ['a']),
    ('so does a time-out after a failure', [test('a', 'TIMEOUT', '1..3\nnot ok 1 /x\n', -15)], 1, '0 passed, 2 failed, 0 skipped', 1, ['TIMEOUT']),
    ('a whole program can be skipped', [test('a', 'SKIP', '1..0 # SKIP no display\n'), test('b', 'OK', 'fine\n')],
     0, '1 passed, 0 failed, 1 skipped', 0, ['a: no display']),
    ('a program without TAP counts once', [test('a', 'OK', 'hello\n'), test('b', 'FAIL', 'bad\n', 1)], 1, '1 passed, 1 failed, 0 skipped', 1, ['b: FAIL']),
    ('an expected failure is no failure', [test('a', 'OK', '1..2\nnot ok 1 later # TODO not yet\nok 2 b\n')],
     0, '1 passed, 0 failed, 1 skipped', 0, ['a later: not yet']),
    ('nothing at all is not a success', [], 0, '0 passed, 0 failed, 0 skipped', 1, []),
    ('meson\'s own failure counts', [test('a', 'OK', 'fine\n')], 2, '1 passed, 1 failed, 0 skipped', 1, ['status 2']),
]


def main():
    failed = 0
    print(f'1..{len(CASES)}')
    for number, (title, tests, status, want, want_exit, mentions) in enumerate(CASES, 1):
        with tempfile.NamedTemporaryFile('w', suffix='.json') as log:
            log.writelines(json.dumps(entry) + '\n' for entry in tests)
            log.flush()
            got = subprocess.run([sys.executable, SUMMARISE, log.name, str(status)], capture_output=True, text=True)
        last = got.stdout.strip().split('\n')[-1]
        good = last == want and got.returncode == want_exit and all(text in got.stdout for text in mentions)
        if not good:
            failed += 1
            print('# ' + got.stdout.replace('\n', '\n# ') + got.stderr)
        print(f'{"ok" if good else "not ok"} {number} - {title}')
    return 1 if failed else 0


sys.exit(main())
