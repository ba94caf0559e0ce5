"""Holds weights files, in and out, against PyTorch. Not in the gate: it takes some minutes and 1 GB of disk.

    pip install torch torchvision safetensors
    cargo build --workspace --bins
    python benches/pytorch/weights/prove.py target/debug FOLDER [SMALL MOCO]

FOLDER is for the files. SMALL and MOCO are folders of runs, made here where they are not given, on the images that the program
comes with:

    slowburn pretrain --epochs 2 --out FOLDER/small
    slowburn pretrain --arch resnet18 --epochs 0.02 --out FOLDER/moco      (three minutes, most of them scoring)

Errors are the largest difference from PyTorch in double precision as a part of the largest value, in each tensor; the
table has the worst of each kind. PyTorch in single precision has errors of its own, which stand beside ours.
"""

import copy
import hashlib
import json
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "crates/models/tests/weights/fixtures"))
from tar_form import save_tar  # noqa: E402

# Of logits, features and gradients, against double precision. Both sides compute in single precision, in another order.
TOLERANCE = {"eval": 1e-5, "train": 1e-5, "grad": 1e-4}
# Batches that are tried until one has gradients within their limit. In single precision a rectifier is open or not by the last
# digit of a number near zero, which happens in most batches of ResNet-50 and changes its gradients by percents: PyTorch's own
# as well as ours. Wrong weights would change them in every batch.
BATCHES = 8
# Of losses and weights after ten steps, against single precision.
TUNED = 1e-4
STEPS, BATCH, LR, MOMENTUM, WEIGHT_DECAY = 10, 64, 0.05, 0.9, 1e-3

NETWORKS = "resnet18", "resnet50"
FAILED = []


def check(what, value, limit):
    """Notes what is beyond its limit, and gives it as text. NaN is beyond every one."""
    if not value <= limit:
        FAILED.append(f"{what}: {value:.1e}, limit {limit:.0e}")
    return f"{value:.1e}"


def error(found, expected):
    found, expected = found.double(), expected.double()
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return ((found - expected).abs().max() / expected.abs().max()).item()


def errors(found, expected):
    """The worst tensor of each kind."""
    kinds = {"eval": ["eval"], "train": ["train"], "grad": [name for name in expected if name.startswith("grad.")]}
    assert set(found) == set(expected), set(found) ^ set(expected)
    return {kind: max(error(found[name], expected[name]) for name in names) for kind, names in kinds.items()}


def table(header, rows):
    print(f"\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)


def randomise(model, seed):
    """Running statistics, scales and shifts that no default could produce; the other weights stay as they began. What a block
    adds to its input is small, as in trained networks: errors of rounding do not grow from block to block."""
    generator = torch.Generator().manual_seed(seed)
    basic = isinstance(model.layer1[0], torchvision.models.resnet.BasicBlock)
    with torch.no_grad():
        for name, norm in model.named_modules():
            if isinstance(norm, nn.BatchNorm2d):
                noise = torch.randn(4, norm.num_features, generator=generator)
                gain = 0.1 if name.endswith("bn2" if basic else "bn3") else 1
                norm.weight.copy_(gain * (1 + 0.2 * noise[0]))
                norm.bias.copy_(gain * 0.2 * noise[1])
                norm.running_mean.copy_(0.2 * noise[2])
                norm.running_var.copy_(1 + 0.2 * noise[3].abs())
                norm.num_batches_tracked.fill_(7)
    return model


def pictures(seed):
    """Images that differ as a whole, so that their logits do."""
    generator = torch.Generator().manual_seed(seed)
    smooth = F.interpolate(torch.randn(4, 3, 8, 8, generator=generator), 64, mode="bilinear")
    return 1.5 * smooth + 0.3 * torch.randn(4, 3, 1, 1, generator=generator)


def floats(state, dtype=torch.float32):
    return OrderedDict((name, value.to(dtype)) for name, value in state.items() if value.is_floating_point())


# Weights in.


FORMS = {
    "zip": (".pth", torch.float32, torch.save),
    "legacy": (".pth", torch.float32, lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False)),
    "tar": (".pth.tar", torch.float32, lambda state, path: save_tar(path, floats(state))),
    "safetensors": (".safetensors", torch.float32, save_file),
    "zip of float16": (".pth", torch.float16, torch.save),
    "safetensors of bfloat16": (".safetensors", torch.bfloat16, save_file),
}


