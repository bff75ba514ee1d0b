#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""mien-cli from outside: every command with good and bad input, exit statuses, sentences, files. Speaks TAP.

usage: test-cli.py [PART OF A TITLE]; the programs are named by MIEN_CLI and MIEN_MAKE_DEMO.
"""
import atexit
import csv
import io
import json
import math
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

from tap import Skip, equal, main, shared, test

CLI = os.environ['MIEN_CLI']
MAKE_DEMO = os.environ['MIEN_MAKE_DEMO']
WORK = tempfile.mkdtemp(prefix='mien-test-')
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
COMMANDS = ('analyze', 'evaluate', 'train', 'run', 'bench', 'convert', 'info')
LABELS = ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral']
HOLD_MS, MORPH_MS = 2200, 600  # the demo camera's rhythm


def cli(*args, env=None, timeout=120, **more):
    """Runs mien-cli; stderr of a failure must be short, and a signal is never an answer."""
    got = subprocess.run([CLI, *args], capture_output=True, timeout=timeout, env={**os.environ, **(env or {})}, check=False, **more)
    got.out, got.err = got.stdout.decode(), got.stderr.decode()
    assert got.returncode in (0, 1, 2), f'exit status {got.returncode}: {got.err}'
    return got


def fails(status, *args, says=(), **more):
    """The command fails with this status and exactly one sentence that mentions the given words."""
    got = cli(*args, **more)
    equal(got.returncode, status, f'exit status of {args}, which said {got.err!r}')
    lines = got.err.strip().split('\n')
    equal(len(lines), 1, f'lines on stderr: {got.err!r}')
    for word in (says,) if isinstance(says, str) else says:
        assert word in lines[0], f'{word!r} is not in {lines[0]!r}'
    return got


def works(*args, **more):
    got = cli(*args, **more)
    equal(got.returncode, 0, f'exit status of {args}, which said {got.err!r}')
    return got


def path(name):
    return os.path.join(WORK, name)


def write(name, content):
    with open(path(name), 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path(name)


def write_npy(name, shape, values, descr='<f4', code='f'):
    """A NumPy file, version 1.0, without NumPy."""
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    head += ' ' * (-(len(head) + 11) % 64) + '\n'
    return write(name, b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack(f'<{len(values)}{code}', *values))


def read_npy(name):
    with open(name, 'rb') as file:
        content = file.read()
    equal(content[:8], b'\x93NUMPY\x01\x00', 'head of the file')
    size = struct.unpack('<H', content[8:10])[0]
    head = eval(content[10:10 + size], {'__builtins__': {}})  # pylint: disable=eval-used
    return head['shape'], struct.unpack(f'<{(len(content) - 10 - size) // 4}f', content[10 + size:])


def demo_picture(label, name=None):
    """A frame of the demo camera in the middle of an expression, and the face's box."""
    name = name or f'demo-{label}.png'
    for i in range(7):
        time_ms = i * (HOLD_MS + MORPH_MS) + HOLD_MS // 2
        line = subprocess.run([MAKE_DEMO, 'picture', str(time_ms), path(name)], capture_output=True, text=True, check=True).stdout.split()
        if line[0] == label:
            return path(name), [int(word) for word in line[1:]]
    raise AssertionError(f'the demo camera never looks {label}')


def need_model():
    got = cli('info')
    if got.returncode != 0:
        raise Skip('the program\'s own model is not built in yet')


def small_csv(name='small.csv', per_class=(16, 6)):
    """Faces that anybody can learn: a bright bar at a place of its own for each class, with noise."""
    rng = random.Random(7)
    lines = ['emotion,pixels,Usage']
    for usage, count in zip(('Training', 'PublicTest'), per_class):
        for i in range(count * 7):
            label = i % 7
            pixels = [min(255, rng.randrange(60) + (180 if label * 6 + 3 <= y < label * 6 + 9 else 40)) for y in range(48) for _ in range(48)]
            lines.append(f'{label},{" ".join(map(str, pixels))},{usage}')
    return write(name, '\n'.join(lines) + '\n')


