#!/usr/bin/env python3
"""Runs lists of experiments and prints their tables.

    python3 crates/slowburn/data/make_unbalanced.py OUT/files      (NumPy; for `unlike-classes` and `unlike-default`)
    python3 benches/trials/experiments.py EXPERIMENTS.json OUT [--only NAME,...] [--columns COLUMN ...] [--seeds 0,1,2] [--jobs 2]
        [--slowburn PATH]

EXPERIMENTS.json is a list of {"name", "command", "flags", "rows", "columns"}; rows and columns map a name to flags, of which every
row is joined with every column. In a flag, {seed} is the seed, {out} the folder OUT and {here} that of EXPERIMENTS.json. `until` lists
accuracies: the table then says after how many passes the curve of each seed first reached them. `over` names a row over which the
others' gains are given.
Runs lie in OUT/NAME/ROW/COLUMN/SEED: what is finished there is not run again, and what was stopped goes on. Accuracies are of
all test images after the last epoch, and nothing is chosen by them: for `train` that of the network that the method evaluates,
for `pretrain` nearest neighbours / linear probe.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def run(job, given):
    experiment, flags, folder, seed = job
    if (folder / "summary.json").exists():
        return
    command = [given.slowburn, experiment["command"]]
    if (folder / "config.json").exists():
        command += ["--resume", str(folder)]
    else:
        shutil.rmtree(folder, ignore_errors=True)
        command += ["--seed", str(seed), "--out", str(folder)]
        command += [flag.format(seed=seed, out=given.out, here=given.experiments.parent) for flag in flags]
    environment = dict(os.environ, RAYON_NUM_THREADS=os.environ.get("RAYON_NUM_THREADS", "1"))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        print(f"FAILED {' '.join(command)}\n{done.stderr[-1500:]}", flush=True)
        return
    # Checkpoints of finished runs are only for going on.
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    print(folder, flush=True)


def curve(folder, key):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]


def values(experiment, folder):
    """What a run is worth, one number or more."""
    summary = json.loads((folder / "summary.json").read_text())
    if experiment["command"] == "pretrain":
        return [100 * summary["knn_accuracy"], 100 * summary["linear_accuracy"]]
    names = ["teacher_accuracy", "supervised_accuracy", "student_accuracy"]
    if "until" in experiment:
        key = next(name for name in [names[0], names[2]] if curve(folder, name))
        reached = [[epoch for epoch, accuracy in curve(folder, key) if 100 * accuracy >= bar] for bar in experiment["until"]]
        return [min(epochs) if epochs else None for epochs in reached]
    return [100 * next(summary[name] for name in names if summary.get(name) is not None)]


def spread(numbers):
    deviation = f" ± {statistics.stdev(numbers):.2f}" if len(numbers) > 1 else ""
    return f"{statistics.mean(numbers):.2f}{deviation}"


def passes(numbers):
    """Of each seed."""
    return ", ".join("never" if number is None else str(number) for number in numbers)


def gain(numbers):
    """Over another row, within a seed."""
    return "+" * (statistics.mean(numbers) >= 0) + spread(numbers)


def table(experiment, given, seeds):
    columns, over = list(experiment["columns"]), experiment.get("over")
    print(f"\n{experiment['name']}\n| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))

    def found(row, column):
        folders = {seed: Path(given.out, experiment["name"], row, column, str(seed)) for seed in seeds}
        return {seed: values(experiment, folder) for seed, folder in folders.items() if (folder / "summary.json").exists()}

    for row in experiment["rows"]:
        cells = []
        for column in columns:
            runs, together = found(row, column), passes if "until" in experiment else spread
            if over not in (None, row):
                base, together = found(over, column), gain
                runs = {seed: [a - b for a, b in zip(run, base[seed])] for seed, run in runs.items() if seed in base}
            missing = "" if len(runs) == len(seeds) else f" ({len(runs)})"
            cells.append(" / ".join(together(numbers) for numbers in zip(*runs.values())) + missing)
        print(f"| {row} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("experiments", type=Path)
    parser.add_argument("out")
    parser.add_argument("--only", default="")
    parser.add_argument("--columns", nargs="+")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--slowburn", default="target/release/slowburn")
    given = parser.parse_args()
    only = [name for name in given.only.split(",") if name]
    experiments = [it for it in json.loads(given.experiments.read_text()) if not only or it["name"] in only]
    for experiment in experiments:
        chosen = experiment["columns"].items()
        experiment["columns"] = {name: flags for name, flags in chosen if not given.columns or name in given.columns}
    seeds = [int(seed) for seed in given.seeds.split(",")]
    jobs = []
    for experiment in experiments:
        for seed in seeds:
            for row, row_flags in experiment["rows"].items():
                for column, column_flags in experiment["columns"].items():
                    folder = Path(given.out, experiment["name"], row, column, str(seed))
                    jobs.append((experiment, [*experiment["flags"], *row_flags, *column_flags], folder, seed))
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda job: run(job, given), jobs))
    for experiment in experiments:
        table(experiment, given, seeds)


if __name__ == "__main__":
    main()
