"""Holds ONNX files of every network, at full size, against ONNX's checker and ONNX Runtime, on real images.

    pip install numpy pillow safetensors onnx onnxruntime
    python benches/pytorch/check_onnx.py images FOLDER GREY PHOTOS
    cargo run --release -p slowburn-models --example onnx_files -- FOLDER
    python benches/pytorch/check_onnx.py compare FOLDER

GREY is Fashion-MNIST's `t10k-images-idx3-ubyte.gz` (`crates/slowburn/data/fashion-mnist` has it), PHOTOS a folder with image
files at any depth. The Rust program between the two writes the files, and what the networks compute there and in tract.

For each file, `compare` runs the checker with shape inference (`full_check`), computes with ONNX Runtime all images at once and
one by one, which the free batch allows, and prints the largest difference as a part of the largest value. It fails if one is
above 1e-5. Disk: 1.3 GB, most of it ResNet-50's nine files.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

IMAGES = 5
TOLERANCE = 1e-5


def photo(path, side):
    """A photo of this many pixels a side, cut to a square: [3, side, side], values in [0, 1]."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        pixels = np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BILINEAR))
    return pixels.transpose(2, 0, 1).astype(np.float32) / 255


def images(folder, grey, photos):
    """Writes the images of each size that a network sees."""
    with gzip.open(grey) as file:
        pixels = np.frombuffer(file.read()[16:], np.uint8).reshape(-1, 1, 28, 28)[:IMAGES]
    files = sorted(path for path in Path(photos).rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    files = files[:: max(1, len(files) // IMAGES)][:IMAGES]
    if len(files) < IMAGES:
        sys.exit(f"{photos} has {len(files)} photos, but {IMAGES} are needed")
    tensors = {"1x28x28": pixels.astype(np.float32) / 255}
    for side in (32, 224):
        tensors[f"3x{side}x{side}"] = np.stack([photo(path, side) for path in files])
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file(tensors, Path(folder) / "images.safetensors")


def error(found, expected):
    """The largest difference, as a part of the largest value."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def run(path, pixels):
    """What ONNX Runtime computes from all images at once, and one by one."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    assert name == "images" and session.get_inputs()[0].shape[0] == "batch"
    together = session.run(None, {name: pixels})[0]
    alone = np.concatenate([session.run(None, {name: image[None]})[0] for image in pixels])
    return together, alone


def compare(folder):
    """Checks every file, and prints a line for each."""
    import json

    import onnx

    folder = Path(folder)
    outputs, pictures = load_file(folder / "outputs.safetensors"), load_file(folder / "images.safetensors")
    names = [name for name in outputs if not name.startswith("tract/")]
    worst = 0.0
    print("| File | ONNX Runtime | one by one | tract | nodes | BatchNormalization | bytes |\n|---|---|---|---|---|---|---|")
    for name in names:
        path = folder / name
        onnx.checker.check_model(str(path), full_check=True)
        model = onnx.load(path, load_external_data=False)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        pixels = pictures["x".join(map(str, json.loads(metadata["slowburn.image"])))]
        if metadata["slowburn.input"] == "normalised":
            mean, std = (np.array(json.loads(metadata[f"slowburn.{key}"]), np.float32) for key in ("mean", "std"))
            pixels = (pixels - mean[:, None, None]) / std[:, None, None]
        errors = [error(found, outputs[name]) for found in (*run(path, pixels), outputs[f"tract/{name}"])]
        worst = max(worst, *errors)
        nodes = [node.op_type for node in model.graph.node]
        row = [name, *(f"{value:.1e}" for value in errors), len(nodes), nodes.count("BatchNormalization")]
        print("| " + " | ".join(map(str, [*row, path.stat().st_size])) + " |")
    print(f"\n{len(names)} files, largest difference {worst:.1e}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["images", folder, grey, photos]:
            images(folder, grey, photos)
        case ["compare", folder]:
            compare(folder)
        case _:
            sys.exit(__doc__)
