"""Writes label files and folders of images that are unbalanced, for docs/own-images.md.

python make_unbalanced.py OUT          (NumPy)
"""

import gzip
import os
import struct
import sys

import numpy as np

OUT = sys.argv[1]
os.makedirs(OUT, exist_ok=True)
src = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fashion-mnist") + "/"


def rd(n):
    p = src + n
    f = gzip.open(p + ".gz") if os.path.exists(p + ".gz") else open(p, "rb")
    b = f.read()
    d = b[3]
    dims = struct.unpack(">" + "I" * d, b[4 : 4 + 4 * d])
    return np.frombuffer(b[4 + 4 * d :], np.uint8).reshape(dims)


X = rd("train-images-idx3-ubyte")
y = rd("train-labels-idx1-ubyte")
names = [l.strip() for l in open(src + "classes.txt")]


def part(folder, name, X, y):
    os.makedirs(folder, exist_ok=True)
    open(f"{folder}/{name}-images-idx3-ubyte", "wb").write(struct.pack(">IIII", 0x803, *X.shape) + X.tobytes())
    open(f"{folder}/{name}-labels-idx1-ubyte", "wb").write(struct.pack(">II", 0x801, len(y)) + y.tobytes())


def wr(folder, X, y):
    part(folder, "train", X, y)
    for n in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        for s in ("", ".gz"):
            if os.path.exists(src + n + s) and not os.path.exists(folder + "/" + n + s):
                os.symlink(src + n + s, folder + "/" + n + s)
    if not os.path.exists(folder + "/classes.txt"):
        os.symlink(src + "classes.txt", folder + "/classes.txt")


def lab(path, idx, y):
    open(path, "w").write("".join(f"{i} {names[y[i]]}\n" for i in idx))


counts_l = [31, 22, 16, 11, 8, 5, 3, 2, 1, 1]  # 100 labels, unbalanced
counts_w = [50, 35, 24, 17, 12, 8, 6, 4, 3, 2]  # 161 labels
counts_i = [1000, 562, 316, 178, 100, 56, 32, 18, 10, 5]  # images, a half decade... each 0.56 of the one before
for seed in range(3):
    rng = np.random.default_rng(seed)
    by = [rng.permutation(np.where(y == c)[0]) for c in range(10)]
    lab(f"{OUT}/even-{seed}.txt", np.concatenate([b[:10] for b in by]), y)
    lab(f"{OUT}/skewed-{seed}.txt", np.concatenate([b[:n] for b, n in zip(by, counts_l)]), y)
    lab(f"{OUT}/missing-{seed}.txt", np.concatenate([b[:11] for b in by[:9]]), y)
    keep = np.sort(np.concatenate([b[:n] for b, n in zip(by, counts_i)]))
    Xs, ys = X[keep], y[keep]
    wr(f"{OUT}/few-{seed}", Xs, ys)
    by2 = [rng.permutation(np.where(ys == c)[0]) for c in range(10)]
    lab(f"{OUT}/feweven-{seed}.txt", np.concatenate([b[:5] for b in by2]), ys)
    # random 50 of the images, as somebody who labels what comes
    lab(f"{OUT}/fewrandom-{seed}.txt", rng.permutation(len(ys))[:50], ys)
    lab(f"{OUT}/wide-{seed}.txt", np.concatenate([b[:n] for b, n in zip(by, counts_w)]), y)

# Images of ten classes, of which six have labels and are tested: `open` has them all, `closed` those of the six.
KNOWN = 6
T, t = rd("t10k-images-idx3-ubyte"), rd("t10k-labels-idx1-ubyte")
for name, keep in (("open", np.arange(len(y))), ("closed", np.where(y < KNOWN)[0])):
    wr(f"{OUT}/{name}", X[keep], y[keep])
    for test in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        for end in ("", ".gz"):
            if os.path.lexists(f"{OUT}/{name}/{test}{end}"):
                os.remove(f"{OUT}/{name}/{test}{end}")
    part(f"{OUT}/{name}", "t10k", T[t < KNOWN], t[t < KNOWN])
    number = {image: i for i, image in enumerate(keep)}
    for seed in range(3):
        rng = np.random.default_rng(100 + seed)
        chosen = np.concatenate([rng.permutation(np.where(y == c)[0])[:10] for c in range(KNOWN)])
        lab(f"{OUT}/{name}-{seed}.txt", [number[i] for i in chosen], y[keep])
