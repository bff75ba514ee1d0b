#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch in a process of its own, told what to do line by line; it times its runs itself.

  open FOLDER BATCH THREADS PRECISION CORE  -> "ok ID"; FOLDER: layers, weights, input as peer-torch.c writes them
  run ID N                                  -> "ok" and N times in microseconds
  read ID                                   -> "ok" and the probabilities
  close ID                                  -> "ok"
An answer that does not begin with "ok" says what went wrong."""
import os
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

FIELDS = ('kind input other relu in_channels in_height in_width channels height width kernel stride pad groups weights').split()
ALL_CORES = os.sched_getaffinity(0)


class Network(nn.Module):
    """The list of layers, normalisation folded, as modules."""

    def __init__(self, layers, weights):
        super().__init__()
        self.layers, self.modules_of, place = layers, nn.ModuleList(), 0
        for layer in layers:
            module = nn.Identity()
            if layer['kind'] == 'conv':
                module = nn.Conv2d(layer['in_channels'], layer['channels'], layer['kernel'], layer['stride'], layer['pad'],
                                   groups=layer['groups'])
            elif layer['kind'] == 'dense':
                module = nn.Linear(layer['in_channels'] * layer['in_height'] * layer['in_width'], layer['channels'])
            elif layer['kind'] == 'max-pool':
                module = nn.MaxPool2d(layer['kernel'], layer['stride'], layer['pad'])
            if layer['weights']:
                for tensor in (module.weight, module.bias):
                    n = tensor.numel()
                    tensor.data = torch.from_numpy(weights[place:place + n].copy()).reshape(tensor.shape)
                    place += n
            self.modules_of.append(module)

    def forward(self, x):
        made = []
        for layer, module in zip(self.layers, self.modules_of):
            y = x if layer['input'] < 0 else made[layer['input']]
            if layer['kind'] == 'mean':
                y = functional.adaptive_avg_pool2d(y, 1).flatten(1)
            elif layer['kind'] == 'softmax':
                y = y.flatten(1).softmax(1)
            elif layer['kind'] == 'dense':
                y = module(y.flatten(1))
            else:
                y = module(y)
            if layer['other'] >= 0:
                y = y + made[layer['other']]
            made.append(functional.relu(y) if layer['relu'] else y)
        return made[-1]


class Engine:
    def __init__(self, folder, batch, threads, precision, core):
        with open(os.path.join(folder, 'layers'), encoding='ascii') as file:
            layers = [{k: v if k == 'kind' else int(v) for k, v in zip(FIELDS, line.split())} for line in file]
        network = Network(layers, numpy.fromfile(os.path.join(folder, 'weights'), 'float32')).eval()
        pixels = numpy.fromfile(os.path.join(folder, 'input'), 'float32')
        self.input = torch.from_numpy(pixels).reshape(batch, 1, 48, 48)
        self.threads, self.core, self.is_bf16 = threads, core, precision == 'bf16'
        self.settle()
        with torch.no_grad():
            # The faster form of each, found by trying: oneDNN's own layouts for f32, channels last for bfloat16.
            if self.is_bf16:
                network = network.bfloat16().to(memory_format=torch.channels_last)
                self.network = torch.jit.freeze(torch.jit.trace(network, self.prepared()))
            else:
                self.network = torch.jit.optimize_for_inference(torch.jit.trace(network, self.prepared()))
        self.output = None

    def prepared(self):
        return self.input.bfloat16().contiguous(memory_format=torch.channels_last) if self.is_bf16 else self.input

    def settle(self):
        os.sched_setaffinity(0, {self.core} if self.threads == 1 else ALL_CORES)
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)

    def run(self, n):
        times = []
        self.settle()
        with torch.inference_mode():
            for _ in range(n):
                start = time.perf_counter_ns()
                self.output = self.network(self.prepared())
                times.append((time.perf_counter_ns() - start) / 1000)
        return times


def main():
    answers, engines = os.fdopen(os.dup(1), 'w'), {}
    os.dup2(2, 1)  # what libraries print is no answer
    torch.set_num_threads(2)
    torch.ones(1 << 20).exp().sum()  # the second thread starts while every core is allowed
    print('ok', torch.__version__, file=answers, flush=True)
    for line in sys.stdin:
        word, *rest = line.rstrip('\n').split('\t')
        try:
            answer = []
            if word == 'open':
                engines[len(engines)] = Engine(rest[0], int(rest[1]), int(rest[2]), rest[3], int(rest[4]))
                answer = [len(engines) - 1]
            elif word == 'run':
                answer = engines[int(rest[0])].run(int(rest[1]))
            elif word == 'read':
                answer = engines[int(rest[0])].output.float().flatten().tolist()
            elif word == 'close':
                engines[int(rest[0])] = None
            print('ok', *answer, file=answers, flush=True)
        except Exception as error:  # whatever it is, the others go on
            print(' '.join(str(error).split())[-300:] or type(error).__name__, file=answers, flush=True)


main()
