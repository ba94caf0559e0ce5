"""Measures on request: reads one JSON line {"name": ..., "seconds": ...} per measurement, works for at least so long,
and answers {"images": n, "seconds": s}; the first line it writes says which versions answer."""

import json
import sys
import time

import PIL
import torch
import torchvision


def serve(tasks):
    print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__}),
          flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        work = tasks[request["name"]]
        work()
        images, start = 0, time.perf_counter()
        while time.perf_counter() - start < request["seconds"]:
            images += work()
        print(json.dumps({"images": images, "seconds": time.perf_counter() - start}), flush=True)
