"""Measures on request: reads one JSON line {"name": ..., "seconds": ...} per measurement, works for at least so long,
and answers {"images": n, "seconds": s}; the first line it writes says which versions answer, with which settings."""

import json
import sys
import time

import PIL
import torch
import torchvision


def device():
    """The device that the third argument asks for: the processor, or whatever GPU this PyTorch knows."""
    if sys.argv[3:] != ["gpu"]:
        return torch.device("cpu")
    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = True
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    sys.exit("this PyTorch has no GPU")


def sync(place):
    """Waits for a GPU."""
    if place.type == "cuda":
        torch.cuda.synchronize()
    elif place.type == "mps":
        torch.mps.synchronize()


class Lazy(dict):
    """Tasks by name, made when they are first asked for."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def __missing__(self, name):
        self[name] = self.make(*name.split("/"))
        return self[name]


def serve(tasks, settings):
    """Answers requests; `settings` says in words what was done to be fast."""
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__}
    here = {"device": str(device()), "threads": torch.get_num_threads(),
            "onednn": torch.backends.mkldnn.is_available(), "settings": settings}
    print(json.dumps(versions | here), flush=True)
    place = device()
    for line in sys.stdin:
        request = json.loads(line)
        work = tasks[request["name"]]
        work()
        sync(place)
        images, start = 0, time.perf_counter()
        while images == 0 or time.perf_counter() - start < request["seconds"]:
            images += work()
            sync(place)
        print(json.dumps({"images": images, "seconds": time.perf_counter() - start}), flush=True)
