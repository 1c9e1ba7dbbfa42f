"""Shares of images and of readers' boxes that `crop_to: lungs` keeps.

The root is that of NIH ChestX-ray14, with all images or some and `BBox_List_2017.csv`; or any
folder of frontal radiographs, for which the boxes are left out.

Example:
  OMP_NUM_THREADS=1 python benchmarks/lungs.py data/nih
"""

import argparse
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cxrgrid.config.preparation import Image
from cxrgrid.data import image, lungs, publisher_files
from cxrgrid.datasets import nih

RECIPE = Image(crop_to="lungs")


def kept(box: tuple, part: tuple) -> float:
    """The share of a box's area that lies in the part."""
    width = min(box[2], part[2]) - max(box[0], part[0])
    height = min(box[3], part[3]) - max(box[1], part[1])
    return max(width, 0) * max(height, 0) / ((box[2] - box[0]) * (box[3] - box[1]))


def main() -> None:
    """Look for lungs in each image, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--most", type=int, default=1000, help="images at most, evenly (1000)")
    args = parser.parse_args()
    names = publisher_files.by_name(args.root, (".png", ".jpg", ".jpeg")).values()
    paths = sorted(args.root / name for name in names)
    marked = nih.boxes(args.root)
    boxed = set() if marked is None else set(marked["name"])
    chosen = {*paths[:: -(-len(paths) // args.most)], *(p for p in paths if p.name in boxed)}
    areas, seconds, shares = [], [], []
    for path in tqdm(sorted(chosen), disable=None):
        pixels, _ = image.opened(path, RECIPE, None)
        began = time.perf_counter()
        part = np.array(lungs.find(pixels)) / (2 * pixels.shape[::-1])
        seconds.append(time.perf_counter() - began)
        areas.append((part[2] - part[0]) * (part[3] - part[1]))
        if path.name in boxed:
            sides = marked.loc[marked["name"] == path.name, ["left", "top", "right", "bottom"]]
            shares += [kept(box, part) for box in sides.to_numpy()]
    low, middle, high = np.percentile(areas, (5, 50, 95))
    print(f"{len(areas)} images, {1000 * np.median(seconds):.1f} ms each (median)")
    print(f"kept of an image: median {middle:.0%}, 5 to 95 % of images {low:.0%} to {high:.0%}")
    if shares:
        whole = sum(share > 0.99 for share in shares)
        print(f"kept of {len(shares)} boxes: mean {np.mean(shares):.1%}, {whole} of them whole")


if __name__ == "__main__":
    main()
