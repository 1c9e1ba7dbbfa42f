"""Cost of linear probes on features, beside running the frozen network in each step.

One cell with `train: head` is trained three ways, each a whole training with its predictions, in
one process: each step through the whole network; on features that are computed first; and on
features that another cell has left. In CPU time of all threads, in alternating rounds, without the
imports, whose CPU time is measured in a process of its own, of the command that ends at once; the
ratios are given without and with them. The bits of the first two are compared, unless the first is
run for a part of the epochs (--each-step-epochs), whose cost is then multiplied.

Examples:
  OMP_NUM_THREADS=1 python benchmarks/probe.py --data results/data/kermany --images 800
  OMP_NUM_THREADS=1 python benchmarks/probe.py --data results/data/kermany --rounds 1 \\
      --each-step-epochs 2
"""

import argparse
import contextlib
import io
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from cxrgrid import train
from cxrgrid.config.cell import Cell
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.training import features
from cxrgrid.training.history import processor

WAYS = ("each step", "features first", "features there")


def part(data: Path, folder: Path, images: int) -> Path:
    """A copy of the dataset with so many of its images, evenly over its rows; 0: all."""
    table, facts = read_parquet(data / "table.parquet")
    rows = np.linspace(0, table.num_rows - 1, images or table.num_rows).astype(int)
    folder.mkdir()
    write_parquet(table.take(rows), folder / "table.parquet", facts)
    shutil.copy(data / "pixels.npy", folder / "pixels.npy")
    return folder


def timed(cell: Cell, data: Path, out: Path, way: str) -> tuple[float, bytes]:
    """CPU seconds of a training, and the bits of its weights and predictions."""
    if way == "features first":
        shutil.rmtree(data / "features", ignore_errors=True)
    usual = features.set_up
    if way == "each step":
        train.set_up = lambda run, *_: features.Images(run.model, "it is measured")
    start = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        train.main([msgspec.json.encode(cell).decode(), "--data", str(data), "--out", str(out)])
    train.set_up = usual
    files = [out / "model.safetensors", *sorted((out / "predictions").iterdir())]
    return time.process_time() - start, b"".join(path.read_bytes() for path in files)


def imports() -> float:
    """CPU seconds of what a training imports, as it is started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "cxrgrid.train", "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Race the ways, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="results/data/{dataset}")
    parser.add_argument("--images", type=int, default=0, help="of its images (0: all)")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--each-step-epochs", type=int, default=0, help="of the first way (0: all)")
    args = parser.parse_args()
    _, facts = read_parquet(args.data / "table.parquet")
    axes = {"study": "b", "dataset": facts["dataset"], "backbone": args.backbone, "recipe": "r"}
    cell = Cell(**axes, init="scratch", seed=0, train="head", epochs=args.epochs)
    spent: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        data = part(args.data, Path(folder) / "data", args.images)
        shape = np.load(data / "pixels.npy", mmap_mode="r").shape
        for number in range(args.rounds):
            bits = {}
            for way in WAYS:
                of = args.each_step_epochs if way == "each step" else 0
                asked = msgspec.structs.replace(cell, epochs=of or args.epochs)
                seconds, bits[way] = timed(asked, data, Path(folder) / f"{way} {number}", way)
                spent[way].append(seconds * args.epochs / asked.epochs)
            if bits["each step"] != bits["features first"] and not args.each_step_epochs:
                print("  the bits differ")
    usual = statistics.median(spent["each step"])
    whole = f"{args.images or shape[0]} of {shape[0]} images, {shape[1]} x {shape[2]}"
    print(f"{args.backbone}, {whole}, {args.epochs} epochs, n = {args.rounds}")
    print(f"{processor()}, {platform.machine()}; CPU seconds, median (range)")
    imported = statistics.median(imports() for _ in range(args.rounds))
    for way, seconds in spent.items():
        middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
        both = (usual + imported) / (middle + imported)
        times = f"{usual / middle:.1f} x, with the imports {both:.1f} x"
        print(f"  {way:<15} {middle:7.1f} ({low:.1f}–{high:.1f})   {times}")
    print(f"  imports         {imported:7.1f}")


if __name__ == "__main__":
    main()
