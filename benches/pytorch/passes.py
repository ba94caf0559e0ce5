"""The PyTorch side of `compare`: forward passes without gradient, and forward and backward passes.

    python passes.py FOLDER CORES DEVICE

Same protocol as views.py; an "image" is one batch. Names are PASS/NETWORK/BATCH.
"""

import sys

import torch
from networks import images, network
from serve import Lazy, device, serve


def make(kind, name, batch):
    place = device()
    net, x = network(name, 0, place), images(name, int(batch), place)

    @torch.no_grad()
    def forward():
        net(x)
        return 1

    def forward_backward():
        for parameter in net.parameters():
            parameter.grad = None
        net(x).square().mean().backward()
        return 1
    return {"forward": forward, "forward_backward": forward_backward}[kind]


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    serve(Lazy(make), "channels_last, float32, all cores")
