"""The PyTorch side of `compare`: the weights of a ResNet-50 from a file into a network that is there already.

    python load.py FOLDER --write           writes PyTorch's file, which both sides read
    python load.py FOLDER CORES DEVICE      same protocol as views.py; an "image" is one file

The work named `.../load_file` reads our safetensors by `safetensors.torch.load_file`, all other work the zip file by
`torch.load`.
"""

import sys
from pathlib import Path

import torch
import torchvision
from serve import Lazy, device, serve

FOLDER = Path(sys.argv[1])


def make(*name):
    place = device()
    network = torchvision.models.resnet50().to(place)

    def read():
        if name[-1] == "load_file":
            from safetensors.torch import load_file
            return load_file(FOLDER / "resnet50.safetensors", device=str(place))
        return torch.load(FOLDER / "resnet50.pth", map_location=place)

    def work():
        # Our file does not count batches.
        network.load_state_dict(read(), strict=name[-1] != "load_file")
        return 1
    return work


if __name__ == "__main__":
    if sys.argv[2:] == ["--write"]:
        torch.manual_seed(1)
        torch.save(torchvision.models.resnet50().state_dict(), FOLDER / "resnet50.pth")
    else:
        torch.set_num_threads(int(sys.argv[2]))
        serve(Lazy(make), "float32, the file in the page cache")
