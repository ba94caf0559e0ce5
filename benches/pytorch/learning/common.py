"""What the learning curves in PyTorch share: the shipped images, a split of the batch, an average of weights, rows."""

import copy
import gzip
import json
import sys
import time
from pathlib import Path

import numpy
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "crates/slowburn/data/fashion-mnist"
MEAN, STD = 0.286, 0.353
sys.path.insert(0, str(ROOT / "benches/pytorch"))
from networks import Small  # noqa: E402, F401


def idx(name, header):
    with gzip.open(DATA / name) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def images(part):
    """Grey images as bytes `[N, 28, 28]`, and classes `[N]`; part is train or t10k."""
    pixels = idx(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    return pixels, torch.tensor(idx(f"{part}-labels-idx1-ubyte.gz", 8).astype(numpy.int64))


def whole(pixels):
    """Images as a network that is looked at sees them, `[N, 1, 28, 28]`."""
    return (torch.tensor(pixels).float().unsqueeze(1) / 255 - MEAN) / STD


def started(network):
    """Convolutions as in slowburn-models: normal, variance 2 / fan-out."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return network


def apart(network):
    """A copy that no gradient reaches."""
    average = copy.deepcopy(network)
    for parameter in average.parameters():
        parameter.requires_grad_(False)
    return average


@torch.no_grad()
def follow(average, network, decay):
    """Weights alone: running statistics are those that the average's own passes left."""
    for kept, new in zip(average.parameters(), network.parameters()):
        kept.mul_(decay).add_(new, alpha=1 - decay)


class Split(nn.Module):
    """A network whose batch statistics are of parts of a batch, which pass one after another."""

    def __init__(self, network, parts):
        super().__init__()
        self.network, self.parts = network, parts

    def forward(self, images):
        if not self.training:
            return self.network(images)
        return self.parts(images, self.network)


@torch.no_grad()
def passed(network, images, size=500):
    network.eval()
    out = torch.cat([network(batch) for batch in images.split(size)])
    network.train()
    return out


class Rows:
    """A line of JSON for each epoch, and the seconds of training, which looks at a network are not part of."""

    def __init__(self, path):
        self.file, self.seconds, self.since = open(path, "w"), 0.0, time.monotonic()

    def write(self, look, **row):
        self.seconds += time.monotonic() - self.since
        row |= look() | {"seconds": round(self.seconds, 2)}
        print(json.dumps(row), file=self.file, flush=True)
        self.since = time.monotonic()
