# SPDX-License-Identifier: GPL-3.0-or-later
"""A small test runner that speaks TAP: functions marked with @test run in order, each is one subtest."""
import os
import sys
import traceback

_tests = []


class Skip(Exception):
    """Raised by a test that cannot run here; the reason is printed."""


def test(title):
    def mark(function):
        _tests.append((title, function))
        return function
    return mark


def shared(name):
    """Path below the folder of outside test data, or Skip."""
    path = os.path.join(os.environ.get('MIEN_SHARED', ''), name)
    if 'MIEN_SHARED' not in os.environ or not os.path.exists(path):
        raise Skip(f'{name} is not here (set MIEN_SHARED)')
    return path


def equal(got, want, what=''):
    assert got == want, f'{what}: got {got!r}, want {want!r}'


def main():
    """Runs all tests, or those whose title contains the first argument."""
    chosen = [t for t in _tests if len(sys.argv) < 2 or sys.argv[1] in t[0]]
    failed = 0
    print(f'1..{len(chosen)}', flush=True)
    for number, (title, function) in enumerate(chosen, 1):
        try:
            function()
            print(f'ok {number} - {title}', flush=True)
        except Skip as reason:
            print(f'ok {number} - {title} # SKIP {reason}', flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
            print(f'not ok {number} - {title}', flush=True)
    return 1 if failed else 0
