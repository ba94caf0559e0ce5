"""The PyTorch side of `compare`: MoCo's loss against a queue, with its gradient to the queries.

    python info_nce.py FOLDER CORES DEVICE

Same protocol as views.py; an "image" is one loss with its backward pass. Of the forms that were tried (the original's
einsum, cat and cross_entropy on a [d, K] or a [K, d] queue, logsumexp without cat, each with the temperature on the
logits or on the queries) each task takes the fastest on this machine, found when the task is first asked for.
"""

import sys
import time

import torch
import torch.nn.functional as F
from serve import device, serve, sync

TEMPERATURE = 0.07


def forms(n, count):
    torch.manual_seed(1)
    place = device()
    q, k, rows = (F.normalize(torch.randn(length, 128, device=place)) for length in (n, n, count))
    q.requires_grad_()
    columns, target = rows.t().contiguous(), torch.zeros(n, dtype=torch.long, device=place)

    def original(queue):
        positive = torch.einsum("nc,nc->n", q, k).unsqueeze(-1)
        logits = torch.cat([positive, torch.einsum("nc,ck->nk", q, queue)], dim=1)
        return F.cross_entropy(logits / TEMPERATURE, target)

    def scaled(queue):
        s = q / TEMPERATURE
        return F.cross_entropy(torch.cat([(s * k).sum(1, keepdim=True), s @ queue], dim=1), target)

    def without_cat(queue):
        s = q / TEMPERATURE
        positive = (s * k).sum(1)
        return (torch.logaddexp(positive, torch.logsumexp(s @ queue, 1)) - positive).mean()

    def gradient(loss, queue):
        def work():
            q.grad = None
            loss(queue).backward()
            return 1
        return work

    return [gradient(loss, queue) for loss in (original, scaled, without_cat) for queue in (columns, rows.t())]


def fastest(n, count):
    chosen = []

    def seconds(work):
        work()
        start = time.perf_counter()
        for _ in range(5):
            work()
        sync(device())
        return time.perf_counter() - start

    def prepare():
        if not chosen:
            chosen.append(min(forms(n, count), key=seconds))

    def work():
        prepare()
        return chosen[0]()
    work.prepare = prepare
    return work


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    sizes = [(n, count) for n in (64, 256) for count in (4096, 16384, 65536)]
    serve({f"info_nce/{n}x{count}": fastest(n, count) for n, count in sizes},
          "float32, all cores, the fastest of six forms")
