"""The PyTorch side of `compare`: a batch of keys into MoCo's queue.

    python enqueue.py FOLDER CORES DEVICE

Same protocol as views.py; an "image" is one enqueue. Names are enqueue/KEYSxSIZE. Rows of a [K, d] queue, where a batch
is one piece of memory: faster than the paper's columns.
"""

import sys

import torch
import torch.nn.functional as F
from serve import Lazy, device, serve


def make(_, sizes):
    keys, size = map(int, sizes.split("x"))
    torch.manual_seed(1)
    place, pointer = device(), 0
    queue, batch = (F.normalize(torch.randn(rows, 128, device=place)) for rows in (size, keys))

    @torch.no_grad()
    def work():
        nonlocal pointer
        queue[pointer:pointer + keys] = batch
        pointer = (pointer + keys) % size
        return 1
    return work


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    serve(Lazy(make), "float32, a queue of rows, written in place")
