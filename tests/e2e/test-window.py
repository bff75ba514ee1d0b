#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real window on a virtual display: what it recognises, judged by the program's own results and by the accessibility
tree, as a screen reader meets it. Speaks TAP; runs under tools/virtual-display.

The programs are named by MIEN_APP and MIEN_MAKE_DEMO.
"""
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from tap import Skip, equal, main, test

try:
    import gi
    gi.require_version('Atspi', '2.0')
    from gi.repository import Atspi
except (ImportError, ValueError):
    Atspi = None

APP, MAKE_DEMO = os.environ['MIEN_APP'], os.environ['MIEN_MAKE_DEMO']
WORK = tempfile.mkdtemp(prefix='mien-test-')
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
RESULTS = os.path.join(WORK, 'results.jsonl')
NAMES = {'angry': 'Angry', 'disgust': 'Disgusted', 'fear': 'Afraid', 'happy': 'Happy', 'sad': 'Sad', 'surprise': 'Surprised', 'neutral': 'Neutral'}
HOLD_MS, MORPH_MS = 2200, 600  # the demo camera's rhythm
program = None


def demo_picture(time_ms):
    """A frame of the demo camera as a file, and its expression."""
    path = os.path.join(WORK, f'demo-{time_ms}.png')
    line = subprocess.run([MAKE_DEMO, 'picture', str(time_ms), path], capture_output=True, text=True, check=True).stdout.split()
    return path, line[0]


def wait_for(what, probe, seconds=20):
    """The first true answer of probe; accessible objects may vanish while they are being looked at."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert program.poll() is None, f'the program ended with {program.returncode}'
        try:
            found = probe()
            if found:
                return found
        except gi.repository.GLib.Error:
            pass
        time.sleep(0.1)
    raise AssertionError(f'{what}: not within {seconds} s; on screen: {sorted({node.get_name() for node in showing() if node.get_name()})}')


def walk(node):
    yield node
    for i in range(node.get_child_count()):
        child = node.get_child_at_index(i)
        if child is not None:
            yield from walk(child)


def find_application():
    desktop = Atspi.get_desktop(0)
    for i in range(desktop.get_child_count()):
        application = desktop.get_child_at_index(i)
        if application is not None and application.get_process_id() == program.pid:
            return application
    return None


def width_of(node):
    return Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW).width if 'Component' in node.get_interfaces() else 0


def showing():
    """What has a place on screen, or had one before another view came on top: GTK 4.8 does not tell these apart."""
    application = find_application()
    return [node for node in walk(application) if width_of(node) > 0] if application is not None else []


def find(name, role=None):
    """Something on screen whose name holds these words."""
    for node in showing():
        if name in (node.get_name() or '') and (role is None or node.get_role() == role):
            return node
    return None


def read_bars(pane):
    """The bars of a pane: name to percent."""
    bars = {}
    for top in showing():
        if top.get_name() == pane:
            for node in walk(top):
                if node.get_role() == Atspi.Role.LEVEL_BAR and node.get_description().rstrip('%').strip().isdigit():
                    bars[node.get_name()] = int(node.get_description().rstrip('%'))
    return bars


def highest(bars):
    return max(bars, key=bars.get) if len(bars) == 7 else None


def selected_view():
    """The tab of the view switcher that is selected."""
    for node in showing():
        if node.get_role() == Atspi.Role.PAGE_TAB and node.get_state_set().contains(Atspi.StateType.SELECTED):
            return node.get_name()
    return None


def read_results():
    with open(RESULTS, encoding='utf-8') as file:
        return [json.loads(line) for line in file.read().split('\n')[:-1]]


def press(*keys):
    window = subprocess.run(['xdotool', 'search', '--onlyvisible', '--pid', str(program.pid)], capture_output=True, text=True, check=False).stdout.split()
    assert window, 'no window of the program is on the display'
    subprocess.run(['xdotool', 'windowfocus', '--sync', window[-1], 'key', '--clearmodifiers', *keys], check=True, timeout=20)


def send(*files):
    """What a file manager does: starts the program again; the running one gets the files."""
    got = subprocess.run([APP, *files], capture_output=True, text=True, timeout=30, check=False)
    equal(got.returncode, 0, f'exit status, it said {got.stderr!r}')


@test('the window appears in the accessibility tree')
def _():
    global program
    if Atspi is None:
        raise Skip('the accessibility tree cannot be read (Debian packages python3-gi and gir1.2-atspi-2.0)')
    if shutil.which('xdotool') is None:
        raise Skip('keys cannot be pressed (Debian package xdotool)')
    program = subprocess.Popen([APP, '--source=demo', f'--results={RESULTS}'])
    atexit.register(program.kill)
    wait_for('the window', lambda: find('Mien', Atspi.Role.FRAME))


def need_program():
    if program is None or program.poll() is not None:
        raise Skip('the program does not run')


def need_network():
    need_program()
    if not os.path.exists(os.path.join(os.environ['MIEN_SOURCE_ROOT'], 'resources/models/best.onnx')):
        raise Skip('the program\'s own network is not there yet')


