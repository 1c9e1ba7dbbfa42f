"""The same bytes on every machine: what the user's environment says changes no result."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cxrgrid
from conftest import write_study

# `scandir` and `listdir` in another order, as another file system gives it.
REVERSED = """
import os
listdir, scandir = os.listdir, os.scandir
os.listdir = lambda *path: listdir(*path)[::-1]
class Reversed:
    def __init__(self, *path):
        with scandir(*path) as items:
            self.items = iter(list(items)[::-1])
    def __iter__(self): return self
    def __next__(self): return next(self.items)
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def close(self): pass
os.scandir = Reversed
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])  # a machine of one processor
"""
PLAIN = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
ODD = {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "4242", "OMP_NUM_THREADS": "2", "COLUMNS": "40"}
# As a notebook has it, and as systems do that build packages.
ODD |= {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "SOURCE_DATE_EPOCH": "86400"}
LOCALES = {"ascii": ("C", "POSIX", "ANSI_X3.4-1968"), "turkish": ("tr_TR", "tr_TR", "ISO-8859-9")}
IMAGE = '{"size": 32, "resize": "fit", "crop_to": "median", "equalize": "clahe", "unreadable": 0.2}'
SPLIT = '{"name": "patient", "fractions": [0.5, 0.25, 0.25], "seed": 0}'
INDEX = {"dataset": "mine", "adapter": "folder", "labels": [], "task": "auto", "columns": {}}
INDEX |= {"root": "images", "patient": r"p(\d+)"}
DATA = [
    ["index", json.dumps(INDEX), "--out", "index.parquet"],
    ["pixels", IMAGE, "--index=index.parquet", "--files=files.parquet", "--out=pixels.npy"],
    ["split", SPLIT, "--index=index.parquet", "--files=files.parquet", "--out=table.parquet"],
    ["audit", "--index=index.parquet", "--files=files.parquet", "--pixels=pixels.npy"]
    + ["--table=table.parquet", "--out=audit.json", "--hashes=hashes.npy"],
]
STUDY = "results/demo/study.json"
REPORT = "results/demo/report"
READINGS = "results/demo/readings.jsonl"
CSV = [f"--{name}={REPORT}/{name}.csv" for name in ("validation", "effects", "recommended")]
REPORTED = [
    ["score", STUDY, "--target=ward", "--out=s/ward.parquet"]
    + ["--curves=c/ward.parquet", "--thresholds=t/ward.parquet"],
    ["collect", STUDY, "--out-dir", REPORT],
    ["choose", STUDY, f"--out={REPORT}/validation.csv"],
    ["compare", "--study", STUDY, f"--out={REPORT}/comparisons.csv", *CSV]
    + [f"--configurations={REPORT}/configurations.csv"],
    ["table", STUDY, "--report", REPORT],
    ["figure", STUDY, "--report", REPORT, "--out-dir", f"{REPORT}/figures"],
    ["report", STUDY, "--report", REPORT],
]


USETEX = ["text.usetex: True", "font.size: 31", "savefig.dpi: 37", "font.family: serif"]


def images(folder: Path) -> None:
    """Images of twelve patients in two class folders; one has a name that is no ASCII."""
    rng = np.random.default_rng(0)
    for patient in range(24):
        place = folder / "images" / ("Pnömonie", "none")[patient % 2]
        place.mkdir(parents=True, exist_ok=True)
        grey = rng.integers(256, size=(40, 44), dtype=np.uint8)
        Image.fromarray(grey).save(place / f"p{patient}_I{'ıİ'[patient % 2]}.png")


def odd(folder: Path, name: str) -> dict[str, str]:
    """An environment in which everything differs that users differ in."""
    _, source, coding = LOCALES[name]
    made = subprocess.run(
        ["localedef", "-i", source, "-f", coding, folder / name], capture_output=True
    )
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(REVERSED)
    there = made.returncode < 2 and (folder / name).is_dir()
    said = {"LC_ALL": name if there else "C", "LOCPATH": str(folder)}
    said |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    path = os.pathsep.join([str(folder / "site"), str(Path(cxrgrid.__file__).parents[1])])
    return ODD | said | {"PYTHONPATH": path}


def made(folder: Path, commands: list[list[str]], environment: dict, umask: int) -> dict:
    """Bytes of all files that the commands leave in a folder, by path."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    clean |= {"GIT_DIR": "none"}  # the commit of the code is another matter
    clean |= {"PYTHONPATH": str(Path(cxrgrid.__file__).parents[1])}
    for name, *arguments in commands:
        command = [sys.executable, "-m", f"cxrgrid.{name}", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=clean | environment, umask=umask, capture_output=True
        )
        assert done.returncode == 0, (name, done.stderr.decode(errors="replace")[-2000:])
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pdf"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.long
@pytest.mark.parametrize("name", LOCALES)
def test_data_and_report_are_the_same_bytes_whatever_the_users_machine_says(tmp_path, name):
    """Locale, encoding, time zone, hash seed, umask, processors, order of files, fonts."""
    first = tmp_path / "one"
    images(first)
    write_study(first / "results")
    second = Path(shutil.copytree(first, tmp_path / "another"))
    plain = made(first, DATA + REPORTED, PLAIN, 0o022)
    # The log of readings has the moment of each: the same one for both.
    shutil.copy(first / READINGS, second / READINGS)
    (second / "matplotlibrc").write_text("\n".join(USETEX))
    other = made(second, DATA + REPORTED, odd(tmp_path, name), 0o077)
    del other["matplotlibrc"]
    assert plain.keys() == other.keys() and len(plain) > 60
    # Sizes and times of the files read, as they lie on this disk.
    apart = [path for path in plain if plain[path] != other[path] and "index.seen" not in path]
    assert not apart
