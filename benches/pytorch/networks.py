"""The networks in PyTorch: torchvision's ResNet-18 with a stem for 32x32 images and its ResNet-50, and, written from the
papers and from slowburn-models' descriptions, the 13-layer ConvNet of Mean Teacher (arXiv 1703.01780, table 5) with weight
normalisation and mean-only batch normalisation (arXiv 1602.07868), Wide-ResNet-28-2 (arXiv 1605.07146) and the small
network of the default run. Each gives as many outputs as are asked for, or its features for 0."""

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


def without_head(network, outputs):
    if not outputs:
        network.fc = nn.Identity()
    return network


def resnet18(outputs):
    """The first convolution is 3x3 with stride 1, without pooling."""
    network = torchvision.models.resnet18(num_classes=outputs or 1)
    network.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    network.maxpool = nn.Identity()
    return without_head(network, outputs)


def resnet50(outputs):
    return without_head(torchvision.models.resnet50(num_classes=outputs or 1), outputs)


def head(channels, outputs):
    return nn.Linear(channels, outputs) if outputs else nn.Identity()


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

    def __init__(self, outputs):
        super().__init__()
        self.block1 = nn.Sequential(Unit(3, 128, 3, 1), Unit(128, 128, 3, 1), Unit(128, 128, 3, 1))
        self.block2 = nn.Sequential(Unit(128, 256, 3, 1), Unit(256, 256, 3, 1), Unit(256, 256, 3, 1))
        self.block3 = nn.Sequential(Unit(256, 512, 3, 0), Unit(512, 256, 1, 0), Unit(256, 128, 1, 0))
        self.fc = head(128, outputs)

    def forward(self, x):
        x = x + 0.15 * torch.randn_like(x)
        x = F.dropout(F.max_pool2d(self.block1(x), 2), 0.5)
        x = F.dropout(F.max_pool2d(self.block2(x), 2), 0.5)
        return self.fc(self.block3(x).mean((2, 3)))


class Small(nn.Module):
    """Three convolutions of 32, 64 and 128 channels, each with batch normalisation and a leaky rectifier; mean."""

    def __init__(self, outputs):
        super().__init__()
        shapes = [(1, 32, 2, 1), (32, 64, 2, 1), (64, 128, 1, 0)]
        self.units = nn.Sequential(*(
            nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, stride, padding, bias=False),
                          nn.BatchNorm2d(channels_out), nn.LeakyReLU(0.1, inplace=True))
            for channels_in, channels_out, stride, padding in shapes))
        self.fc = head(128, outputs)

    def forward(self, x):
        return self.fc(self.units(x).mean((2, 3)))


class WideBlock(nn.Module):
    """Two convolutions, each behind batch normalisation and a leaky rectifier; a projection where the shape changes."""

    def __init__(self, channels_in, channels_out, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        changes_shape = stride != 1 or channels_in != channels_out
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False) if changes_shape else None

    def forward(self, x):
        activated = F.leaky_relu_(self.bn1(x), 0.1)
        shortcut = self.shortcut(activated) if self.shortcut else x
        return shortcut + self.conv2(F.leaky_relu_(self.bn2(self.conv1(activated)), 0.1))


class WideResNet28x2(nn.Module):
    """A stem of 16 channels; four blocks each of 32, 64 and 128; batch normalisation, leaky rectifier, mean."""

    def __init__(self, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        widths = [16] + 4 * [32] + 4 * [64] + 4 * [128]
        strides = [1, 1, 1, 1] + [2, 1, 1, 1] + [2, 1, 1, 1]
        self.blocks = nn.Sequential(*map(WideBlock, widths, widths[1:], strides))
        self.bn1 = nn.BatchNorm2d(128)
        self.fc = head(128, outputs)

    def forward(self, x):
        x = F.leaky_relu_(self.bn1(self.blocks(self.conv1(x))), 0.1)
        return self.fc(x.mean((2, 3)))


# Each with the channels and the side of its images.
NETWORKS = {
    "resnet18-cifar": (resnet18, 3, 32),
    "resnet18-drop-in": (resnet18, 3, 32),
    "conv_net13": (ConvNet13, 3, 32),
    "small": (Small, 1, 28),
    "wrn_28_2": (WideResNet28x2, 3, 32),
    "resnet50": (resnet50, 3, 224),
}


def network(name, outputs, place):
    """A network in training mode, channels last."""
    torch.manual_seed(1)
    return NETWORKS[name][0](outputs).to(place).to(memory_format=torch.channels_last).train()


def images(name, batch, place):
    """Images for a network, channels last."""
    _, channels, side = NETWORKS[name]
    values = torch.rand(batch, channels, side, side, device=place).mul_(2).sub_(1)
    return values.contiguous(memory_format=torch.channels_last)
