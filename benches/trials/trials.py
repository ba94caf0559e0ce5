#!/usr/bin/env python3
"""Runs trials of settings and keeps what each is worth on images that are for choosing only.

    python3 benches/trials/trials.py TRIALS.json RESULTS.csv [--seeds 100,101,102] [--jobs 2] [--slowburn PATH]

TRIALS.json is a list of {"name", "command", "flags", "config"}. Of `train`, 1,100 training images keep their label: 1,000 of
them are for choosing and in neither stream (`--validation`), 100 are learned from. The value of a trial is the accuracy on
those 1,000 after the last epoch. Of `pretrain`, it is that of the monitor's neighbours, every fifth training image among the
others, and the second value that of a linear probe on a tenth of the training images, by which the probe chooses its learning
rate. Test images are scored by the program and not read here. What is in RESULTS.csv is not run again.
"""

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FIELDS = ["name", "seed", "value", "second", "seconds"]
# 100 of 1,100 labels are learned from.
CHOOSING = ["--labels", "1100", "--validation", "0.9091"]


def rows(path):
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def run(trial, seed, program):
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    try:
        command = trial.get("command", "train")
        line = [program, command, "--seed", str(seed), "--out", str(folder / "run"), *trial.get("flags", [])]
        if command == "train":
            line += CHOOSING if "--labels" not in trial.get("flags", []) else []
        if trial.get("config"):
            (folder / "config.json").write_text(json.dumps(trial["config"]))
            line += ["--config", str(folder / "config.json")]
        environment = dict(os.environ, RAYON_NUM_THREADS=os.environ.get("RAYON_NUM_THREADS", "1"))
        done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{trial['name']}, seed {seed}: {' '.join(line)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        last = json.loads((folder / "run" / "metrics.jsonl").read_text().splitlines()[-1])
        summary = json.loads((folder / "run" / "summary.json").read_text())
        value, second = last.get("validation_accuracy"), None
        if command == "pretrain":
            probes = summary["scores"]["linear"]["candidates"]
            value, second = last["knn_accuracy"], max(probe["accuracy"] for probe in probes)
        return {"name": trial["name"], "seed": seed, "value": value, "second": second,
                "seconds": round(summary["train_seconds"], 1)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trials", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", default="100,101,102")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--slowburn", default="target/release/slowburn")
    given = parser.parse_args()
    trials = json.loads(given.trials.read_text())
    seeds = [int(seed) for seed in given.seeds.split(",")]
    done = {(row["name"], int(row["seed"])) for row in rows(given.results)}
    left = [(trial, seed) for trial in trials for seed in seeds if (trial["name"], seed) not in done]
    fresh = not given.results.exists()
    with given.results.open("a", newline="") as file, ThreadPoolExecutor(given.jobs) as pool:
        table = csv.DictWriter(file, FIELDS)
        if fresh:
            table.writeheader()
        for row in pool.map(lambda job: run(*job, given.slowburn), left):
            table.writerow(row)
            file.flush()
    found = rows(given.results)
    for trial in trials:
        values = [100 * float(row["value"]) for row in found if row["name"] == trial["name"] and row["value"]]
        seconds = [float(row["seconds"]) for row in found if row["name"] == trial["name"]]
        probes = [100 * float(row["second"]) for row in found if row["name"] == trial["name"] and row["second"]]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"{trial['name']:<44} {statistics.mean(values):6.2f} ± {spread:4.2f}  n {len(values)}  "
                  f"{statistics.mean(seconds):6.1f} s"
                  + (f"  second {statistics.mean(probes):6.2f}" if probes else ""))


if __name__ == "__main__":
    main()
