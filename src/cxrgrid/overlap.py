"""Find images that two datasets of a study share, by their pixels and by what is known of them.

A model that starts from one dataset and is tested on another must not have seen the test images.

Example:
  python -m cxrgrid.overlap results/demo/study.json --out results/demo/overlap.json
"""

import itertools
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid import command, twins
from cxrgrid.config import Grid, UserError
from cxrgrid.data import read_parquet
from cxrgrid.frames import read_grid

MOST = 1000  # pairs in the file
# Adapters whose published datasets share images, and which.
KNOWN = [
    ("rsna", "nih", "all images of RSNA's pneumonia challenge come from ChestX-ray14"),
    ("siim", "nih", "all images of the SIIM-ACR challenge come from ChestX-ray14"),
    ("siim", "rsna", "the images of both come from ChestX-ray14"),
    (
        "covid_radiography",
        "kermany",
        "1,341 of its Normal and all 1,345 Viral Pneumonia images are Kermany's",
    ),
    (
        "covid_radiography",
        "rsna",
        "8,851 of its Normal and all 6,012 Lung Opacity images are RSNA's",
    ),
    ("covid_radiography", "nih", "14,863 of its images are RSNA's, which come from ChestX-ray14"),
    ("covid_radiography", "siim", "images of both come from ChestX-ray14"),
    ("covid_radiography", "padchest", "2,473 of its COVID images come from PadChest's hospitals"),
]


@dataclass(frozen=True)
class Prepared:
    """A dataset's images and their hashes uint8 [N, 32], row for row; its image recipe."""

    name: str
    table: pd.DataFrame
    hashes: np.ndarray
    recipe: dict


def known(grid: Grid) -> list[str]:
    """Warnings for datasets of the study whose publishers are known to share images."""
    real = {
        name: grid.study.datasets[name].adapter
        for name in grid.targets()
        if grid.study.datasets[name].phantom is None
    }
    return [
        f"{one} and {other} are known to share images: {which}. No model that has seen the one "
        "may be tested on the other."
        for first, second, which in KNOWN
        for one, other in itertools.permutations(real, 2)
        if (real[one], real[other]) == (first, second)
    ]


def compare(one: Prepared, other: Prepared) -> dict:
    """The near-identical images of two datasets, equal ones among them.

    images: how many of each have a like in the other; tested: how many test images of each are like
    a training image of the other; first: some pairs.
    """
    left, right, bits = twins.near(one.hashes, other.hashes)
    order = np.lexsort((right, left, bits))
    left, right, bits = left[order], right[order], bits[order]
    splits = [part.table["split"].to_numpy() for part in (one, other)]
    seen = (splits[0][left] == "test") & (splits[1][right] == "train")
    shown = (splits[1][right] == "test") & (splits[0][left] == "train")
    names = [part.table["image"].to_numpy() for part in (one, other)]
    first = zip(names[0][left[:MOST]], names[1][right[:MOST]], bits[:MOST].tolist(), strict=True)
    return {
        "datasets": [one.name, other.name],
        "images": [len(np.unique(left)), len(np.unique(right))],
        "of": [len(one.table), len(other.table)],
        "tested": [len(np.unique(left[seen])), len(np.unique(right[shown]))],
        "same_recipe": differs(one.recipe, other.recipe) == [],
        "first": [list(pair) for pair in first],
    }


def differs(one: dict, other: dict) -> list[str]:
    """The settings of two image recipes that are not alike; the size does not matter."""
    names = sorted({*one, *other} - {"size"})
    return [name for name in names if one.get(name) != other.get(name)]


def shared(pair: dict) -> list[str]:
    """Warnings on two datasets: images that they share, or that these could hardly be found."""
    texts = []
    (one, other), (ours, theirs) = pair["datasets"], pair["images"]
    if ours:
        texts.append(
            f"{ours:,} of {pair['of'][0]:,} images of {one} and {theirs:,} of {pair['of'][1]:,} of "
            f"{other} are the same, or nearly (at most {twins.NEAR} of 255 bits of a perceptual "
            f"hash differ): {pair['tested'][0]:,} test images of {one} are training images of "
            f"{other}, and {pair['tested'][1]:,} the other way round."
        )
    if not pair["same_recipe"]:
        texts.append(
            f"{one} and {other} have other image recipes: images that they share may not have been "
            "found."
        )
    return texts


def prepared(name: str, folder: Path) -> Prepared:
    """One dataset; `UserError` if its files do not belong together."""
    table, facts = read_parquet(folder / "table.parquet")
    path = folder / "hashes.npy"
    if not path.is_file():
        raise UserError(f"{path}: no such file; run snakemake to make it")
    frame, hashes = table.select(["image", "split", "row"]).to_pandas(), np.load(path)
    if frame["row"].max() >= len(hashes):
        raise UserError(f"{path}: is of other pixels than table.parquet; run snakemake again")
    return Prepared(name, frame, hashes[frame["row"]], facts.get("image", {}))


def main(argv: list[str] | None) -> None:
    """Compare all datasets of a study, two by two."""
    parser = command.parser("overlap", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--out", type=Path, required=True, help="overlap.json")
    args = parser.parse_args(argv)
    grid = read_grid(args.study)
    data = args.data or args.study.parent.parent / "data"
    datasets = [prepared(name, data / name) for name in grid.targets()]
    pairs = [compare(one, other) for one, other in itertools.combinations(datasets, 2)]
    warnings = known(grid) + [text for pair in pairs for text in shared(pair)]
    text = json.dumps({"pairs": pairs, "warnings": warnings}, indent=2, ensure_ascii=False)
    args.out.write_text(text + "\n")
    for warning in warnings:
        logging.warning(warning)


if __name__ == "__main__":
    command.run(main)
