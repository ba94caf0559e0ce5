"""The PyTorch side of `compare`: one update of the average of a ResNet's weights by `torch._foreach_lerp_`.

    python average.py FOLDER CORES DEVICE

Same protocol as views.py; an "image" is one update. The networks are torchvision's without their heads, which have
the parameters of slowburn-models' encoders.
"""

import sys

import torch
import torchvision
from serve import device, serve


def update(network):
    torch.manual_seed(1)
    parameters = [[p.detach() for p in network(num_classes=1).to(device()).parameters()][:-2] for _ in range(2)]
    teacher, student = parameters

    def work():
        torch._foreach_lerp_(teacher, student, 1 - 0.999)
        return 1
    return work


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    serve({
        "average/resnet18": update(torchvision.models.resnet18),
        "average/resnet50": update(torchvision.models.resnet50),
    }, "float32, all cores, _foreach_lerp_")