def intersection_over_union(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def check_result(line, file):
    """One line of analyze, against the documented form."""
    result = json.loads(line)
    equal(sorted(result), sorted(['file', 'time_ms', 'width', 'height', 'faces']), 'keys')
    equal(result['file'], file, 'file')
    for face in result['faces']:
        equal(sorted(face), sorted(['track', 'box', 'label', 'confidence', 'probabilities']), 'keys of a face')
        equal(len(face['box']), 4, 'numbers of a box')
        equal(list(face['probabilities']), LABELS, 'labels')
        assert abs(sum(face['probabilities'].values()) - 1) < 1e-3, face
        equal(face['probabilities'][face['label']], max(face['probabilities'].values()), 'largest probability')
        assert abs(face['confidence'] - face['probabilities'][face['label']]) < 1e-3, face
    return result


# Usage

@test('without a command: help on stderr, status 2')
def _():
    got = cli()
    equal(got.returncode, 2)
    equal(got.out, '')
    assert 'Usage: mien-cli' in got.err


@test('--help lists every command')
def _():
    got = works('--help')
    for command in COMMANDS:
        assert f'  {command} ' in got.out, command
    equal(got.err, '')


@test('--version is one line')
def _():
    got = works('--version')
    words = got.out.split()
    equal(len(words), 2)
    equal(words[0], 'mien-cli')
    assert words[1][0].isdigit()


@test('an unknown command is named')
def _():
    fails(2, 'analyse', says='“analyse”')


@test('every command has its --help')
def _():
    for command in COMMANDS:
        got = works(command, '--help')
        assert got.out.startswith(f'Usage: mien-cli {command} '), got.out
        equal(got.err, '')


@test('an unknown option is wrong usage in every command')
def _():
    for command in COMMANDS:
        fails(2, command, '--no-such-thing', says=[command, '--no-such-thing', '--help'])


@test('missing arguments are wrong usage')
def _():
    fails(2, 'analyze', says='picture or video')
    fails(2, 'evaluate', says='--data')
    fails(2, 'train', says='--data')
    fails(2, 'train', '--data', 'x', says='--out')
    fails(2, 'train', '--data', 'x', '--out', 'y', says='--recipe')
    fails(2, 'run', says='model')


@test('values outside their range are wrong usage')
def _():
    fails(2, 'analyze', '--format', 'xml', 'x.png', says=['--format', 'xml', 'json, csv'])
    fails(2, 'analyze', '--detector', 'magic', 'x.png', says='--detector')
    fails(2, 'evaluate', '--data', 'x', '--views', '3', says='--views')
    fails(2, 'evaluate', '--data', 'x', '--split', 'secret', says='--split')
    fails(2, 'evaluate', '--data', 'x', '--cpu', 'z80', says='--cpu')
    fails(2, 'train', '--data', 'x', '--out', 'y', '--recipe', 'cake', says='“cake”')
    fails(2, 'train', '--data', 'x', '--out', 'y', '--arch', 'gothic', says=['“gothic”', 'simple3'])
    fails(2, 'train', '--data', 'x', '--out', 'y', '--recipe', 'nano', '--set', 'dropout=2', says=['dropout', '0.95', '“2”'])
    fails(2, 'train', '--data', 'x', '--out', 'y', '--recipe', 'nano', '--set', 'taste=2', says=['“taste”', 'dropout'])
    fails(2, 'bench', '--batch', '0', says='--batch')
    fails(2, 'bench', '--threads', 'many', says='threads')
    fails(2, 'bench', 'x', says='“x”')


# Analyze

@test('a missing picture is named')
def _():
    need_model()
    fails(1, 'analyze', path('nobody.png'), says='nobody.png')


@test('a missing model is named')
def _():
    fails(1, 'analyze', '--model', path('none.onnx'), path('x.png'), says='none.onnx')
    fails(1, 'info', path('none.onnx'), says='none.onnx')
    fails(1, 'bench', '--model', path('none.onnx'), says='none.onnx')


@test('a model that is none is named')
def _():
    write('text.onnx', 'This is no model.\n' * 10)
    fails(1, 'analyze', '--model', path('text.onnx'), path('x.png'), says='text.onnx')
    fails(1, 'info', path('text.onnx'), says='text.onnx')
    fails(1, 'run', path('text.onnx'), says='text.onnx')


@test('the demo face is found where it is and read right')
def _():
    need_model()
    right = 0
    for label in LABELS:
        picture, box = demo_picture(label)
        result = check_result(works('analyze', picture).out, picture)
        equal((result['width'], result['height'], result['time_ms']), (640, 480, 0))
        equal(len(result['faces']), 1, f'faces in the demo frame that looks {label}')
        assert intersection_over_union(result['faces'][0]['box'], box) > 0.5, (result['faces'][0]['box'], box)
        right += result['faces'][0]['label'] == label
    assert right >= 6, f'{right} of 7 averages read right'


@test('a photo with several faces: numbered from left to right')
def _():
    need_model()
    photo = shared('photos/00_bbt1.png')
    result = check_result(works('analyze', photo).out, photo)
    assert len(result['faces']) >= 2, len(result['faces'])
    equal([face['track'] for face in result['faces']], list(range(1, len(result['faces']) + 1)), 'numbers')
    lefts = [face['box'][0] for face in result['faces']]
    equal(lefts, sorted(lefts), 'left edges')


@test('a bad file among good ones: the others are still read, status 1')
def _():
    need_model()
    good, _ = demo_picture('happy')
    bad = write('broken.png', b'\x89PNG\r\n\x1a\nand then nothing of sense')
    got = fails(1, 'analyze', good, bad, good, says='broken.png')
    lines = got.out.strip().split('\n')
    equal(len(lines), 2, 'lines on stdout')
    for line in lines:
        check_result(line, good)


@test('file names with spaces, quotes, umlauts and line breaks')
def _():
    need_model()
    good, _ = demo_picture('happy')
    for name in ('two words.png', 'größe.png', 'a "quoted" one.png', 'line\nbreak.png', '-dash.png'):
        shutil.copy(good, path(name))
        got = works('analyze', '--', name, cwd=WORK)
        equal(len(got.out.strip().split('\n')), 1, 'lines on stdout')
        check_result(got.out, name)


@test('CSV has one line a face and a fixed head')
def _():
    need_model()
    good, _ = demo_picture('happy')
    rows = list(csv.DictReader(io.StringIO(works('analyze', '--format', 'csv', good, good).out)))
    equal(len(rows), 2, 'rows')
    equal(list(rows[0]), ['file', 'time_ms', 'track', 'x', 'y', 'width', 'height', 'label', 'confidence', *LABELS], 'columns')
    equal(rows[0]['file'], good)
    assert abs(sum(float(rows[0][label]) for label in LABELS) - 1) < 1e-2, rows[0]


@test('every frame of a video, in order, one track')
def _():
    need_model()
    video = path('demo.avi')
    made = subprocess.run([MAKE_DEMO, 'video', '0', '60', '5', video], capture_output=True, text=True, check=True).stdout.split('\n')
    truth = [line.split()[0] for line in made if line]
    results = [check_result(line, video) for line in works('analyze', video).out.strip().split('\n')]
    equal(len(results), 60, 'frames')
    equal([round(result['time_ms']) for result in results], [i * 200 for i in range(60)], 'times')
    with_face = [result for result in results if result['faces']]
    assert len(with_face) >= 56, len(with_face)
    equal({face['track'] for result in with_face for face in result['faces']}, {1}, 'tracks')
    known = [(result['faces'][0]['label'], want) for result, want in zip(results, truth) if want != '-' and result['faces']]
    assert sum(got == want for got, want in known) >= 0.8 * len(known), known


@test('a real video: every frame at its time, the face where it is')
def _():
    need_model()
    video = shared('video/head-pose-face-detection-male.webm')
    with open(shared('video/head-pose-face-detection-male.json'), encoding='utf-8') as file:
        truth = json.load(file)['frames']
    results = [check_result(line, video) for line in works('analyze', video, timeout=300).out.strip().split('\n')]
    equal([round(result['time_ms']) for result in results], [frame['time_ms'] for frame in truth], 'times')
    found = []
    for result, frame in zip(results, truth):
        found += [any(intersection_over_union(face['box'], want['box']) > 0.3 for face in result['faces']) for want in frame['faces'] if want['clear']]
    assert len(found) > 20 and sum(found) >= 0.9 * len(found), f'{sum(found)} of {len(found)} faces found'


@test('a video that is no video, a cut one, an empty one')
def _():
    need_model()
    fails(1, 'analyze', write('text.mp4', 'no video at all\n' * 100), says='text.mp4')
    fails(1, 'analyze', write('empty.webm', b''), says='empty.webm')
    if os.path.exists(path('demo.avi')):
        with open(path('demo.avi'), 'rb') as file:
            write('cut.avi', file.read(3000))
        got = cli('analyze', path('cut.avi'))
        assert got.returncode in (0, 1) and len(got.err.strip().split('\n')) == 1, got.err


@test('odd pictures: no crash, one sentence for what is refused')
def _():
    need_model()
    folder = shared('odd')
    with open(os.path.join(folder, 'index.tsv'), encoding='utf-8') as file:
        rows = [row for row in csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE)
                if row['file'].split('/')[0] in ('jpeg', 'png', 'gif', 'bmp', 'webp', 'tiff', 'other')]
    chosen = random.Random(3).sample(rows, 30)
    wrong = []
    for row in chosen:
        got = cli('analyze', os.path.join(folder, row['file']), timeout=60)
        if row['expect'] == 'refuse' and (got.returncode != 1 or len(got.err.strip().split('\n')) != 1):
            wrong.append((row['file'], row['expect'], got.returncode, got.err))
        if row['expect'] == 'open' and got.returncode != 0:
            wrong.append((row['file'], row['expect'], got.returncode, got.err))
    equal(wrong, [], 'files')


