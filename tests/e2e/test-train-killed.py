#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training that is killed at any moment, or finds the disk full, loses nothing: it goes on to the same file, bit for bit. Speaks TAP.

usage: test-train-killed.py [PART OF A TITLE]; the program is named by MIEN_CLI.
"""
import atexit
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tap import equal, main, test

CLI = os.environ['MIEN_CLI']
WORK = tempfile.mkdtemp(prefix='mien-test-')
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
EPOCHS = 5


def path(name):
    return os.path.join(WORK, name)


def data():
    """Faces with a bright bar at a place of its own for each class, and noise."""
    name = path('bars.csv')
    if os.path.exists(name):
        return name
    rng = random.Random(3)
    with open(name, 'w', encoding='ascii') as file:
        file.write('emotion,pixels,Usage\n')
        for i in range(38 * 7):
            label = i % 7
            pixels = [rng.randrange(90) + (150 if label * 6 + 3 <= y < label * 6 + 9 else 20) for y in range(48) for _ in range(48)]
            file.write(f'{label},{" ".join(map(str, pixels))},{"Training" if i < 32 * 7 else "PublicTest"}\n')
    return name


def command(out, *more):
    return [CLI, 'train', '--data', data(), '--recipe', 'nano', '--epochs', str(EPOCHS), '--batch', '16', '--threads', '2', '--out', path(out), *more]


def run(out, *more, **options):
    return subprocess.run(command(out, *more), capture_output=True, text=True, timeout=300, check=False, **options)


def content(name):
    with open(path(name), 'rb') as file:
        return file.read()


def whole():
    """What an unbroken run gives: the model, and the log without times."""
    if not os.path.exists(path('whole.onnx')):
        got = run('whole.onnx')
        equal(got.returncode, 0, got.stderr)
    return content('whole.onnx'), log('whole.log.jsonl')


def log(name):
    lines = [json.loads(line) for line in content(name).decode().splitlines()]
    return [{key: value for key, value in line.items() if key not in ('seconds', 'images_per_s')} for line in lines]


def resume_to_the_end(out):
    got = run(out, '--resume') if os.path.exists(path(out.replace('.onnx', '.ckpt'))) else run(out)
    equal(got.returncode, 0, got.stderr)
    model, lines = whole()
    equal(log(out.replace('.onnx', '.log.jsonl')), lines, 'log')
    equal(content(out) == model, True, 'the model is the same')


@test('killed at any moment, a run goes on to the same file')
def _():
    start = time.monotonic()
    whole()
    length = time.monotonic() - start
    rng = random.Random(time.time_ns())
    for share in (0.3, 0.5, 0.7, 0.85, rng.random()):
        for leftover in os.listdir(WORK):
            if leftover.startswith('killed'):
                os.unlink(path(leftover))
        process = subprocess.Popen(command('killed.onnx'), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(share * length)
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f'# killed at {share:.3f} of {length:.2f} s', flush=True)
        resume_to_the_end('killed.onnx')


@test('killed again and again, each time after another epoch')
def _():
    whole()
    for round_number in range(3):
        more = ['--resume'] if round_number else []
        process = subprocess.Popen(command('again.onnx', *more), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    resume_to_the_end('again.onnx')


@test('a log with a torn last line is put right')
def _():
    whole()
    process = subprocess.Popen(command('torn.onnx'), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with open(path('torn.log.jsonl'), 'a', encoding='ascii') as file:
        file.write('{"epoch":9,"train_lo')
    resume_to_the_end('torn.onnx')


def limit_files(n_bytes):
    """As if the disk were full: nothing can be written beyond this size."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    return limit


@test('a full disk: one sentence, and the last good checkpoint and model are whole')
def _():
    whole()
    process = subprocess.Popen(command('full.onnx'), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    model, checkpoint = content('full.onnx'), content('full.ckpt')
    # room for the log alone, and for the log and the model
    for room in (20_000, len(model) + 20_000):
        assert room < len(checkpoint), (room, len(checkpoint))
        got = run('full.onnx', '--resume', preexec_fn=limit_files(room))
        equal(got.returncode, 1, got.stderr)
        equal(len(got.stderr.strip().split('\n')), 1, got.stderr)
        assert 'full.' in got.stderr, got.stderr
        equal(content('full.ckpt') == checkpoint, True, 'the checkpoint is untouched')
        equal(subprocess.run([CLI, 'info', path('full.onnx')], stdout=subprocess.DEVNULL, check=False).returncode, 0, 'the model opens')
    resume_to_the_end('full.onnx')


@test('data that have gone: one sentence, and nothing is lost')
def _():
    whole()
    process = subprocess.Popen(command('gone.onnx'), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    checkpoint = content('gone.ckpt')
    os.rename(path('bars.csv'), path('elsewhere.csv'))
    try:
        got = subprocess.run([CLI, 'train', '--data', path('bars.csv'), '--recipe', 'nano', '--out', path('gone.onnx'), '--resume'],
                             capture_output=True, text=True, timeout=60, check=False)
    finally:
        os.rename(path('elsewhere.csv'), path('bars.csv'))
    equal(got.returncode, 1)
    equal(len(got.stderr.strip().split('\n')), 1, got.stderr)
    assert 'bars.csv' in got.stderr, got.stderr
    equal(content('gone.ckpt') == checkpoint, True, 'the checkpoint is untouched')
    resume_to_the_end('gone.onnx')


@test('without resuming, an older run in the same place is not mixed in')
def _():
    model, lines = whole()
    equal(run('whole.onnx').returncode, 0)
    equal(content('whole.onnx') == model, True, 'the model is the same')
    equal(log('whole.log.jsonl'), lines, 'log')


if __name__ == '__main__':
    sys.exit(main())
