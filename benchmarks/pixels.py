"""Speed of `pixels`, beside the fastest libraries on the same cores.

Draws phantoms as PNG of 1024 x 1024 and as large JPEG into a temporary folder, then prepares them
with cxrgrid (whole command, its files written) and with other libraries (decoding and resizing
only, on as many threads). Rounds alternate; the first is for warming up. Beside the speed stands
the mean distance from a plain average over areas: what is faster may just throw more away. Last,
the command's peak memory for a few and for twenty times as many images.

Example:
  OMP_NUM_THREADS=1 python benchmarks/pixels.py --threads 2
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cxrgrid import pixels
from cxrgrid.config import preparation
from cxrgrid.data import image
from cxrgrid.io.parquet import write_parquet
from cxrgrid.phantom import radiograph

KINDS = ("png", "jpg")


def draw(folder: Path, args: argparse.Namespace) -> dict[str, list[str]]:
    """The images' names by kind: all PNG alike in size, all JPEG alike."""
    names: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for number in range(args.images):
        row = {"build": number, "film": number, "view": "PA", "sex": "M", "age": 50}
        film = Image.fromarray(radiograph({**row, "findings": {}}, 1024))
        film.save(folder / f"{number}.png")
        film.resize((args.width, args.height)).save(folder / f"{number}.jpg", quality=92)
        for kind in KINDS:
            names[kind].append(f"{number}.{kind}")
    return names


def command(folder: Path, names: list[str], args: argparse.Namespace) -> list[str]:
    """Arguments of `python -m cxrgrid.pixels` for these images."""
    write_parquet({"image": names}, folder / "index.parquet", {"root": str(folder)})
    settings = json.dumps({"size": args.size, "resize": "squash", "unreadable": 0})
    paths = {"index": "index.parquet", "out": "pixels.npy", "files": "pixels.parquet"}
    options = [f"--{name}={folder / path}" for name, path in paths.items()]
    return [settings, *options, f"--threads={args.threads}"]


def pillow(path: Path, size: int) -> np.ndarray:
    """Pillow as most code uses it."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((size, size), Image.Resampling.BILINEAR))


def draft(path: Path, size: int) -> np.ndarray:
    """Pillow at its fastest: libjpeg decodes at the next larger scale, boxes before filtering."""
    with Image.open(path) as image:
        image.draft("L", (size, size))
        small = image.convert("L")
        return np.asarray(small.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=1.0))


def opencv(path: Path, size: int) -> np.ndarray:
    """OpenCV: decoded as grey, resized by areas."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)


def opencv_reduced(path: Path, size: int) -> np.ndarray:
    """OpenCV with libjpeg's halving; what it has no such thing for is read whole."""
    flag = cv2.IMREAD_REDUCED_GRAYSCALE_4 if path.suffix == ".jpg" else cv2.IMREAD_GRAYSCALE
    return cv2.resize(cv2.imread(str(path), flag), (size, size), interpolation=cv2.INTER_AREA)


def torchvision(path: Path, size: int) -> np.ndarray:
    """torchvision.io, with antialiasing."""
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms.v2.functional import resize

    return resize(decode_image(str(path), ImageReadMode.GRAY), [size, size], antialias=True).numpy()


def blur_free(path: Path, size: int) -> np.ndarray:
    """The reference: decoded whole, each output pixel the mean of the area that it covers."""
    with Image.open(path) as image:
        whole = Image.fromarray(np.asarray(image.convert("L"), dtype=np.float32))
    return np.asarray(whole.resize((size, size), Image.Resampling.BOX))


def error(decode: Callable, folder: Path, names: list[str], size: int) -> float:
    """Mean distance from the reference in grey levels: what a faster decoder pays with."""
    paths = [folder / name for name in names]
    return float(np.mean([abs(decode(p, size) - blur_free(p, size)).mean() for p in paths]))


def ours(path: Path, size: int) -> np.ndarray:
    """One image as cxrgrid decodes it."""
    return image.decode(path, preparation.Image(size=size))


def contenders(folder: Path, names: list[str], args: argparse.Namespace) -> dict[str, Callable]:
    """Each prepares all images once."""
    arguments = command(folder, names, args)

    def all_with(decode: Callable) -> Callable:
        def prepare() -> None:
            with ThreadPoolExecutor(args.threads) as pool:
                list(pool.map(lambda name: decode(folder / name, args.size), names))

        return prepare

    found = {name: all_with(decode) for name, decode in LIBRARIES.items() if decode is not ours}
    return {"cxrgrid": lambda: pixels.main(arguments), **found}


LIBRARIES = {"cxrgrid": ours, "Pillow": pillow, "Pillow draft": draft}
LIBRARIES |= {"torchvision.io": torchvision, "OpenCV": opencv, "OpenCV reduced": opencv_reduced}


def race(runs: dict[str, Callable], images: int, rounds: int) -> dict[str, list[float]]:
    """Images a second of each, round by round."""
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:
                speeds[name].append(images / (time.perf_counter() - start))
    return speeds


def report(kind: str, speeds: dict, errors: dict, args: argparse.Namespace) -> None:
    """Medians, ranges, cxrgrid's share of each, and how far each is from the reference."""
    sides = {"png": "1024 x 1024", "jpg": f"{args.width} x {args.height}"}[kind]
    print(f"\n{kind} {sides} to {args.size}, {args.threads} threads,", end=" ")
    print(f"{args.images} images {args.repeats} times; off: mean distance in grey levels")
    mine = statistics.median(speeds["cxrgrid"])
    for name, found in speeds.items():
        middle = statistics.median(found)
        print(
            f"  {name:15} {middle:7.1f} images/s ({min(found):.1f} to {max(found):.1f}, "
            f"n = {len(found)}); cxrgrid / this = {mine / middle:.2f}; off by {errors[name]:.2f}"
        )


def peak(arguments: list[str]) -> float:
    """Peak memory of the command as its own process, in MB."""
    # Not getrusage: a child's begins with what its parent, who has torch loaded, once used.
    code = (
        "import sys; from pathlib import Path; from cxrgrid import pixels;"
        "pixels.main(sys.argv[1:]);"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def main() -> None:
    """Draw, race, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=16, help="to draw of each kind")
    parser.add_argument("--repeats", type=int, default=8, help="how often each is in the list")
    parser.add_argument("--width", type=int, default=2800, help="of the JPEG files")
    parser.add_argument("--height", type=int, default=2400, help="of the JPEG files")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = draw(folder, args)
        for kind in KINDS:
            runs = contenders(folder, names[kind] * args.repeats, args)
            off = {
                name: error(decode, folder, names[kind][:8], args.size)
                for name, decode in LIBRARIES.items()
            }
            report(kind, race(runs, args.images * args.repeats, args.rounds), off, args)
        few = peak(command(folder, names["jpg"], args))
        many = peak(command(folder, names["jpg"] * 20, args))
    print(f"\npeak memory: {args.images} images {few:.0f} MB; {20 * args.images} {many:.0f} MB")


if __name__ == "__main__":
    main()
