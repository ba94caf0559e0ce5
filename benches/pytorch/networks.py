"""The networks of the papers in PyTorch: torchvision's ResNet-18 with a stem for 32x32 images, and the 13-layer ConvNet
of Mean Teacher (arXiv 1703.01780, table 5) with weight normalisation and mean-only batch normalisation
(arXiv 1602.07868), written from the papers and from slowburn-models' description."""

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


def resnet18(features):
    """ResNet-18 whose first convolution is 3x3 with stride 1, without pooling; as many outputs, or 0 for the features."""
    network = torchvision.models.resnet18(num_classes=features or 1)
    network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    network.maxpool = nn.Identity()
    if not features:
        network.fc = nn.Identity()
    return network


class Unit(nn.Module):
    """Convolution with kernels g v / |v|, the batch's mean subtracted, a bias, a leaky rectifier."""

    def __init__(self, channels_in, channels_out, kernel, padding):
        super().__init__()
        self.v = nn.Parameter(0.05 * torch.randn(channels_out, channels_in, kernel, kernel))
        self.g = nn.Parameter(torch.ones(channels_out, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("running_mean", torch.zeros(channels_out))
        self.padding = padding

    def forward(self, x):
        # PyTorch's own fused operation, that of torch.nn.utils.weight_norm.
        t = F.conv2d(x, torch._weight_norm(self.v, self.g, 0), padding=self.padding)
        mean = t.mean((0, 2, 3))
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), 0.001)
        return F.leaky_relu_(t + (self.bias - mean)[:, None, None], 0.1)


class ConvNet13(nn.Module):
    """Noise; three convolutions of 128 channels, pooling, dropout; three of 256, pooling, dropout; 512, 256, 128; mean."""

    def __init__(self, classes):
        super().__init__()
        self.block1 = nn.Sequential(Unit(3, 128, 3, 1), Unit(128, 128, 3, 1), Unit(128, 128, 3, 1))
        self.block2 = nn.Sequential(Unit(128, 256, 3, 1), Unit(256, 256, 3, 1), Unit(256, 256, 3, 1))
        self.block3 = nn.Sequential(Unit(256, 512, 3, 0), Unit(512, 256, 1, 0), Unit(256, 128, 1, 0))
        self.fc = nn.Linear(128, classes) if classes else nn.Identity()

    def forward(self, x):
        x = x + 0.15 * torch.randn_like(x)
        x = F.dropout(F.max_pool2d(self.block1(x), 2), 0.5)
        x = F.dropout(F.max_pool2d(self.block2(x), 2), 0.5)
        return self.fc(self.block3(x).mean((2, 3)))


NETWORKS = {"resnet18-cifar": resnet18, "conv_net13": ConvNet13}


def network(name, outputs, place):
    """A network in training mode, channels last."""
    torch.manual_seed(1)
    return NETWORKS[name](outputs).to(place).to(memory_format=torch.channels_last).train()


def images(batch, place):
    """Images of 32x32, channels last."""
    return torch.rand(batch, 3, 32, 32, device=place).mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
