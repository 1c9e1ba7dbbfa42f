"""CPU seconds of small cells that share a job: imports of their own, or forks after one's imports.

All cells train at once, as in a job with `cells_per_gpu`; those that are forks pay for their server
too, which is given apart. The bits of both are compared.

Example:
  python benchmarks/forks.py --cells 8
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cxrgrid.io import forks
from cxrgrid.io.parquet import write_parquet

CELL = {"study": "t", "dataset": "toy", "backbone": "test_resnet", "init": "scratch"}
CELL |= {"recipe": "default", "weights": "", "epochs": 3, "batch_size": 8, "channels": 1}


def draw(folder: Path, n: int = 48) -> Path:
    """A dataset of noise, 32 pixels a side."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    np.save(folder / "pixels.npy", rng.integers(0, 255, (n, 32, 32), dtype=np.uint8))
    names = [str(at) for at in range(n)]
    columns = {"image": names, "patient": names, "row": np.arange(n)}
    columns["split"] = ["train"] * (n // 2) + ["val"] * (n // 4) + ["test"] * (n // 4)
    columns["A"] = rng.integers(0, 2, n).astype(float)
    facts = {"task": "multilabel", "labels": ["A"], "split": "patient", "split_hash": "abc"}
    write_parquet(columns, folder / "table.parquet", facts | {"image": {"size": 32}})
    return folder


def start(seed: int, data: Path, out: Path, env: dict[str, str]) -> subprocess.Popen:
    """A training as its rule starts it."""
    out.mkdir(parents=True)
    words = [json.dumps(CELL | {"seed": seed}), "--data", str(data), "--out", str(out)]
    with (out / "train.log").open("w") as log:
        command = [sys.executable, "-m", "cxrgrid.train", *words]
        return subprocess.Popen(command, env=os.environ | env, stdout=log, stderr=log)


def train(cells: int, data: Path, out: Path, env: dict[str, str]) -> str:
    """Train cells side by side; a hash of their weights and predictions."""
    running = [start(seed, data, out / str(seed), env) for seed in range(cells)]
    assert not any(process.wait() for process in running), (out / "0/train.log").read_text()
    files = sorted([*out.glob("*/model.safetensors"), *out.glob("*/predictions/*")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def used() -> float:
    """CPU seconds of all processes that have ended."""
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime + now.ru_stime


def forked(cells: int, data: Path, out: Path) -> str:
    """As `train`, by forks."""
    with forks.serving() as env:
        found = train(cells, data, out, env)
        time.sleep(1)  # for the server's accounts of its forks
        return found


def main() -> None:
    """Print CPU seconds a cell, apart and as forks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=8)
    cells = parser.parse_args().cells
    with tempfile.TemporaryDirectory() as name:
        data, marks, seconds = draw(Path(name) / "data"), [used()], [time.perf_counter()]
        found = []
        for way, number in (("apart", cells), ("one", 1), ("forks", cells)):
            act = (lambda *a: train(*a, {})) if way == "apart" else forked
            found.append(act(number, data, Path(name) / way))
            marks.append(used())
            seconds.append(time.perf_counter())
    assert found[0] == found[2], "other bits"
    apart, one, all_forks = np.diff(marks)
    wall = np.diff(seconds)
    print(f"{cells} toy cells side by side, load {os.getloadavg()[0]:.0f}; the same bits")
    print(f"apart: {apart / cells:.2f} CPU-s a cell, {wall[0] / cells:.1f} s")
    print(
        f"forks: {one:.2f} CPU-s the first, {(all_forks - one) / (cells - 1):.2f} each later one, "
    )
    print(f"       {all_forks / cells:.2f} a cell, {wall[2] / cells:.1f} s")


if __name__ == "__main__":
    main()
