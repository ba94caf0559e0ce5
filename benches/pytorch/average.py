"""The PyTorch side of `compare`: one update of the average of a ResNet's weights.

    python average.py FOLDER CORES DEVICE

Same protocol as views.py; an "image" is one update. By `torch._foreach_lerp_` with lists of tensors that were made once,
the least that PyTorch can take; and by `AveragedModel.update_parameters`, which is what its users call and which, as ours
does, walks two modules. The networks are torchvision's without their heads, which have the parameters of
slowburn-models' encoders.
"""

import sys

import torch
import torchvision
from serve import Lazy, device, serve
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

DECAY = 0.999


def network(name):
    network = getattr(torchvision.models, name)(num_classes=1).to(device())
    network.fc = torch.nn.Identity()
    return network


def lists(name):
    teacher, student = [[p.detach() for p in network(name).parameters()] for _ in range(2)]

    def work():
        torch._foreach_lerp_(teacher, student, 1 - DECAY)
        return 1
    return work


def modules(name):
    teacher = AveragedModel(network(name), multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    student = network(name)
    # The first update is a copy.
    teacher.update_parameters(student)

    def work():
        teacher.update_parameters(student)
        return 1
    return work


def make(_, name, kind="lists"):
    torch.manual_seed(1)
    return modules(name) if kind == "module" else lists(name)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    serve(Lazy(make), "float32, all cores, _foreach_lerp_")