@test('the demo face is recognised: the program\'s own results')
def _():
    need_network()
    wait_for('results', lambda: os.path.exists(RESULTS) and read_results())
    wait_for('eight seconds of results', lambda: read_results()[-1]['time_ms'] - read_results()[0]['time_ms'] > 8500, 40)
    results = read_results()
    one_face = [result for result in results if len(result['faces']) == 1]
    assert len(one_face) >= 0.9 * len(results), f'{len(one_face)} of {len(results)} frames with one face'
    equal({result['faces'][0]['track'] for result in one_face}, {1}, 'tracks')
    right, seen = [], set()
    for result in one_face:
        turn, within_ms = divmod(result['time_ms'], HOLD_MS + MORPH_MS)
        if not 900 < within_ms < HOLD_MS:  # smoothing needs a moment
            continue
        _, want = demo_expressions()[int(turn) % 7]
        right.append(result['faces'][0]['label'] == want)
        seen.add(want)
    assert len(seen) >= 3, seen
    assert sum(right) >= 0.75 * len(right), f'{sum(right)} of {len(right)} frames read right'


_expressions = []


def demo_expressions():
    if not _expressions:
        _expressions.extend(demo_picture(i * (HOLD_MS + MORPH_MS) + HOLD_MS // 2) for i in range(7))
    return _expressions


@test('the face\'s mark says its expression to a screen reader')
def _():
    need_network()
    mark = wait_for('a mark', lambda: find('Face 1'))
    assert any(name in mark.get_name() for name in NAMES.values()) and '%' in mark.get_name(), mark.get_name()


@test('the seven bars have names and values that agree with the results')
def _():
    need_network()

    def together():  # read one after another: while the expression changes they do not belong to one moment
        bars = read_bars('MienLivePane')
        if len(bars) != 7 or abs(sum(bars.values()) - 100) > 4:  # each is rounded
            return None
        labels = [NAMES[face['label']] for result in read_results()[-12:] for face in result['faces']]
        return bars if highest(bars) in labels else None
    equal(sorted(wait_for('seven bars that add up to 100 %, the highest being the label', together, 40)), sorted(NAMES.values()), 'names')


@test('every button has a name that a person can understand')
def _():
    need_network()  # without one there is a toast, whose close button libadwaita leaves nameless
    nameless = [node.get_name() for node in showing()
                if node.get_role() in (Atspi.Role.PUSH_BUTTON, Atspi.Role.TOGGLE_BUTTON) and node.get_name() in ('', 'GtkImage', 'GtkMenuButton')]
    equal(nameless, [], 'names of buttons')


@test('views are switched by keyboard')
def _():
    need_program()
    for key, view in (('alt+2', 'Photo'), ('alt+3', 'Layers'), ('alt+1', 'Live'), ('ctrl+Next', 'Photo'), ('ctrl+Prior', 'Live')):
        press(key)
        wait_for(f'{view} after {key}', lambda view=view: selected_view() == view)
    assert find('Read a Photo'), 'the empty photo view invites to open one'


@test('views are switched by the actions of the view switcher')
def _():
    need_program()
    for view in ('Layers', 'Live'):
        tab = wait_for(f'the tab {view}', lambda view=view: find(view, Atspi.Role.PAGE_TAB))
        assert Atspi.Action.get_n_actions(tab) > 0 and Atspi.Action.do_action(tab, 0), f'{view} has no action'
        wait_for(f'{view}', lambda view=view: selected_view() == view)


def read_photo(picture, label):
    send(picture)
    wait_for('the photo view', lambda: selected_view() == 'Photo')
    wait_for('the result of the photo', lambda: {face['label'] for result in read_results() if result['file'].endswith(os.path.basename(picture))
                                                 for face in result['faces']} == {label})
    wait_for('the photo\'s bars', lambda: highest(read_bars('MienPhotoPane')) == NAMES[label])
    equal(sum(result['file'].endswith(os.path.basename(picture)) for result in read_results()), 1, 'results of the photo')


@test('a photo named on the command line is shown and read')
def _():
    need_network()
    read_photo(*next(pair for pair in demo_expressions() if pair[1] == 'happy'))
    bars = read_bars('MienPhotoPane')
    assert abs(sum(bars.values()) - 100) <= 4, bars  # each is rounded


@test('an unreadable photo gets a sentence, and the program goes on')
def _():
    need_program()
    assert not find('This Photo Cannot Be Read'), 'the sentence is there already'
    bad = os.path.join(WORK, 'broken.png')
    with open(bad, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\nand then nothing of sense')
    send(bad)
    wait_for('the heading', lambda: find('This Photo Cannot Be Read'))
    wait_for('the sentence', lambda: find('broken.png'))
    need_network()
    read_photo(*next(pair for pair in demo_expressions() if pair[1] == 'surprise'))


@test('the live view goes on afterwards')
def _():
    need_network()
    press('alt+1')
    count = len(read_results())
    wait_for('new results', lambda: len(read_results()) > count + 5)


@test('Ctrl+Q ends the program well')
def _():
    need_program()
    press('ctrl+q')
    equal(program.wait(timeout=20), 0, 'exit status')
    assert os.path.exists(RESULTS)
    for result in read_results():
        assert {'time_ms', 'faces'} <= set(result), result


sys.exit(main())
