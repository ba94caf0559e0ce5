"""Measures on request: reads one JSON line {"name": ..., "seconds": ...} per measurement, works for at least so long,
and answers {"images": n, "seconds": s}; or reads {"name": ..., "repetitions": n}, works so often, and answers
{"bytes": b}, the most memory that this took beyond what there was before: the first request of a process, or an earlier
one has left memory to use again. The first line it writes says which versions answer, with which settings."""

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


def timed(work, least, place):
    """Seconds and images of at least so many seconds of work, after one time to warm up."""
    work()
    sync(place)
    images, start = 0, time.perf_counter()
    while images == 0 or time.perf_counter() - start < least:
        images += work()
        sync(place)
    return {"images": images, "seconds": time.perf_counter() - start}


def status(name):
    """A figure of this process, in bytes. Linux only."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def start_threads():
    """A little of everything that tasks do: threads start and code is read in, which is not the memory of a task."""
    layers = torch.nn.Sequential(torch.nn.Conv2d(16, 16, 3, padding=1, bias=False), torch.nn.BatchNorm2d(16))
    layers = layers.to(memory_format=torch.channels_last)
    x = layers(torch.ones(8, 16, 8, 8).contiguous(memory_format=torch.channels_last)).relu().flatten(1)
    (x @ x.t()).logsumexp(1).mean().backward()
    torch.optim.SGD(layers.parameters(), lr=1e-3, momentum=0.9, fused=True).step()


def peak(tasks, name, repetitions):
    start_threads()
    work = tasks[name]
    # What a task tries out beforehand does not count.
    getattr(work, "prepare", lambda: None)()
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        # The peak so far stands, and only what is above it will be seen.
        print(f"{name}: the peak so far cannot be cleared", file=sys.stderr)
    before = status("VmHWM")
    for _ in range(repetitions):
        work()
    return {"bytes": status("VmHWM") - before}


def serve(tasks, settings):
    """Answers requests; `settings` says in words what was done to be fast."""
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__}
    here = {"device": str(device()), "threads": torch.get_num_threads(),
            "instruction_set": torch.backends.cpu.get_cpu_capability(),
            "onednn": torch.backends.mkldnn.is_available(), "settings": settings}
    print(json.dumps(versions | here), flush=True)
    place = device()
    for line in sys.stdin:
        request = json.loads(line)
        name = request["name"]
        if "repetitions" in request:
            answer = peak(tasks, name, request["repetitions"])
        else:
            answer = timed(tasks[name], request["seconds"], place)
        print(json.dumps(answer), flush=True)
