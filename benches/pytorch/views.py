"""The PyTorch side of `compare`: two views of each image by torchvision, on Pillow images as the papers' code has it.

    python views.py FOLDER CORES DEVICE

FOLDER has JPEG files, and 32x32 RGB images one behind the other in decoded.bin. Measures on request, see serve.py.
Settings: Pillow's own
SIMD-free wheels as pip installs them; one thread for the rows of one thread (torch.set_num_threads(1)), CORES
worker processes that persist and batches of the same size otherwise.
"""

import glob
import random
import sys

import numpy
import torch
import torchvision
import torchvision.transforms as T
from PIL import Image, ImageFilter
from serve import serve

CIFAR = T.Normalize([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616])
IMAGENET = T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
JITTER = T.RandomApply([T.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8)


class Blur:
    """Pillow's Gaussian blur of a random standard deviation."""

    def __call__(self, image):
        return image.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2.0)))


MOCO_CIFAR = T.Compose(
    [T.RandomResizedCrop(32), T.RandomHorizontalFlip(), JITTER, T.RandomGrayscale(p=0.2), T.ToTensor(), CIFAR])
RAND_AUGMENT = T.Compose(
    [T.RandomCrop(32, padding=4, padding_mode="reflect"), T.RandomHorizontalFlip(), T.RandAugment(2, 9), T.ToTensor(),
     CIFAR])
MOCO_V2 = T.Compose(
    [T.RandomResizedCrop(224, scale=(0.2, 1.0)), JITTER, T.RandomGrayscale(p=0.2), T.RandomApply([Blur()], p=0.5),
     T.RandomHorizontalFlip(), T.ToTensor(), IMAGENET])


class Decoded(torch.utils.data.Dataset):
    """Images in memory as H×W×C bytes, as torchvision.datasets.CIFAR10 holds them."""

    def __init__(self, folder, view=MOCO_CIFAR):
        self.pixels = numpy.fromfile(folder + "/decoded.bin", dtype=numpy.uint8).reshape(-1, 32, 32, 3)
        self.view = view

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        image = Image.fromarray(self.pixels[index])
        return self.view(image), self.view(image)


class Files(torch.utils.data.Dataset):
    """JPEG files, opened as torchvision.datasets.ImageFolder does."""

    def __init__(self, folder):
        self.paths = sorted(glob.glob(folder + "/*.jpg"))

    def __len__(self):
        return len(self.paths)

    def decode(self, index):
        with open(self.paths[index], "rb") as file:
            return Image.open(file).convert("RGB")

    def __getitem__(self, index):
        image = self.decode(index)
        return MOCO_V2(image), MOCO_V2(image)


def main():
    folder, cores = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    decoded, files = Decoded(folder), Files(folder)
    augmented = Decoded(folder, RAND_AUGMENT)

    def every(dataset, read):
        def work():
            for index in range(len(dataset)):
                read(index)
            return len(dataset)
        return work

    def epochs(dataset, batch):
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=batch, shuffle=True, drop_last=True, num_workers=cores, persistent_workers=True)

        def work():
            return sum(len(views[0]) for views in loader)
        return work

    tasks = {
        "views/moco_cifar": every(decoded, decoded.__getitem__),
        "views/rand_augment": every(augmented, augmented.__getitem__),
        "views/moco_v2": every(files, files.__getitem__),
        "decode": every(files, files.decode),
        "loader/moco_cifar": epochs(decoded, 256),
        "loader/moco_v2": epochs(files, 32),
    }
    serve(tasks, f"Pillow images, one thread, or {cores} persistent workers for loader")


if __name__ == "__main__":
    main()
