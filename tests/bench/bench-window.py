#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The window on the demo camera: time from start to the first frame on screen, memory and processor time of the live view, and how long
the window's thread keeps others waiting.

usage: bench-window.py start|memory|response, under tools/virtual-display
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time


def read_kib(pid, file, key):
    with open(f'/proc/{pid}/{file}', encoding='ascii') as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith(key))


def read_cpu_s(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
        words = file.read().rsplit(')', 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')


def start_once():
    """Milliseconds from exec to the first frame handed to the display, as the program itself tells."""
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    got = subprocess.run([os.environ['MIEN_APP'], '--source=demo', '--seconds=1'], capture_output=True, text=True, check=False,
                         env={**os.environ, 'G_MESSAGES_DEBUG': 'mien'}, timeout=60)
    found = re.search(r'first picture on screen at (\d+) us', got.stdout + got.stderr)
    if got.returncode != 0 or not found:
        raise RuntimeError(f'the program ended with {got.returncode} and did not tell when its first frame was shown:\n{got.stderr}')
    return int(found[1]) / 1000 - began * 1000


def bench_start():
    start_once()  # reads everything from disk once
    times = [start_once() for _ in range(7)]
    print(f'start to first demo frame: median {statistics.median(times):.0f} ms, {min(times):.0f} to {max(times):.0f} (wanted: under 1000 ms)')


def bench_memory():
    with tempfile.TemporaryDirectory() as folder:
        results = os.path.join(folder, 'results.jsonl')
        program = subprocess.Popen([os.environ['MIEN_APP'], '--source=demo', '--seconds=12', f'--results={results}'])
        time.sleep(5)
        before_s, before = read_cpu_s(program.pid), time.monotonic()
        time.sleep(5)
        share = (read_cpu_s(program.pid) - before_s) / (time.monotonic() - before)
        rss, peak = (read_kib(program.pid, 'status', key) / 1024 for key in ('VmRSS:', 'VmHWM:'))
        pss = read_kib(program.pid, 'smaps_rollup', 'Pss:') / 1024
        program.wait()
        with open(results, encoding='utf-8') as file:
            frames = sum(1 for _ in file)
    print(f'live view after 10 s: {rss:.0f} MiB resident (peak {peak:.0f}, its share of shared pages {pss:.0f}; wanted: under 250)')
    print(f'processor time {100 * share:.0f} % of one core, {frames / 12:.1f} frames analysed a second')


def bench_response():
    """Questions of a screen reader are answered by the window's thread: how long they take while faces are read shows how long that
    thread is busy with something else."""
    try:
        import gi
        gi.require_version('Atspi', '2.0')
        from gi.repository import Atspi
    except (ImportError, ValueError):
        print('the accessibility tree cannot be read (Debian packages python3-gi and gir1.2-atspi-2.0)')
        sys.exit(77)
    program = subprocess.Popen([os.environ['MIEN_APP'], '--source=demo'])
    try:
        time.sleep(3)
        desktop = Atspi.get_desktop(0)
        ours = [a for a in map(desktop.get_child_at_index, range(desktop.get_child_count())) if a is not None and a.get_process_id() == program.pid]
        window = ours[0].get_child_at_index(0)
        times = []
        end = time.monotonic() + 8
        while time.monotonic() < end:
            began = time.monotonic()
            Atspi.Component.get_extents(window, Atspi.CoordType.WINDOW)
            times.append(1000 * (time.monotonic() - began))
            time.sleep(0.005)
    finally:
        program.kill()
    times.sort()
    print(f'{len(times)} questions to the window while faces are read: answered after {statistics.median(times):.1f} ms (median), '
          f'{times[int(0.99 * len(times))]:.1f} (99 %), {times[-1]:.1f} (longest)')


{'start': bench_start, 'memory': bench_memory, 'response': bench_response}[sys.argv[1]]()