def reference(model, images):
    """What PyTorch computes, in the precision of its arguments."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        found = {"eval": model.eval()(images)}
    logits = model.train()(images)
    logits.square().mean().backward()
    found["train"] = logits.detach()
    return found | {f"grad.{name}": parameter.grad for name, parameter in model.named_parameters()}


def weights_in(ours, folder):
    output, inputs = folder / "output.safetensors", folder / "input.safetensors"

    def compare(name, path, held, double, batch):
        """Our errors and PyTorch's on a batch."""
        images = pictures(batch)
        save_file({"images": images}, inputs)
        ours("prove", "logits", name, path, inputs, output)
        expected = reference(double, images.double())
        return errors(load_file(output), expected), errors(reference(held, images), expected)

    rows = []
    for name in NETWORKS:
        torch.manual_seed(1)
        model = randomise(torchvision.models.get_model(name), 2)
        for form, (ending, dtype, save) in FORMS.items():
            state, path = OrderedDict(model.state_dict()) | floats(model.state_dict(), dtype), folder / f"{name}{ending}"
            save(state, path)
            # The numbers that the file holds, in a network of single and of double precision.
            held = copy.deepcopy(model)
            held.load_state_dict(state)
            double = copy.deepcopy(held).double()
            for batch in range(1, BATCHES + 1):
                found, theirs = compare(name, path, held, double, batch)
                for kind in ("eval", "train"):
                    check(f"{name}, {form}, {kind}, batch {batch}", found[kind], TOLERANCE[kind])
                if found["grad"] <= TOLERANCE["grad"]:
                    break
            check(f"{name}, {form}, gradients", found["grad"], TOLERANCE["grad"])
            rows.append([name, form, *(f"{found[kind]:.1e} ({theirs[kind]:.1e})" for kind in TOLERANCE), batch])
            path.unlink()
    table(["network", "file", "evaluation logits (PyTorch's)", "training logits", "gradients", "batch"], rows)


# Weights out.


def digest(path):
    """As the documentation of `Metadata` defines it, from the file alone."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__")
    stated, sha = metadata.pop("slowburn.sha256"), hashlib.sha256()
    for key, value in sorted(metadata.items()):
        sha.update(key.encode() + b"\0" + value.encode() + b"\0")
    for name, tensor in sorted(header.items()):
        shape = json.dumps(tensor["shape"], separators=(",", ":"))
        sha.update(b"\0".join([name.encode(), tensor["dtype"].encode(), shape.encode(), b""]))
        begin, end = tensor["data_offsets"]
        sha.update(content[start + begin:start + end])
    return stated, sha.hexdigest()


def check_digest(path):
    stated, computed = digest(path)
    if stated != computed:
        FAILED.append(f"{path.name}: its digest is {stated}, by the definition {computed}")
    return "as stated" if stated == computed else "WRONG"


def load_strictly(model, path):
    """Every name and every shape must be there, but for the counters of batches, which a new network has."""
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict(counters | load_file(path), strict=True)


def weights_out(ours, folder):
    rows, images = [], pictures(0)
    save_file({"images": images}, folder / "input.safetensors")
    for name in NETWORKS:
        path, output = folder / f"{name}.safetensors", folder / "output.safetensors"
        ours("prove", "write", name, path, folder / "input.safetensors", output)
        model = torchvision.models.get_model(name).eval()
        load_strictly(model, path)
        with torch.no_grad():
            found = error(load_file(output)["eval"], model.double()(images.double()))
        with safe_open(path, "pt") as file:
            network = file.metadata()["slowburn.network"]
        assert network == name, network
        rows.append([name, "nothing missing, nothing unexpected",
                     check(f"{name} out", found, TOLERANCE["eval"]), check_digest(path)])
        path.unlink()
    table(["network", "load_state_dict(strict=True)", "evaluation logits", "SHA-256 computed in Python"], rows)


# A run of ours, trained on.


class Small(nn.Module):
    """SmallConvNet, with a head."""

    def __init__(self):
        super().__init__()
        for number, (inputs, outputs, stride, padding) in enumerate([(1, 32, 2, 1), (32, 64, 2, 1), (64, 128, 1, 0)], 1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, 3, stride, padding, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(outputs))
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.leaky_relu(norm(conv(x)), 0.1)
        return self.fc(x.mean((2, 3)))


def body(model, state):
    """Loads what is below the head, and checks that the head alone is missing."""
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = {name for name in missing if not name.endswith("num_batches_tracked")}
    assert missing == {"fc.weight", "fc.bias"} and not unexpected, (missing, unexpected)
    return model


def fine_tuning(ours, slowburn, folder, run):
    path, output = folder / "small.safetensors", folder / "output.safetensors"
    slowburn("export", run, "--safetensors", path)
    torch.manual_seed(3)
    state = load_file(path)
    # Ours is below a projection head.
    model = body(Small(), {name: value for name, value in state.items() if not name.startswith("fc.")}).train()
    labels = torch.randint(10, (STEPS, BATCH))
    # A brighter band for each class: something to learn.
    images = 0.5 * torch.randn(STEPS, BATCH, 1, 28, 28)
    for row in range(28):
        images[:, :, 0, row] += (labels == row * 10 // 28)[:, :, None]
    save_file({"images": images, "labels": labels.float(), "fc.weight": model.fc.weight.detach().clone(),
               "fc.bias": model.fc.bias.detach().clone()}, folder / "batches.safetensors")
    ours("prove", "tune", path, folder / "batches.safetensors", output,
         "--lr", LR, "--momentum", MOMENTUM, "--weight-decay", WEIGHT_DECAY)
    found = load_file(output)

    sgd = torch.optim.SGD(model.parameters(), LR, MOMENTUM, weight_decay=WEIGHT_DECAY)
    losses = []
    for batch, classes in zip(images, labels):
        loss = F.cross_entropy(model(batch), classes)
        losses.append(loss.item())
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    rows = [[step, f"{theirs:.6f}", f"{mine:.6f}", check(f"loss of step {step}", abs(mine - theirs) / theirs, TUNED)]
            for step, (theirs, mine) in enumerate(zip(losses, found["losses"].tolist()), 1)]
    table(["step", "loss in PyTorch", "loss here", "difference, relative"], rows)
    after = floats(model.state_dict())
    assert set(after) == set(found) - {"losses"}, set(after) ^ set(found)
    learned = [name for name, _ in model.named_parameters()]
    moved = max(error(after[name], state[name]) for name in learned if not name.startswith("fc."))
    worst = max(error(found[name], after[name]) for name in learned)
    means = max(error(found[name], after[name]) for name in after if name.endswith("running_mean"))
    print(f"After step {STEPS}: weights {check('weights', worst, TUNED)}, running means {check('means', means, TUNED)}; "
          f"the ten steps moved a weight by {moved:.1e} of its tensor's largest.")


# MoCo's form.


def main_lincls(path, model):
    """What MoCo's linear evaluation does with `--pretrained`."""
    checkpoint = torch.load(path, map_location="cpu")
    assert checkpoint["arch"] == "resnet18"
    state, prefix = checkpoint["state_dict"], "module.encoder_q."
    for name in list(state):
        if name.startswith(prefix) and not name.startswith(prefix + "fc"):
            state[name[len(prefix):]] = state[name]
        del state[name]
    return body(model, state)


