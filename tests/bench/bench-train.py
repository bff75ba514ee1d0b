#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images a second in training (forward, backward, update), beside PyTorch on the same networks:

  bench-train.py BENCH-TRAIN NETWORKS [--batch N] [--threads N] [--rounds N] [--json FILE] [--into README.md [--mark MARK]] [NETWORK...]

Both train in turn in one run; the medians of the rounds are compared. PyTorch runs in f32 and in bfloat16 (autocast, channels last)."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    torch = None

NETWORKS = ['ref-simple3', 'ref-vgg', 'ref-resnet']

if torch is not None:
    def conv_norm(c, k, size=3, stride=1):
        return [nn.Conv2d(c, k, size, stride, size // 2, bias=False), nn.BatchNorm2d(k)]

    class Residual(nn.Module):
        def __init__(self, c, k, stride):
            super().__init__()
            self.body = nn.Sequential(*conv_norm(c, k, 3, stride), nn.ReLU(True), *conv_norm(k, k))
            self.shortcut = nn.Sequential(*conv_norm(c, k, 1, stride)) if stride != 1 or c != k else nn.Identity()

        def forward(self, x):
            return functional.relu(self.body(x) + self.shortcut(x), True)

    def build(name):
        layers, c = [], 1
        if name == 'ref-simple3':
            for k in (32, 64, 128):
                layers += [nn.Conv2d(c, k, 3, 1, 1), nn.ReLU(True), nn.MaxPool2d(2)]
                c = k
            return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4608, 256), nn.ReLU(True), nn.Linear(256, 7))
        if name == 'ref-vgg':
            for k in (64, 128, 256, 512):
                layers += conv_norm(c, k) + [nn.ReLU(True)] + conv_norm(k, k) + [nn.ReLU(True), nn.MaxPool2d(2)]
                c = k
        else:
            layers, c = conv_norm(1, 32) + [nn.ReLU(True)], 32
            for k in (32, 64, 128):
                layers += [Residual(c, k, 1 if k == 32 else 2), Residual(k, k, 1)]
                c = k
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 7))


class Torch:
    def __init__(self, name, batch, threads, bf16):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.bf16, self.network = bf16, build(name).train()
        self.x, self.labels = torch.randn(batch, 1, 48, 48), torch.arange(batch) % 7
        if bf16:
            self.network = self.network.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.SGD(self.network.parameters(), 0.01, 0.9, weight_decay=5e-4, nesterov=True)

    def run(self, n):
        start = time.perf_counter()
        for _ in range(n):
            self.optimiser.zero_grad(set_to_none=True)
            with torch.autocast('cpu', torch.bfloat16, self.bf16):
                loss = functional.cross_entropy(self.network(self.x), self.labels)
            loss.backward()
            self.optimiser.step()
        return time.perf_counter() - start


class Mien:
    def __init__(self, program, folder, name, batch, threads, precision):
        path = os.path.join(folder, name + '.onnx')
        self.process = subprocess.Popen([program, path, str(batch), str(threads), precision], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, n):
        self.process.stdin.write(f'{n}\n')
        self.process.stdin.flush()
        return float(self.process.stdout.readline().split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('program')
    parser.add_argument('folder')
    parser.add_argument('networks', nargs='*', default=NETWORKS)
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--json')
    parser.add_argument('--into', metavar='FILE', help='put a table between the lines <!-- MARK --> and <!-- /MARK -->')
    parser.add_argument('--mark', default='training')
    options = parser.parse_args()
    results = []
    for name in options.networks:
        engines = {f'Mien {p}': Mien(options.program, options.folder, name, options.batch, options.threads, p) for p in ('f32', 'bf16')}
        if torch is not None:
            engines |= {f'PyTorch {p}': Torch(name, options.batch, options.threads, p == 'bf16') for p in ('f32', 'bf16')}
        times = {label: [] for label in engines}
        steps = {}
        for label, engine in engines.items():
            engine.run(1)
            steps[label] = max(1, round(1 / engine.run(1)))
        for _ in range(options.rounds):
            for label, engine in engines.items():
                times[label].append(engine.run(steps[label]) / steps[label])
        rates = {label: options.batch / statistics.median(values) for label, values in times.items()}
        results.append({'network': name, 'images_per_s': rates})
        line = ', '.join(f'{label} {rate:.0f}' for label, rate in rates.items())
        ratios = ''
        if torch is not None:
            ratios = f'; {rates["Mien bf16"] / rates["PyTorch bf16"]:.2f} times PyTorch bf16, {rates["Mien bf16"] / rates["PyTorch f32"]:.2f} times its f32'
        print(f'{name}: {line} images/s{ratios}', flush=True)
    if torch is None:
        print('PyTorch (python3-torch) is not installed: nothing to compare with')
    if options.json is not None:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({'batch': options.batch, 'threads': options.threads, 'results': results}, file, indent=1)
    if options.into is not None and torch is not None:
        write_table(options.into, options.mark, results)
    return 0


def write_table(path, mark, results):
    labels = ['Mien bf16', 'Mien f32', 'PyTorch bf16', 'PyTorch f32']
    lines = ['| images a second | ' + ' | '.join(labels) + ' | bf16: times as fast as PyTorch bf16 | as its f32 |', '| --- |' + ' ---: |' * 6]
    for result in results:
        rates = [result['images_per_s'][label] for label in labels]
        lines.append(f'| {result["network"]} | ' + ' | '.join(f'{rate:,.0f}' for rate in rates) + f' | {rates[0] / rates[2]:.2f} | {rates[0] / rates[3]:.2f} |')
    with open(path, encoding='utf-8') as file:
        text = file.read()
    table = f'<!-- {mark} -->\n\n' + '\n'.join(lines) + f'\n\n<!-- /{mark} -->'
    with open(path, 'w', encoding='utf-8') as file:
        file.write(re.sub(f'<!-- {mark} -->.*<!-- /{mark} -->', lambda _: table, text, flags=re.DOTALL))


if __name__ == '__main__':
    sys.exit(main())
