#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's tables from what bench-peers --json has written.

  bench-table.py peers.json                     prints Markdown
  bench-table.py peers.json --into README.md    puts it between the lines <!-- peers --> and <!-- /peers -->
  bench-table.py peers.json --into README.md --mark peers-intel    between others"""
import argparse
import json
import re
import sys

NETWORKS = ('ref-simple3', 'ref-vgg', 'ref-resnet', 'ref-xception')


def number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}'


def unit(result):
    return result['median_us'] if result['batch'] == 1 else result['images_per_s']


def table(lines, batch, threads, precision, engines):
    found = {(r['network'], r['engine']): r for r in lines if r['type'] == 'result'
             and (r['batch'], r['threads'], r['precision']) == (batch, threads, precision)}
    ratios = {r['network']: r for r in lines if r['type'] == 'ratio'
              and (r['batch'], r['threads'], r['precision']) == (batch, threads, precision)}
    engines = [e for e in engines if any(key[1] == e for key in found)]
    if not found:
        return
    what = 'microseconds a face, median' if batch == 1 else f'faces a second in batches of {batch}'
    kind = {'f32': 'single precision', 'bf16': 'bfloat16'}[precision]
    borrowed = any(r['ran'] != precision for r in ratios.values())
    print(f'{kind}, {threads} thread{"s"[:threads - 1]}, {what}'
          + (' (Mien in single precision)' if borrowed else '') + ':\n')
    print('| network | ' + ' | '.join(engines) + ' | times as fast as the best of the others |')
    print('| --- |' + ' ---: |' * (len(engines) + 1))
    for network in NETWORKS:
        if network not in ratios:
            continue
        cells = []
        for engine in engines:
            result = found.get((network, engine))
            text = number(unit(result)) if result else '-'
            if engine == engines[0] and batch == 1 and result:
                text += f' (99 %: {number(result["p99_us"])})'
            cells.append(f'**{text}**' if engine == ratios[network]['best'] else text)
        print(f'| {network} | ' + ' | '.join(cells) + f' | {ratios[network]["ratio"]:.2f} |')
    print()


class Text(list):
    def write(self, text):
        self.append(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('json', help='what bench-peers --json has written')
    parser.add_argument('--into', metavar='FILE', help='replace the tables in this file')
    parser.add_argument('--mark', default='peers', help='whose lines, <!-- MARK --> and <!-- /MARK -->; default: peers')
    options = parser.parse_args()
    with open(options.json, encoding='utf-8') as file:
        lines = [json.loads(line) for line in file]
    text, stdout = Text(), sys.stdout
    sys.stdout = text
    for machine in (line for line in lines if line['type'] == 'machine'):
        print(f'Measured in one run, all engines in turn, on {machine["processor"]}, {machine["processors"]} processors, '
              f'level {machine["level"]}. The best of the others is bold.')
    if any(line.get('waited_percent', 0) >= 2 for line in lines):
        print('(The computer was busy with other programs too.)')
    started = [line for line in lines if line['type'] == 'engine']
    print(', '.join(f'{e["name"]} {e["version"]}' for e in started if 'version' in e) + '.\n')
    engines = [e['name'] for e in started if 'version' in e]
    for batch, threads in sorted({(r['batch'], r['threads']) for r in lines if r['type'] == 'result'}):
        for precision in ('f32', 'bf16'):
            table(lines, batch, threads, precision, engines)
    for precision, name in (('f32', 'single precision'), ('bf16', 'bfloat16')):
        speedups = [line for line in lines if line['type'] == 'speedup' and line['batch'] == 1 and line['precision'] == precision]
        if speedups:
            print(f'Two threads against one, one face, {name}: '
                  + ', '.join(f'{s["network"]} {s["ratio"]:.2f} times as fast' for s in speedups) + '.\n')
    sys.stdout = stdout
    text = ''.join(text)
    if not options.into:
        print(text, end='')
        return 0
    with open(options.into, encoding='utf-8') as file:
        page = file.read()
    mark = re.escape(options.mark)
    page, n = re.subn(rf'(?s)(<!-- {mark} -->\n).*?(<!-- /{mark} -->)', lambda m: m[1] + text + m[2], page)
    if n != 1:
        print(f'{options.into}: wanted once: <!-- {options.mark} --> and, below it, <!-- /{options.mark} -->', file=sys.stderr)
        return 1
    with open(options.into, 'w', encoding='utf-8') as file:
        file.write(page)
    return 0


sys.exit(main())
