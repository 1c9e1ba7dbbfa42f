"""Duration of index, split and audit on all of ChestX-ray14's metadata.

The images are empty files of the published names, so that listing them is real and decoding is not
part of it: the audit runs without `--pixels`. Each command is a process of its own, imports and
files included; the file system's cache is warm. With `--hashes`, what the audit adds for pixels:
perceptual hashes of noise, and the search for near-identical images among as many hashes as there
are images.

Example:
  OMP_NUM_THREADS=1 python benchmarks/data.py METADATA/Data_Entry_2017_v2020.csv.gz \\
      --lists METADATA/train_val_list.txt.gz METADATA/test_list.txt.gz --hashes
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.data import near_duplicates
from cxrgrid.data.split_lists import read_list
from cxrgrid.datasets import nih
from cxrgrid.io.parquet import read_parquet, write_parquet

FOLDERS = 12
SETTINGS = {"adapter": "nih", "dataset": "nih", "labels": [], "task": "auto", "patient": ""}
SETTINGS |= {"columns": {}}
SQUARES = 2000  # images that are hashed, of 224 pixels


def lay_out(args: argparse.Namespace, root: Path) -> None:
    """ChestX-ray14 as it is unpacked, of empty files."""
    table = pd.read_csv(args.metadata, dtype=str, keep_default_na=False)
    table.to_csv(root / nih.CSVS[0], index=False)
    for number, part in enumerate(np.array_split(table["Image Index"].to_numpy(), FOLDERS), 1):
        folder = root / f"images_{number:03}" / "images"
        folder.mkdir(parents=True)
        for name in part:
            (folder / name).touch()
    for path in args.lists:
        (root / path.name.removesuffix(".gz")).write_text("\n".join(read_list(path)))


def run(name: str, *options: str) -> float:
    """Wall seconds of one command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", f"cxrgrid.{name}", *options]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def all_readable(folder: Path) -> int:
    """pixels.parquet as `pixels` would leave it; how many images there are."""
    images = read_parquet(folder / "index.parquet")[0]["image"].to_pylist()
    files = {"image": images, "row": np.arange(len(images)), "reason": [None] * len(images)}
    write_parquet(files, folder / "pixels.parquet", {"size": 224, "resize": "squash"})
    return len(images)


def time_commands(folder: Path, split: dict) -> tuple[dict[str, float], int]:
    """Seconds of index, split and audit, and the number of images."""
    settings = json.dumps(SETTINGS | {"root": str(folder / "nih")})
    index, files = f"--index={folder}/index.parquet", f"--files={folder}/pixels.parquet"
    table = f"{folder}/table.parquet"
    seconds = {"index": run("index", settings, f"--out={folder}/index.parquet")}
    images = all_readable(folder)
    seconds["split"] = run("split", json.dumps(split), index, files, f"--out={table}")
    seconds["audit"] = run("audit", index, files, f"--table={table}", f"--out={folder}/audit.json")
    return seconds | {"together": sum(seconds.values())}, images


def time_hashes(folder: Path, images: int) -> dict[str, float]:
    """Seconds to hash `SQUARES` images of noise, and to compare splits of `images` hashes."""
    rng = np.random.default_rng(0)
    np.save(folder / "pixels.npy", rng.integers(256, size=(SQUARES, 224, 224), dtype=np.uint8))
    start = time.perf_counter()
    near_duplicates.fingerprints(folder / "pixels.npy")
    hashed = time.perf_counter() - start
    hashes = rng.integers(256, size=(images, 32), dtype=np.uint8)
    train, val, test = np.split(hashes, [int(0.7 * images), int(0.8 * images)])
    start = time.perf_counter()
    for one, other in ((train, val), (train, test), (val, test)):
        near_duplicates.near(one, other)
    compared = time.perf_counter() - start
    return {f"hashes of {SQUARES:,} images": hashed, "near-identical, all": compared}


def shown(name: str, seconds: list[float]) -> str:
    """Median (least to most)."""
    return (
        f"{name:24} {statistics.median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
    )


def main() -> None:
    """Time all commands in rounds and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("metadata", type=Path, help="Data_Entry_2017_v2020.csv, gzipped or not")
    parser.add_argument("--lists", type=Path, nargs="*", default=[], help="the two official lists")
    parser.add_argument("--split", default="patient", help="a split by name: patient, official")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hashes", action="store_true", help="also what perceptual hashes take")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "nih").mkdir()
        lay_out(args, folder / "nih")
        split = {"name": args.split, "fractions": [0.7, 0.1, 0.2], "seed": 0}
        rounds = [time_commands(folder, split) for _ in range(args.rounds)]
        images = rounds[0][1]
        times = [seconds for seconds, _ in rounds]
        if args.hashes:
            for seconds in times:
                seconds |= time_hashes(folder, images)
        print(f"{images:,} images, split {args.split!r}; wall seconds, n = {args.rounds} rounds")
        for name in times[0]:
            print(shown(name, [seconds[name] for seconds in times]))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
