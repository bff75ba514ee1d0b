#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One face through the network on one core, at every processor level, beside OpenCV's dnn module in the same run."""
import json
import os
import subprocess
import sys


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main():
    cli, peer = os.environ['MIEN_CLI'], os.environ.get('MIEN_BENCH_OPENCV')
    info = run(cli, 'info')
    if info.returncode != 0:
        print(f'SKIP {info.stderr.strip()}')
        return 77
    info = json.loads(info.stdout)
    print(f'{os.path.basename(info["file"])}: {info["params"]} parameters, {info["macs"] / 1e6:.2f} million multiply-adds a face')
    peer_us = None
    if peer:
        got = run(peer, info['file'], str(info['channels']), str(info['input_size']))
        if got.returncode == 0:
            peer_us = float(got.stdout.split()[0])
            print(f'  OpenCV dnn        median {peer_us:9.1f} us   99 % {float(got.stdout.split()[1]):9.1f} us')
        else:
            print(f'  OpenCV dnn        {got.stderr.strip()}')
    best_us = None
    for level in ('c', 'avx2', 'avx512', 'bf16', 'amx'):
        got = run(cli, 'bench', '--cpu', level, '--threads', '1', '--seconds', '1')
        if got.returncode != 0:
            print(f'  {level:<17} not on this processor')
            continue
        bench = json.loads(got.stdout)
        best_us = bench['median_us']
        ratio = f'   {peer_us / best_us:5.2f} times as fast as OpenCV' if peer_us else ''
        print(f'  {level:<17} median {best_us:9.1f} us   99 % {bench["p99_us"]:9.1f} us   {bench["gflop_per_s"]:7.1f} GFLOP/s{ratio}')
    print(f'one face, one core: {best_us / 1000:.3f} ms (wanted: under 1 ms)')
    return 0


sys.exit(main())