# Train, evaluate, info, bench, run

@test('a training run leaves a model, a log and what resuming needs')
def _():
    data = small_csv()
    recipe = first_recipe()
    got = works('train', '--data', data, '--recipe', recipe, '--epochs', '2', '--batch', '16', '--seed', '1', '--out', path('small.onnx'), timeout=300)
    epochs = [json.loads(line) for line in got.out.strip().split('\n')]
    equal([epoch['epoch'] for epoch in epochs], [1, 2], 'epochs')
    for epoch in epochs:
        assert 0 < epoch['train_loss'] < 10 and 0 <= epoch['val_accuracy'] <= 1, epoch
    equal('%' in got.err, True, 'closing sentence')
    with open(path('small.log.jsonl'), encoding='utf-8') as log:
        equal([json.loads(line)['epoch'] for line in log], [1, 2], 'epochs in the log')
    assert os.path.getsize(path('small.onnx')) > 1000
    card = works('info', '--format', 'text', path('small.onnx')).out.split('model card\n')[1].split('\n\n')[0]
    for words in (f'recipe       {recipe} seed 1\n', 'epochs=2 batch=16 seed=1', '112 training, 42 public', 'accuracy     1 view: ', 'accuracy     2 views: ',
                  'without twins', 'recall       angry ', 'multiply-adds', 'temperature '):
        assert words in card, (words, card)


