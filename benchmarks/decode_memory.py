"""Memory that a decode takes, per pixel, beside what is counted before it is taken.

Draws noise, which packs worst, as a file of each kind into a temporary folder; each is decoded by a
process of its own. A decode must not take more than what was counted: the status is then 1.

Example:
  OMP_NUM_THREADS=1 python benchmarks/decode_memory.py --side 3000
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile

from cxrgrid.config import preparation
from cxrgrid.data import decode_memory, dicom, image

MEGABYTE = 1_000_000
SLACK = 30 * MEGABYTE  # of libraries that are loaded, and of the image once resized
ImageFile.MAXBLOCK = 1 << 28  # a progressive JPEG is written in one piece


def draw(folder: Path, side: int) -> None:
    """A file of each kind."""
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 65536, (side, side, 4), dtype=np.uint16)
    floats = rng.random((side, side), np.float32) * 1e6
    colour = Image.fromarray((deep[..., :3] >> 8).astype(np.uint8))
    alpha = Image.fromarray((deep >> 8).astype(np.uint8))
    grey = colour.getchannel(0)
    for name in ("png", "tif", "bmp", "jpg", "jp2", "webp", "gif"):
        grey.save(folder / f"grey.{name}")
        colour.save(folder / f"colour.{name}")
    for name in ("png", "tif", "jp2", "webp"):
        alpha.save(folder / f"alpha.{name}")
    for mode in ("1", "P", "LA"):
        alpha.convert(mode).save(folder / f"{mode}.png")
    colour.save(folder / "progressive.jpg", progressive=True, subsampling=0, quality=95)
    colour.convert("CMYK").save(folder / "cmyk-progressive.jpg", progressive=True, quality=95)
    colour.convert("CMYK").save(folder / "cmyk.tif")
    Image.fromarray(floats).save(folder / "floats.tif")
    Image.fromarray(floats.astype(np.int32)).save(folder / "whole.tif")
    for name in ("png", "tif", "pgm", "jp2"):
        cv2.imwrite(str(folder / f"grey16.{name}"), deep[..., 0])
    for name in ("png", "tif", "ppm"):
        cv2.imwrite(str(folder / f"colour16.{name}"), deep[..., :3])
    cv2.imwrite(str(folder / "alpha16.png"), deep)
    row = {"patient": "1", "study": "1", "sex": "F", "age": 60, "view": "PA"}
    dicom.write(folder / "grey.dcm", deep[..., 0].astype(np.uint8), row)
    dicom.write(folder / "grey16.dcm", deep[..., 0] & 4095, row)


def peak() -> int:
    """Bytes that this process has had at most since it was asked last."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")  # from now on
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def counted(path: Path) -> int:
    """Bytes that are counted for a file before it is decoded."""
    if path.suffix == ".dcm":
        return decode_memory.of_film(dicom.load(path))
    with Image.open(path, formats=image.FORMATS) as picture:
        return decode_memory.of_picture(picture, path)


def one(path: Path) -> None:
    """Decode a file in this process, and print what was counted, and what it took."""
    expected, (width, height) = counted(path), image.sides(path)
    peak()
    before = peak()
    image.decode(path, preparation.Image(size=512))
    took = peak() - before
    print(f"{path.name} {took / width / height:.1f} {expected / width / height:.1f}", flush=True)
    sys.exit(took > expected + SLACK)


def main() -> None:
    """Draw, decode each file in its own process, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--side", type=int, default=3000, help="pixels a side")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one)
    with tempfile.TemporaryDirectory() as name:
        draw(Path(name), args.side)
        print("file, bytes per pixel: taken, counted")
        again = [sys.executable, __file__, "--one"]
        failed = [
            path.name
            for path in sorted(Path(name).iterdir())
            if subprocess.run([*again, str(path)]).returncode
        ]
    if failed:
        sys.exit(f"more than counted, or not decoded: {', '.join(failed)}")


if __name__ == "__main__":
    main()
