"""The PyTorch side of `compare`: full steps of MoCo (arXiv 1911.05722, algorithm 1) and of Mean Teacher
(arXiv 1703.01780), written from the papers.

    python steps.py FOLDER CORES DEVICE

Same protocol as views.py; an "image" is one step. Names are METHOD/NETWORK/BATCH.
"""

import sys

import torch
import torch.nn.functional as F
from networks import images, network
from serve import Lazy, device, serve

CLASSES, DIM, QUEUE = 10, 128, 4096


def optimizer(parameters):
    return torch.optim.SGD(parameters, lr=0.03, momentum=0.9, weight_decay=1e-4, fused=True)


def copy_of(net, name, outputs, place):
    copy = network(name, outputs, place)
    copy.load_state_dict(net.state_dict())
    return copy.requires_grad_(False)


def moco_step(name, batch):
    place, decay, temperature = device(), 0.99, 0.1
    query = network(name, DIM, place)
    key = copy_of(query, name, DIM, place)
    x_query, x_key = images(name, batch, place), images(name, batch, place)
    # Columns, as in the paper; info_nce.py found no layout to be faster throughout.
    queue = F.normalize(torch.randn(DIM, QUEUE, device=place), dim=0)
    target, pointer = torch.zeros(batch, dtype=torch.long, device=place), 0
    sgd = optimizer(query.parameters())
    thetas, averages = list(query.parameters()), list(key.parameters())

    def work():
        nonlocal pointer
        q = F.normalize(query(x_query))
        with torch.no_grad():
            torch._foreach_lerp_(averages, thetas, 1 - decay)
            order = torch.randperm(batch, device=place)
            k = F.normalize(key(x_key[order])[order.argsort()])
        scaled = q / temperature
        logits = torch.cat([(scaled * k).sum(1, keepdim=True), scaled @ queue], dim=1)
        loss = F.cross_entropy(logits, target)
        sgd.zero_grad(set_to_none=True)
        loss.backward()
        sgd.step()
        with torch.no_grad():
            queue[:, pointer:pointer + batch] = k.t()
            pointer = (pointer + batch) % QUEUE
        return 1
    return work


def mean_teacher_step(name, batch):
    place, weight, labeled, steps = device(), 10.0, -(-batch // 4), 0
    student = network(name, CLASSES, place)
    teacher = copy_of(student, name, CLASSES, place)
    x_student, x_teacher = images(name, batch, place), images(name, batch, place)
    labels = torch.arange(labeled, device=place) % CLASSES
    sgd = optimizer(student.parameters())
    thetas, averages = list(student.parameters()), list(teacher.parameters())

    def work():
        nonlocal steps
        steps += 1
        logits = student(x_student)
        with torch.no_grad():
            targets = F.softmax(teacher(x_teacher), dim=1)
        classification = F.cross_entropy(logits[:labeled], labels, reduction="sum") / batch
        consistency = F.mse_loss(F.softmax(logits, dim=1), targets)
        loss = classification + weight * consistency
        sgd.zero_grad(set_to_none=True)
        loss.backward()
        sgd.step()
        decay = min(1 - 1 / (steps + 1), 0.999)
        with torch.no_grad():
            torch._foreach_lerp_(averages, thetas, 1 - decay)
        return 1
    return work


def make(method, name, batch):
    return {"moco_step": moco_step, "mean_teacher_step": mean_teacher_step}[method](name, int(batch))


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    serve(Lazy(make), "channels_last, float32, all cores, _foreach_lerp_, SGD(fused=True)")
