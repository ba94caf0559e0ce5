#!/usr/bin/env python3
"""Draws the learning curves of an experiment whose runs `experiments.py` has made: a panel for each column, a line for each row.

    python3 benches/trials/curves.py EXPERIMENTS.json OUT NAME PICTURE.svg [--columns 10 30] [--seeds 0,1,2]

A line is the mean over the seeds, an area goes from the lowest to the highest. Of `train` it is the test accuracy of the network that
the method evaluates, of `pretrain` that of the nearest neighbours among training images. Needs matplotlib.
"""

import argparse
import json
import re
import statistics
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from experiments import curve  # noqa: E402

# The same file from the same rows.
matplotlib.rcParams["svg.hashsalt"] = "slowburn"
# Okabe and Ito's colours, which colour-blind readers tell apart.
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
FIGURES = {"train": ["teacher_accuracy", "student_accuracy"], "pretrain": ["knn_accuracy"]}


def line(folders, command):
    """Epochs, and the accuracy of each seed at them."""
    seeds = []
    for folder in folders:
        curves = [curve(folder, figure) for figure in FIGURES[command]]
        seeds.append(dict(next(points for points in curves if points)))
    epochs = sorted(set.intersection(*map(set, seeds)))
    return epochs, [[100 * seed[epoch] for seed in seeds] for epoch in epochs]


def panel(axes, experiment, column, given):
    for (row, color) in zip(experiment["rows"], COLORS):
        folders = [Path(given.out, experiment["name"], row, column, seed) for seed in given.seeds.split(",")]
        folders = [folder for folder in folders if (folder / "summary.json").exists()]
        if not folders:
            continue
        epochs, values = line(folders, experiment["command"])
        axes.fill_between(epochs, list(map(min, values)), list(map(max, values)), color=color, alpha=0.2, lw=0)
        axes.plot(epochs, list(map(statistics.mean, values)), color=color, label=row)
    axes.set_title(column)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("experiments", type=Path)
    parser.add_argument("out")
    parser.add_argument("name")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--columns", nargs="+")
    parser.add_argument("--seeds", default="0,1,2")
    given = parser.parse_args()
    experiment = next(it for it in json.loads(given.experiments.read_text()) if it["name"] == given.name)
    columns = given.columns or list(experiment["columns"])
    size = (5 * len(columns), 4)
    figure, panels = plt.subplots(1, len(columns), figsize=size, layout="constrained", sharey=True, squeeze=False)
    for axes, column in zip(panels[0], columns):
        panel(axes, experiment, column, given)
    panels[0][0].set_ylabel("%")
    panels[0][0].legend(loc="lower right")
    figure.savefig(given.picture, metadata={"Date": None})
    # Without the document type, which careful readers refuse.
    given.picture.write_text(re.sub(r"<!DOCTYPE[^>]*>\s*", "", given.picture.read_text()))


if __name__ == "__main__":
    main()
