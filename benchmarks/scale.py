"""Time that Snakemake takes to plan 10,000 cells, beside a toy workflow with as many jobs.

Both are dry runs, in turn. The toy has the same rules with as many inputs and outputs, and no
config; and `parse` is what the Snakefile takes before any job, over an empty one.

Example:
  python benchmarks/scale.py --cells 10000 --rounds 3
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SEEDS = 100
TOY = """
rule all:
    input:
        expand("out/{{cell}}/score", cell=range({groups})),


rule train:
    input:
        "table",
        "pixels",
    output:
        cell="cells/{{group}}/{{seed}}/cell.json",
        model="cells/{{group}}/{{seed}}/model",
        history="cells/{{group}}/{{seed}}/history",
        val="cells/{{group}}/{{seed}}/val",
        test="cells/{{group}}/{{seed}}/test",
    log:
        "cells/{{group}}/{{seed}}/log",
    shell:
        "true"


rule score:
    input:
        expand("cells/{{{{cell}}}}/{{seed}}/{{name}}", seed=range({seeds}), name=["val", "test"]),
    output:
        "out/{{cell}}/score",
    shell:
        "true"
"""


def study(cells: int) -> dict:
    """A study of so many cells: recipes × seeds of one dataset and backbone."""
    recipes = {"default": {"epochs": 1}}
    recipes |= {f"r{number}": {"lr": 1e-4 * (number + 1.5)} for number in range(cells // SEEDS - 1)}
    phantom = {"patients": 30, "size": 64}
    return {
        "study": "scale",
        "datasets": {"ward": {"adapter": "nih", "phantom": phantom}},
        "recipes": recipes,
        "grid": {
            "datasets": ["ward"],
            "backbones": ["resnet18"],
            "recipes": list(recipes),
            "seeds": list(range(SEEDS)),
        },
    }


def timed(folder: Path, snakefile: Path, *arguments: str) -> tuple[float, float]:
    """CPU seconds and MB of one dry run that prints nothing."""
    command = [sys.executable, "-m", "snakemake", "-s", str(snakefile), "-n", "-q", "--cores", "2"]
    process = subprocess.Popen(
        [*command, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(errors.decode())
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def report(name: str, runs: list[tuple[float, float]]) -> float:
    """Print the median and the range of a side; the median."""
    seconds = [run[0] for run in runs]
    middle = statistics.median(seconds)
    memory = max(run[1] for run in runs)
    print(
        f"{name:<18} {middle:6.2f} s CPU ({min(seconds):.2f}–{max(seconds):.2f}), {memory:.0f} MB"
    )
    return middle


def main() -> None:
    """Prepare both sides, run them in turn, print both and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "study.yaml").write_text(yaml.safe_dump(study(args.cells)))
        (folder / "one.yaml").write_text(yaml.safe_dump(study(2 * SEEDS)))
        for file in ("table", "pixels"):
            (folder / file).touch()
        (folder / "Toy").write_text(TOY.format(groups=args.cells // SEEDS, seeds=SEEDS))
        (folder / "Empty").write_text("rule all:\n    shell:\n        'true'\n")
        target = ["results/scale/study.json"]
        sides = {
            "cxrgrid": (ROOT / "Snakefile", "--configfile", "study.yaml"),
            "toy": (folder / "Toy",),
            "cxrgrid, parse": (ROOT / "Snakefile", *target, "--configfile", "one.yaml"),
            "bare snakemake": (folder / "Empty",),
        }
        runs: dict[str, list] = {side: [] for side in sides}
        timed(folder, *sides["cxrgrid, parse"])  # which backbones take which sizes is asked once
        started = time.perf_counter()
        for _ in range(args.rounds):
            for side, (snakefile, *arguments) in sides.items():
                runs[side].append(timed(folder, snakefile, *arguments))
        middle = {side: report(side, runs[side]) for side in sides}
    print(f"{args.cells} cells, {args.rounds} rounds, {time.perf_counter() - started:.0f} s in all")
    print(f"cxrgrid / toy: {middle['cxrgrid'] / middle['toy']:.2f}")
    print(f"parse over bare: {middle['cxrgrid, parse'] - middle['bare snakemake']:.2f} s CPU")


if __name__ == "__main__":
    main()
