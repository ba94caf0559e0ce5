"""Draws learning curves of both sides into one picture, and prints the last epoch's figures.

    python picture.py OUT.svg MT_OURS MT_THEIRS MOCO_OURS MOCO_THEIRS

Each argument behind the first is a folder: of runs of ours by seed (`0`, `1`, `2`), or of the rows of `mean_teacher.py` or `moco.py`
(`0.jsonl`, `1.jsonl`, `2.jsonl`). Needs matplotlib.
"""

import json
import re
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

# The same file from the same rows.
matplotlib.rcParams["svg.hashsalt"] = "slowburn"
OURS, THEIRS = "#0072b2", "#d55e00"


def rows(path, phase):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line.get("phase", phase) == phase]


def ours(folder, phase):
    """Rows of each seed, and the seconds that its training took."""
    runs = sorted(path for path in Path(folder).iterdir() if path.is_dir())
    seconds = [json.loads((run / "summary.json").read_text())["train_seconds"] for run in runs]
    return [rows(run / "metrics.jsonl", phase) for run in runs], seconds


def theirs(folder, phase):
    seeds = [rows(path, phase) for path in sorted(Path(folder).glob("*.jsonl"))]
    return seeds, [seed[-1]["seconds"] for seed in seeds]


def panel(axes, title, figure, sides):
    for name, color, (seeds, seconds) in sides:
        values = [[100 * row[figure] for row in seed] for seed in seeds]
        epochs = [row["epoch"] for row in seeds[0]]
        columns = list(zip(*values))
        axes.fill_between(epochs, list(map(min, columns)), list(map(max, columns)), color=color, alpha=0.2, lw=0)
        axes.plot(epochs, list(map(statistics.mean, columns)), color=color,
                  label=f"{name}, {statistics.median(seconds):.0f} s")
        last = [value[-1] for value in values]
        spread = statistics.stdev(last) if len(last) > 1 else 0.0
        print(f"{title}, {name}: {statistics.mean(last):.2f} ± {spread:.2f} % ({', '.join(f'{v:.2f}' for v in last)}), "
              f"{', '.join(f'{s:.0f}' for s in seconds)} s")
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_ylabel("%")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def main():
    out, mt_ours, mt_theirs, moco_ours, moco_theirs = sys.argv[1:]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    panel(left, "Mean Teacher: test accuracy of the teacher", "teacher_accuracy",
          [("Slowburn", OURS, ours(mt_ours, "mean-teacher")), ("PyTorch", THEIRS, theirs(mt_theirs, "mean-teacher"))])
    panel(right, "MoCo v2: neighbours among training images", "knn_accuracy",
          [("Slowburn", OURS, ours(moco_ours, "moco")), ("PyTorch", THEIRS, theirs(moco_theirs, "moco"))])
    figure.savefig(out, metadata={"Date": None})
    # Without the document type, which careful readers refuse.
    text = Path(out).read_text()
    Path(out).write_text(re.sub(r"<!DOCTYPE[^>]*>\s*", "", text))


if __name__ == "__main__":
    main()
