"""Run docs/first-study.md as it stands, and write what its commands print into it.

Draws the page's images, runs each `$ …` of it in results/first-study, and puts the console's lines
below the command; a block of YAML that a sentence announces with a file's name changes the study
that was written before. `make pictures` then takes the picture of its report.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from cxrgrid.config.preparation import Phantom
from cxrgrid.datasets import kermany
from cxrgrid.io.atomic import write_text
from cxrgrid.phantom import Image, make_cohort, radiograph

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/first-study.md"
FOLDER = ROOT / "results/first-study"
SHARED = ("Snakefile", "workflow", "profiles", "envs", "papers", "src")
DRAWN = Phantom(patients=129, seed=1, size=96)
FAILS = "study=mine-failed"
CLASSES = {"Normal": "Healthy"}  # the others keep their names
NOISE = re.compile(r"Using workflow specific profile ")
BLOCK = re.compile(r"```(yaml)?\n(.*?)```", re.S)
CHANGED = re.compile(r"`(studies/\S+\.yaml)` copied to `(studies/\S+\.yaml)`")


def draw(folder: Path) -> None:
    """Radiographs in one folder per class, a patient's number in each name."""
    for row in make_cohort(DRAWN, kermany.PHANTOM):
        [label] = row["labels"]
        name = f"p{row['patient']:03}_{row['study'] + 1}.jpeg"
        path = folder / CLASSES.get(label, label) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(radiograph(row, DRAWN.size))).save(path, quality=90)


def merged(study: dict, changes: dict) -> dict:
    """A study with the settings of a shorter one put over it."""
    both = {key: (study[key], changes[key]) for key in study.keys() & changes.keys()}
    inner = {
        key: merged(*pair) for key, pair in both.items() if all(isinstance(p, dict) for p in pair)
    }
    return study | changes | inner


def change(page: str, end: int, text: str, folder: Path) -> None:
    """Write the study that the page, up to `end`, says to copy, with the changes of a block."""
    source, target = CHANGED.findall(page[:end])[-1]
    study = yaml.safe_load((folder / source).read_text("utf-8"))
    changes = yaml.safe_load(text.replace("…\n", ""))
    write_text(folder / target, yaml.safe_dump(merged(study, changes), sort_keys=False))


def run(command: str, folder: Path) -> str:
    """The lines that a command prints, in `folder`; the last on the page is to fail, no other."""
    done = subprocess.run(
        command, shell=True, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if (done.returncode != 0) != (FAILS in command):
        sys.exit(f"{done.stdout}error: {command} ended with status {done.returncode}")
    lines = [line for line in done.stdout.splitlines() if not NOISE.match(line)]
    text = "\n".join(line.rstrip() for line in lines)
    return text.replace(f"file://{folder}", "file:///…").replace(f"{folder}/", "").rstrip() + "\n"


def told(page: str, folder: Path) -> str:
    """The page with the output of each of its commands, which are run in their order."""
    parts, at = [], 0
    for block in BLOCK.finditer(page):
        text = block[2]
        if block[1]:
            change(page, block.start(), text, folder)
        elif text.startswith("$ "):
            command = text.partition("\n")[0]
            print(command, flush=True)
            text = f"{command}\n{run(command[2:], folder)}"
        parts += [page[at : block.start(2)], text]
        at = block.end(2)
    return "".join([*parts, page[at:]])


def prepare(folder: Path) -> None:
    """An empty folder with the workflow and the drawn images."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SHARED:
        (folder / name).symlink_to(ROOT / name)
    draw(folder / "data/mine")


def main() -> None:
    """Make the page anew."""
    prepare(FOLDER)
    bins = Path(sys.executable).parent
    os.environ |= {"PATH": f"{bins}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    write_text(PAGE, told(PAGE.read_text("utf-8"), FOLDER))


if __name__ == "__main__":
    main()