def moco(ours, slowburn, folder, run):
    path, output = folder / "moco.safetensors", folder / "output.safetensors"
    slowburn("export", run, "--safetensors", path, "--names", "moco")
    # The three lines of `moco_checkpoint`'s documentation.
    state = {"module." + name: tensor for name, tensor in load_file(path).items()}
    torch.save({"arch": "resnet18", "state_dict": state}, folder / "moco.pth.tar")
    assert state["module.queue"].shape[0] == state["module.encoder_q.fc.2.bias"].shape[0]
    assert state["module.queue_ptr"].dtype == torch.long and state["module.queue_ptr"].shape == (1,)
    assert {name for name in state if "encoder_q" in name} == {
        name.replace("encoder_k", "encoder_q") for name in state if "encoder_k" in name}

    model = torchvision.models.resnet18(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(1, 64, 3, 1, 1, bias=False), nn.Identity()
    model = main_lincls(folder / "moco.pth.tar", model).eval()
    model.fc = nn.Identity()
    images = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(4))
    save_file({"images": images}, folder / "grey.safetensors")
    ours("prove", "features", run / "query.safetensors", folder / "grey.safetensors", output)
    with torch.no_grad():
        found = error(load_file(output)["eval"], model.double()(images.double()))
    print(f"\nMoCo: main_lincls.py's loading misses fc.weight and fc.bias alone; features {check('MoCo', found, 1e-4)}; "
          f"SHA-256 {check_digest(path)}; queue {list(state['module.queue'].shape)}, "
          f"queue_ptr {state['module.queue_ptr'].item()}.")


def program(path):
    def call(*arguments):
        subprocess.run([path, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return call


def main(programs, folder, *runs):
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ours, slowburn = (program(Path(programs).resolve() / name) for name in ("slowburn-benches", "slowburn"))
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}", flush=True)
    weights_in(ours, folder)
    weights_out(ours, folder)
    if not runs:
        runs = folder / "small", folder / "moco"
        slowburn("pretrain", "--epochs", 2, "--out", runs[0])
        slowburn("pretrain", "--arch", "resnet18", "--epochs", 0.02, "--out", runs[1])
    small_run, moco_run = (Path(run).resolve() for run in runs)
    fine_tuning(ours, slowburn, folder, small_run)
    moco(ours, slowburn, folder, moco_run)
    print("\n" + "\n".join(FAILED or ["Everything is within its limits."]))
    sys.exit(bool(FAILED))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
