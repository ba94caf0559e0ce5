#!/usr/bin/env python3
"""Every method of few labels where labels or images are not as the papers have them: docs/experiments.md, "Unlike classes".

    python3 crates/slowburn/data/make_unbalanced.py FILES                  (NumPy)
    python3 benches/trials/unbalanced.py FILES RESULTS.csv [--seeds 0,1,2] [--jobs 2] [--slowburn PATH] [--arch small]

The settings: `even`, 100 labels, 10 of each class; `wide`, 161, from 50 of one class to 2 of another; `closed`, 60 labels of six
classes and unlabelled images of those alone; `open`, the same labelled images and unlabelled ones of all ten classes. Test images
of `closed` and `open` are of the six. The value is the accuracy on test images of what the program evaluates, after the last
epoch, and nothing is chosen by it. What is in RESULTS.csv is not run again.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

METHODS = ["supervised", "pi", "temporal", "mean-teacher", "ict", "fixmatch", "flexmatch", "freematch"]
SETTINGS = ["even", "wide", "closed", "open"]
FIELDS = ["setting", "method", "seed", "accuracy"]


def flags(setting, files, seed):
    folder = [] if setting in ("even", "wide") else ["--data", f"{files}/{setting}"]
    return [*folder, "--labels", f"{files}/{setting}-{seed}.txt"]


def run(job, given):
    setting, method, seed = job
    with tempfile.TemporaryDirectory(prefix="unbalanced-") as folder:
        line = [given.slowburn, "train", "--method", method, "--arch", given.arch, "--no-baseline", "--seed", str(seed),
                "--out", f"{folder}/run", *flags(setting, given.files, seed)]
        environment = dict(os.environ, RAYON_NUM_THREADS=os.environ.get("RAYON_NUM_THREADS", "1"))
        done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{job}: {' '.join(line)}\n{done.stderr[-2000:]}")
        summary = json.loads(Path(folder, "run", "summary.json").read_text())
    accuracy = summary["supervised_accuracy"] if method == "supervised" else summary["teacher_accuracy"]
    return dict(zip(FIELDS, [setting, method, seed, summary["student_accuracy"] if accuracy is None else accuracy]))


def rows(path):
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def table(found):
    print("| Method | " + " | ".join(SETTINGS) + " |\n|---|" + "---|" * len(SETTINGS))
    for method in METHODS:
        cells = []
        for setting in SETTINGS:
            values = [100 * float(row["accuracy"]) for row in found if (row["setting"], row["method"]) == (setting, method)]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{spread} %" if values else "")
        print(f"| {method} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files")
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--slowburn", default="target/release/slowburn")
    parser.add_argument("--arch", default="small")
    given = parser.parse_args()
    done = {(row["setting"], row["method"], int(row["seed"])) for row in rows(given.results)}
    jobs = [(setting, method, int(seed)) for seed in given.seeds.split(",") for method in METHODS for setting in SETTINGS]
    fresh = not given.results.exists()
    with given.results.open("a", newline="") as file, ThreadPoolExecutor(given.jobs) as pool:
        out = csv.DictWriter(file, FIELDS)
        if fresh:
            out.writeheader()
        for row in pool.map(lambda job: run(job, given), [job for job in jobs if job not in done]):
            out.writerow(row)
            file.flush()
    table(rows(given.results))


if __name__ == "__main__":
    main()
