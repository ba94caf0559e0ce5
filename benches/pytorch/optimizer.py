"""The PyTorch side of `compare`: one step of SGD with momentum and weight decay over a ResNet-18.

    python optimizer.py FOLDER CORES DEVICE

Same protocol as views.py; an "image" is one step. Both of our optimizers are held against `SGD(fused=True)`. Gradients are
contiguous, as its backward pass leaves them.
"""

import sys

import torch
import torchvision
from serve import Lazy, device, serve


def make(*_):
    torch.manual_seed(1)
    parameters = list(torchvision.models.resnet18(num_classes=1).to(device()).parameters())[:-2]
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 1e-3)
    optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, weight_decay=1e-4, fused=True)

    def work():
        optimizer.step()
        return 1
    return work


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    serve(Lazy(make), "float32, all cores, SGD(fused=True)")