@test('train --list names architectures and recipes with what they cost')
def _():
    archs, recipes, settings = works('train', '--list').out.strip().split('\n\n')
    costs = {line.split()[0]: [int(word) for word in line.split()[1:3]] for line in archs.split('\n')[1:]}
    for name, most in (('nano', 5e6), ('small', 40e6), ('best', 300e6), ('simple3', 1e9)):
        assert 0 < costs[name][0] <= most and costs[name][1] > 1000, (name, costs)
        assert any(line.split()[:2] == [name, name] for line in recipes.split('\n')), recipes
        assert any(line.startswith(f'{name} ') and 'weight-decay=' in line for line in settings.split('\n')), settings


def first_recipe():
    for line in works('train', '--help').out.split('Recipes:\n')[1].split('\n'):
        return line.split()[0]
    raise AssertionError('no recipe')


@test('Ctrl+C keeps the best model so far, and resuming ends where an unbroken run does')
def _():
    options = ['train', '--data', small_csv(), '--recipe', first_recipe(), '--epochs', '4', '--batch', '16', '--seed', '1', '--threads', '1', '--out']
    whole = works(*options, path('whole.onnx'), timeout=300).out.strip().split('\n')
    run = subprocess.Popen([CLI, *options, path('broken-off.onnx')], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = run.stdout.readline()
    run.send_signal(signal.SIGINT)
    rest, err = run.communicate(timeout=60)
    equal(run.returncode, 0, f'exit status, it said {err!r}')
    works('info', path('broken-off.onnx'))
    before = [first.strip(), *rest.split('\n')[:-1]]
    assert len(before) < 4, 'the training ended before it was stopped'

    after = works(*options, path('broken-off.onnx'), '--resume', timeout=300).out.strip().split('\n')
    equal([without_times(line) for line in before + after], [without_times(line) for line in whole], 'epochs')


def without_times(line):
    return {key: value for key, value in json.loads(line).items() if key not in ('seconds', 'images_per_s')}


@test('data that are no data are named, with the line')
def _():
    recipe = first_recipe()
    for command in (['train', '--recipe', recipe, '--out', path('never.onnx')], ['evaluate']):
        if command[0] == 'evaluate':
            need_model()
        fails(1, *command, '--data', path('nowhere.csv'), says='nowhere.csv')
        write('broken.csv', 'emotion,pixels,Usage\n3,' + ' '.join(['7'] * 2304) + ',Training\n3,1 2 3,Training\n')
        got = cli(*command, '--data', path('broken.csv'))
        equal(got.returncode, 1)
        assert 'broken.csv' in got.err and ('line 3' in got.err or ':3' in got.err), got.err
    assert not os.path.exists(path('never.onnx'))


@test('evaluate: counts and scores agree with each other')
def _():
    need_model()
    data = small_csv()
    for views in ('1', '2', '10'):
        got = json.loads(works('evaluate', '--data', data, '--views', views).out)
        equal(got['n'], 42, 'n')
        equal(got['labels'], LABELS, 'labels')
        equal([sum(row) for row in got['confusion']], [6] * 7, 'rows of the confusion table')
        assert abs(got['accuracy'] - sum(got['confusion'][i][i] for i in range(7)) / 42) < 1e-5, got
        equal(got['n_without_twins'], 42, 'pictures without twins')
        assert got['accuracy_low'] < got['accuracy'] < got['accuracy_high'] and got['images_per_s'] > 0 and got['log_loss'] > 0, got
        check_scores(got)


def check_scores(got):
    """The scores once more, from the confusion table, by the textbook's formulas."""
    table, n = got['confusion'], got['n']
    truths, answers = [sum(row) for row in table], [sum(column) for column in zip(*table)]
    right = [table[i][i] for i in range(7)]
    share, z = sum(right) / n, 1.959964
    middle, reach = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    f1 = [2 * r / (t + a) if t + a else None for r, t, a in zip(right, truths, answers)]
    wanted = {
        'accuracy': share,
        'accuracy_low': (middle - reach) / (1 + z * z / n),
        'accuracy_high': (middle + reach) / (1 + z * z / n),
        'macro_f1': sum(score for score in f1 if score is not None) / sum(score is not None for score in f1),
        'precision': [r / a if a else 0 for r, a in zip(right, answers)],
        'recall': [r / t if t else 0 for r, t in zip(right, truths)],
        'f1': [score or 0 for score in f1],
    }
    for key, want in wanted.items():
        pairs = zip(got[key], want) if isinstance(want, list) else [(got[key], want)]
        assert all(abs(a - b) < 2e-5 for a, b in pairs), (key, got[key], want)
    equal(got['ece_bins'], 15)
    for key in ('accuracy', 'accuracy_low', 'accuracy_high', 'macro_f1', 'log_loss', 'ece'):
        equal(got[key + '_without_twins'], got[key], f'{key} without twins, of which there are none')
    equal(got['n_mistakes'], n - sum(right), 'mistakes')
    equal(len(got['mistakes']), min(10, got['n_mistakes']), 'mistakes listed')
    sure = [mistake['confidence'] for mistake in got['mistakes']]
    equal(sure, sorted(sure, reverse=True), 'order of the mistakes')
    for mistake in got['mistakes']:
        equal(mistake['file'], None)
        equal(mistake['label'], LABELS[mistake['index'] % 7], 'label of a mistake')
        assert mistake['answer'] != mistake['label'] and 1 / 7 < mistake['confidence'] <= 1, mistake


@test('evaluate --mistakes: as many as asked for, by file where there are files')
def _():
    need_model()
    equal(json.loads(works('evaluate', '--data', small_csv(), '--mistakes', '0').out)['mistakes'], [])
    fails(2, 'evaluate', '--data', 'x', '--mistakes', '-1', says='--mistakes')
    for label in LABELS:
        os.makedirs(path(f'faces/test/{label}'), exist_ok=True)
        shutil.copy(demo_picture('happy')[0], path(f'faces/test/{label}/a face.png'))
    write('faces/test/sad/notes.txt', 'no picture')
    ran = works('evaluate', '--data', path('faces'), '--mistakes', '100')
    equal(ran.err, 'mien-cli: 1 file is no JPEG, PNG or BMP picture: test/sad/notes.txt\n')
    got = json.loads(ran.out)
    equal((got['n'], got['n_mistakes'], len(got['mistakes'])), (7, 6, 6))
    answer = got['mistakes'][0]['answer']
    equal(sorted(mistake['file'] for mistake in got['mistakes']), sorted(f'{label}/a face.png' for label in LABELS if label != answer))
    assert 'n_without_twins' not in got, 'there is no training split'
    text = works('evaluate', '--data', path('faces'), '--format', 'text', '--mistakes', '2', '--views', '10').out
    assert 'most confident of 6 mistakes' in text and '/a face.png' in text and '15 bins' in text and 'four corners' in text, text


@test('private pictures are for evaluate alone: the trainer does not even read them')
def _():
    need_model()
    with open(small_csv(), encoding='utf-8') as file:
        rows = file.read()
    data = write('private.csv', rows + '3,no pixels,PrivateTest\n')
    works('train', '--data', data, '--recipe', first_recipe(), '--epochs', '1', '--batch', '16', '--out', path('private.onnx'), timeout=300)
    fails(2, 'train', '--data', data, '--recipe', first_recipe(), '--out', path('private.onnx'), '--split', 'private', says='--split')
    fails(1, 'evaluate', '--data', data, '--split', 'private', says=['private.csv', 'line 156'])
    private = write('private.csv', rows.replace('PublicTest', 'PrivateTest'))
    equal(json.loads(works('evaluate', '--data', private, '--split', 'private').out)['n'], 42)
    fails(1, 'train', '--data', private, '--recipe', first_recipe(), '--batch', '16', '--out', path('private.onnx'), says='public')


@test('evaluate: twins of training pictures are taken out of the second score')
def _():
    need_model()
    with open(small_csv(), encoding='utf-8') as file:
        lines = file.read().split('\n')
    twin = next(line for line in lines if line.endswith('PublicTest'))
    data = write('twins.csv', '\n'.join([*lines[:-1], twin.replace('PublicTest', 'Training')]) + '\n')
    equal(json.loads(works('evaluate', '--data', data).out)['n_without_twins'], 41)


@test('evaluate: a split that is not there is named')
def _():
    need_model()
    fails(1, 'evaluate', '--data', small_csv(), '--split', 'private', says='private')


@test('evaluate --format text is for people')
def _():
    need_model()
    got = works('evaluate', '--data', small_csv(), '--format', 'text')
    assert 'accuracy' in got.out and 'happy' in got.out and '%' in got.out


@test('info: sums of the layers, labels, metadata')
def _():
    need_model()
    got = json.loads(works('info').out)
    equal(got['labels'], LABELS, 'labels')
    equal(sum(layer['params'] for layer in got['layers']), got['params'], 'parameters')
    equal(sum(layer['macs'] for layer in got['layers']), got['macs'], 'multiply-adds')
    assert got['params'] > 0 and got['macs'] > got['params'] and 'mien.labels' in got['metadata'], got
    assert 'parameters' in works('info', '--format', 'text').out


@test('bench: numbers that can be')
def _():
    need_model()
    got = json.loads(works('bench', '--seconds', '0.2', '--batch', '2').out)
    assert 0 < got['min_us'] <= got['median_us'] <= got['p99_us'], got
    assert 0 < got['open_ms'] < 60000, got
    assert abs(got['images_per_s'] - 2e6 / got['median_us']) < 0.01 * got['images_per_s'], got
    equal((got['batch'], got['threads']), (2, 1))
    # The shipped network was measured to answer the same with bfloat16; whoever has none, and other people's networks, take f32.
    equal(got['precision'], 'bf16' if got['cpu'] in ('avx2', 'avx512', 'bf16', 'amx') else 'f32')
    low = json.loads(works('bench', '--seconds', '0.1', '--cpu', 'c').out)
    equal((low['cpu'], low['precision']), ('c', 'f32'))
    equal(json.loads(works('bench', '--seconds', '0.1', '--precision', 'f32').out)['precision'], 'f32')
    equal(json.loads(works('bench', '--seconds', '0.1', '--model', shared('odd/models/good-tiny.onnx')).out)['precision'], 'f32')


@test('run: known outputs of a known model')
def _():
    model = shared('odd/models/good-tiny.onnx')
    shape = input_shape(model)
    count = math.prod(shape)
    half = write_npy('half.npy', shape, [0.5] * count)
    got = json.loads(works('run', model, half).out)
    for value, want in zip(got['outputs'][0]['values'], (0.110, 0.211, 0.069)):
        assert abs(value - want) < 6e-4, got
    equal(works('run', model, write_npy('half64.npy', shape, [0.5] * count, '<f8', 'd')).out, json.dumps(got, separators=(',', ':')) + '\n')
    works('run', model, half, '-o', path('out.npy'))
    out_shape, values = read_npy(path('out.npy'))
    equal(list(out_shape), got['outputs'][0]['shape'], 'shape')
    assert all(abs(a - b) < 1e-6 for a, b in zip(values, got['outputs'][0]['values'])), values


def input_shape(model):
    """From the sentence about a wrong shape: the program says what it wants."""
    got = fails(1, 'run', model, write_npy('one.npy', [1], [0.5]), says='one.npy')
    words = got.err.split(' is ')[1].split(',')[0]
    return [int(word) if word.isdigit() else 1 for word in words.split('x')]


@test('run: wrong inputs are named')
def _():
    model = shared('odd/models/good-tiny.onnx')
    fails(1, 'run', model, says='1 input')
    fails(1, 'run', model, path('nothing.npy'), says='nothing.npy')
    fails(1, 'run', model, write('text.npy', 'no numbers'), says='text.npy')
    fails(1, 'run', model, write_npy('short.npy', [2, 3], [0.0] * 6), says=['short.npy', '2x3'])


@test('run: a network by others gives what it should')
def _():
    folder = shared('models/yunet-2023mar')
    model = next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith('.onnx'))
    works('run', model, os.path.join(folder, 'input.npy'), '-o', path('yunet.npy'))
    wanted = [read_npy_any(os.path.join(folder, name)) for name in os.listdir(folder) if name.startswith('expected')]
    _, first = read_npy(path('yunet.npy'))
    assert any(len(first) == len(values) and max(abs(a - b) for a, b in zip(first, values)) < 1e-3 for values in wanted)


