"""Cost of preparing four image recipes in one reading of the files, beside four runs of their own.

112, 224 and 512 px, and 224 px with CLAHE, of PNG of 1024 x 1024 and of large JPEG: drawn
phantoms, or the files of a folder. Both ways are whole commands (`pixels`, its files written) in
one process, in alternating rounds, in CPU time of all threads; one reading makes the dataset's
own array, and the others then only put what is there in its place. The bits of all arrays are
compared.

Examples:
  OMP_NUM_THREADS=1 python benchmarks/recipes.py --rounds 5
  python benchmarks/recipes.py --files data/nih/images_001/images
"""

import argparse
import json
import logging
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cxrgrid import pixels
from cxrgrid.io.parquet import write_parquet
from cxrgrid.phantom import radiograph

RECIPES = {"": {}, "-size112": {"size": 112}, "-size512": {"size": 512}}
RECIPES |= {"-equalize-clahe": {"equalize": "clahe"}}
OWN = {"size": 224}  # the dataset's own image recipe


def draw(folder: Path, args: argparse.Namespace) -> dict[str, list[Path]]:
    """The images by kind: all PNG alike in size, all JPEG alike."""
    found: dict[str, list[Path]] = {"png": [], "jpg": []}
    for number in range(args.images):
        row = {"build": number, "film": number, "view": "PA", "sex": "M", "age": 50}
        film = Image.fromarray(radiograph({**row, "findings": {}}, 1024))
        film.save(folder / f"{number}.png")
        film.resize((args.width, args.height)).save(folder / f"{number}.jpg", quality=92)
        for kind, paths in found.items():
            paths.append(folder / f"{number}.{kind}")
    return found


def study() -> dict:
    """A study whose cells ask for the four recipes of one dataset."""
    recipes = {f"r{at}": {"image": image} for at, image in enumerate(RECIPES.values())}
    return {
        "study": "recipes",
        "datasets": {"one": {"adapter": "nih", "root": ".", "image": OWN}},
        "recipes": {"default": {}, **recipes},
        "grid": {"datasets": ["one"], "backbones": ["resnet18"], "recipes": list(recipes)},
    }


def prepare(folder: Path, suffix: str, args: argparse.Namespace, together: bool) -> None:
    """Run `pixels` for one array; together: with all that the study's cells ask for."""
    settings = {**OWN, **RECIPES[suffix], "unreadable": 0}
    options = ["--index", folder / "index.parquet", "--threads", args.threads]
    options += ["--out", folder / f"pixels{suffix}.npy"]
    options += ["--files", folder / f"pixels{suffix}.parquet"]
    options += ["--readable", folder / "pixels.parquet"] if suffix else []
    options += ["--study", folder.parent / "study.json"] if together else []
    pixels.main([json.dumps(settings), *map(str, options)])


def timed(folder: Path, images: list[Path], args: argparse.Namespace, together: bool) -> float:
    """CPU seconds of making the four arrays, all of it new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    root = images[0].parent
    names = [path.name for path in images] * args.repeats
    columns = {"image": names, "view": ["PA"] * len(names)}
    write_parquet(columns, folder / "index.parquet", {"root": str(root), "dataset": "one"})
    start = time.process_time()
    for suffix in RECIPES:
        prepare(folder, suffix, args, together)
    return time.process_time() - start


def race(folder: Path, images: list[Path], args: argparse.Namespace) -> dict[bool, list[float]]:
    """CPU seconds of both ways, in turn after a round to warm up; their bits are the same."""
    (folder / "study.json").write_text(json.dumps(study()))
    spent: dict[bool, list[float]] = {True: [], False: []}
    for number in range(args.rounds + 1):
        for together, seconds in spent.items():
            taken = timed(folder / str(together), images, args, together)
            seconds += [taken] if number else []
        for suffix in RECIPES:
            one, other = (np.load(folder / str(way) / f"pixels{suffix}.npy") for way in spent)
            if not np.array_equal(one, other):
                raise SystemExit(f"pixels{suffix}.npy: other bits in one reading")
    return spent


def report(kind: str, sides: tuple[int, int], spent: dict, images: int) -> None:
    """Medians and ranges per image, and the ratio of the medians."""
    middle = {way: statistics.median(seconds) for way, seconds in spent.items()}
    ratios = [one / four for one, four in zip(spent[True], spent[False], strict=True)]
    print(f"{kind} {sides[0]} x {sides[1]}, {images} images, n = {len(ratios)}, the same bits")
    for way, name in ((True, "one reading"), (False, "four runs")):
        low, mid, high = (
            1000 * value / images for value in (min(spent[way]), middle[way], max(spent[way]))
        )
        print(f"  {name:<12} {mid:6.1f} CPU-ms an image ({low:.1f}–{high:.1f})")
    low, high = min(ratios), max(ratios)
    print(f"  one / four   {middle[True] / middle[False]:.3f} (rounds {low:.3f}–{high:.3f})")


def main() -> None:
    """Draw or find the images, race, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=Path, nargs="+", help="folders, each of images of one kind")
    parser.add_argument("--images", type=int, default=16, help="to draw, or to take, of each kind")
    parser.add_argument("--repeats", type=int, default=32, help="how often each is in the list")
    parser.add_argument("--width", type=int, default=2800, help="of the JPEG files")
    parser.add_argument("--height", type=int, default=2400, help="of the JPEG files")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    logging.disable(logging.INFO)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folders = {str(path): sorted(path.iterdir())[: args.images] for path in args.files or ()}
        for kind, images in (folders or draw(folder, args)).items():
            spent = race(folder, images, args)
            with Image.open(images[0]) as first:
                report(kind, first.size, spent, len(images) * args.repeats)


if __name__ == "__main__":
    main()
