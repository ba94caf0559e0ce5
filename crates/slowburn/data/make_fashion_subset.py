"""Writes the shipped subset of Fashion-MNIST from Debian's package dataset-fashion-mnist.

    apt-get install dataset-fashion-mnist
    python3 crates/slowburn/data/make_fashion_subset.py [SOURCE] [TARGET]

Training: the first 1,000 images of each class in file order, kept in file order: 10,000 of 60,000.
Test: all 10,000. The files are IDX under their original names, gzip level 9 without time stamp, so two runs with one
version of zlib give the same bytes. Standard library only.
"""

import gzip
import pathlib
import struct
import sys

PER_CLASS = 1000
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def read(path, magic):
    """Dimensions and bytes of an IDX file of unsigned bytes."""
    data = gzip.decompress(path.read_bytes())
    assert struct.unpack(">I", data[:4])[0] == magic, path
    rank = magic & 0xFF
    dims = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return dims, data[4 + 4 * rank :]


def write(path, magic, dims, data):
    header = struct.pack(">I", magic) + struct.pack(f">{len(dims)}I", *dims)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        out.write(header + data)


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
    here = pathlib.Path(__file__).parent / "fashion-mnist"
    target = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else here
    for split, limit in [("train", PER_CLASS), ("t10k", None)]:
        (count, height, width), pixels = read(source / f"{split}-images-idx3-ubyte.gz", 0x803)
        (labelled,), labels = read(source / f"{split}-labels-idx1-ubyte.gz", 0x801)
        assert count == labelled == len(labels) and len(pixels) == count * height * width
        seen = [0] * len(CLASSES)
        chosen = []
        for index, label in enumerate(labels):
            seen[label] += 1
            if limit is None or seen[label] <= limit:
                chosen.append(index)
        size = height * width
        pixels = b"".join(pixels[i * size : (i + 1) * size] for i in chosen)
        write(target / f"{split}-images-idx3-ubyte.gz", 0x803, (len(chosen), height, width), pixels)
        write(target / f"{split}-labels-idx1-ubyte.gz", 0x801, (len(chosen),), bytes(labels[i] for i in chosen))
        print(split, len(chosen), "of", count)
    (target / "classes.txt").write_text("\n".join(CLASSES) + "\n")


main()