def read_npy_any(name):
    return read_npy(name)[1]


@test('convert: a Keras model answers as it did, from one file and from two')
def _():
    for folder, files in (('models/oarriaga-mini-xception-119', ['fer2013_mini_XCEPTION.119-0.65.hdf5']),
                          ('models/akipekoren-weights-and-json', ['fer.json', 'fer.h5'])):
        files = [os.path.join(shared(folder), name) for name in files]
        got = works('convert', *files, path('keras.onnx'))
        equal((json.loads(got.out)['labels'], json.loads(got.out)['guessed']), (LABELS, True))
        assert '--labels' in got.err, got.err
        works('run', path('keras.onnx'), os.path.join(shared(folder), 'input.npy'), '-o', path('keras.npy'))
        shape, values = read_npy(path('keras.npy'))
        wanted = read_npy_any(os.path.join(shared(folder), 'expected.npy'))
        equal(shape, (32, 7))
        assert max(abs(a - b) for a, b in zip(values, wanted)) < 1e-5


@test('convert: what a file does not say can be set, and is checked')
def _():
    model = shared('odd/models/good-tiny.onnx')
    names = 'neutral,happy,sad,angry,fear,disgust,surprise'
    got = works('convert', model, path('set.onnx'), '--labels', names, '--scale', '0.0078431373', '--mean', '1', '--crop-margin', '0.2')
    equal(json.loads(got.out)['labels'], names.split(','))
    equal((json.loads(got.out)['guessed'], got.err), (False, ''))
    metadata = json.loads(works('info', path('set.onnx')).out)['metadata']
    equal((metadata['mien.labels'], metadata['mien.input.mean'], metadata['mien.crop.margin']), (names, '1', '0.2'))
    fails(1, 'convert', model, path('bad.onnx'), '--labels', 'a,b', says=['good-tiny.onnx', 'labels'])
    fails(1, 'convert', model, path('bad.onnx'), '--std', '0', says=['good-tiny.onnx', 'mien.input.std'])
    fails(2, 'convert', shared('odd/models/keras-good-tiny.h5'), says='.onnx')
    fails(2, 'convert', 'model.json', write('weights.h5', 'precious'), says='weights.h5')
    fails(1, 'convert', path('nothing.h5'), path('bad.onnx'), says='nothing.h5')
    with open(path('weights.h5'), encoding='utf-8') as file:
        equal(file.read(), 'precious')
    assert not os.path.exists(path('bad.onnx'))


@test('convert: odd Keras files do what their index says')
def _():
    folder = shared('odd')
    with open(os.path.join(folder, 'index.tsv'), encoding='utf-8') as file:
        rows = [row for row in csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE) if row['file'].startswith('models/keras')]
    assert len(rows) > 10
    for row in rows:
        name = os.path.join(folder, row['file'])
        if row['expect'] == 'refuse':
            fails(1, 'convert', name, path('odd.onnx'), says=os.path.basename(name), timeout=10)
        elif row['expect'] == 'open':
            works('convert', name, path('opened.onnx'), timeout=10)
    assert not os.path.exists(path('odd.onnx'))


# Places and surroundings

@test('numbers keep their point where the comma is the decimal mark')
def _():
    need_model()
    if shutil.which('localedef') is None or not os.path.exists('/usr/share/i18n/locales/de_DE'):
        raise Skip('no German locale can be made (Debian package locales)')
    os.makedirs(path('locale'), exist_ok=True)
    subprocess.run(['localedef', '-i', 'de_DE', '-f', 'UTF-8', path('locale/de_DE.UTF-8')], check=False, capture_output=True)
    german = {'LOCPATH': path('locale'), 'LC_ALL': 'de_DE.UTF-8'}
    comma = subprocess.run(['locale', 'decimal_point'], env={**os.environ, **german}, capture_output=True, text=True, check=True).stdout.strip()
    equal(comma, ',', 'the locale\'s decimal mark')
    good, _ = demo_picture('happy')
    equal(works('analyze', good, env=german).out, works('analyze', good).out)
    equal(works('analyze', '--format', 'csv', good, env=german).out, works('analyze', '--format', 'csv', good).out)
    assert 0 < json.loads(works('bench', '--seconds', '0.1', env=german).out)['median_us']
    assert works('bench', '--seconds', '0.1', '--format', 'text', env=german).out.count('.') > 2


@test('output that cannot be written is a failure')
def _():
    with open('/dev/full', 'wb') as full:
        got = subprocess.run([CLI, '--help'], stdout=full, stderr=subprocess.PIPE, check=False)
    equal(got.returncode, 1)
    assert b'written' in got.stderr


sys.exit(main())
