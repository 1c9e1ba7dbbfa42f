"""Find images that two datasets of a study share, by their pixels and by what is known of them.

A model that starts from one dataset and is tested on another must not have seen the test images.
Which these are stands in the file named by --seen: `score` leaves them out.

Example:
  python -m cxrgrid.overlap results/demo/study.json --out results/demo/overlap.json \\
      --seen results/demo/overlap.parquet
"""

import itertools
import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.cell import fold_folder
from cxrgrid.config.grid import Grid
from cxrgrid.config.study_json import read_grid
from cxrgrid.config.transfers import start_of
from cxrgrid.config.transfers import taught as taught_by
from cxrgrid.data import near_duplicates
from cxrgrid.data.hashed_images import Prepared, numbering, prepared
from cxrgrid.evaluation.wording import many
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text
from cxrgrid.io.parquet import read_parquet, write_parquet

MOST = 1000  # pairs in the file
SEEN = ["source", "target", "image", "reason"]
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
    ("chexpert_plus", "chexpert", "CheXpert Plus has CheXpert's radiographs again, with reports"),
    ("covid_radiography", "padchest", "2,473 of its COVID images come from PadChest's hospitals"),
]


def known(grid: Grid) -> list[str]:
    """Warnings for datasets of the study whose publishers are known to share images."""
    real = {
        name: grid.study.datasets[name].adapter
        for name in grid.used()
        if grid.study.datasets[name].phantom is None
    }
    return [
        f"{one} and {other} are known to share images: {which}. No model that has seen the one "
        "may be tested on the other."
        for first, second, which in KNOWN
        for one, other in itertools.permutations(real, 2)
        if (real[one], real[other]) == (first, second)
    ]


def seen_in_training(grid: Grid) -> list[str]:
    """Warnings for starts whose own training data are of the kind that they are tested on."""
    found: dict[tuple[str, str, str], None] = {}
    for cell in grid.cells:
        on = getattr(grid.study.weights.get(cell.init), "trained_on", ())
        for name in (cell.dataset, *grid.transfers.get(cell.dataset, [])):
            if grid.study.datasets[name].adapter in on:
                found[cell.init, name, grid.study.datasets[name].adapter] = None
    return [
        f"{init}: its weights were trained on images of {adapter}, as {name} is, and may have seen "
        f"{name}'s test images: its results on {name} may be too optimistic."
        for init, name, adapter in found
    ]


def known_by_start(grid: Grid, seen: pd.DataFrame) -> list[str]:
    """Warnings for cells whose start has trained on images or patients that they are tested on.

    seen: SEEN rows of the study; a start from another dataset, itself or by its own start.
    """
    count = seen.groupby(["target", "source"])["image"].nunique().to_dict()
    found: dict[tuple[str, str, str], None] = {}
    for cell in grid.cells:
        for source in dict.fromkeys(taught_by(grid, start_of(grid, cell))):
            if count.get((cell.dataset, source)):
                found[cell.init, cell.dataset, source] = None
    return [
        f"{init}: {count[dataset, source]:,} test images of {dataset} are like images of {source}, "
        f"or of its patients, which this start has trained on: its results on {dataset} may be too "
        "optimistic."
        for init, dataset, source in found
    ]


def compare(one: Prepared, other: Prepared, near: tuple[np.ndarray, ...]) -> dict:
    """The near-identical images of two datasets, equal ones among them; near: `twins.near`.

    images: how many of each have a like in the other; tested: how many test images of each are like
    a training image of the other; first: some pairs.
    """
    order = np.lexsort((near[1], near[0], near[2]))
    left, right, bits = (column[order] for column in near)
    tested = [(part.table["split"] == "test").to_numpy() for part in (one, other)]
    trained = [part.table["trained"].to_numpy() for part in (one, other)]
    seen = tested[0][left] & trained[1][right]
    shown = tested[1][right] & trained[0][left]
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


def taught(one: Prepared, other: Prepared, left: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """The test images of `one` like which `other` has one in training or validation: SEEN.

    left, right: rows of the pairs that are alike. A patient of whom `other` has an image there
    counts too, where both number their patients alike.
    """
    tested = one.table["split"] == "test"
    theirs = other.table["taught"]
    alike = np.zeros(len(one.table), bool)
    alike[left[theirs.to_numpy()[right]]] = True
    reasons = {"near-identical image": pd.Series(alike, one.table.index)}
    if other.people and other.people == one.people:
        reasons["same patient"] = one.table["patient"].isin(other.table.loc[theirs, "patient"])
    found = [
        one.table.loc[tested & rows, ["image"]].assign(reason=reason)
        for reason, rows in reasons.items()
    ]
    rows = pd.concat(found).drop_duplicates("image").sort_values("image")
    return rows.assign(source=other.name, target=one.name)[SEEN]


def people(name: str, grid: Grid) -> str:
    """Common numbering of patients of two datasets; empty if unknown.

    All published sets of an adapter do, and phantoms that are drawn from the same settings.
    """
    dataset = grid.study.datasets[name]
    if dataset.phantom:
        return f"{dataset.adapter} {dataset.phantom}"
    return numbering(dataset.adapter, Path(dataset.root))


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
            f"{other} are the same, or nearly (at most {near_duplicates.NEAR} of 255 bits of a "
            f"perceptual hash differ): {pair['tested'][0]:,} test images of {one} are training "
            f"images of {other}, and {pair['tested'][1]:,} the other way round."
        )
    if not pair["same_recipe"]:
        texts.append(
            f"{one} and {other} have other image recipes: images that they share may not have been "
            "found."
        )
    return texts


def with_folds(one: Prepared, data: Path, grid: Grid) -> Prepared:
    """The dataset with columns `trained` and `taught` (trained on or validated) of its images.

    An image counts that is so in any fold; of a cross-validated dataset nearly all are.
    """
    table = one.table.assign(trained=False, taught=False)
    for fold in grid.folds[one.name]:
        path = data / f"{one.name}{fold_folder(fold)}" / "table.parquet"
        columns = read_parquet(path, "image", "split")[0].select(["image", "split"]).to_pydict()
        split = table["image"].map(dict(zip(columns["image"], columns["split"], strict=True)))
        table["trained"] |= split == "train"
        table["taught"] |= split.isin(["train", "val"])
    return replace(one, table=table)


def main(argv: list[str] | None) -> None:
    """Compare all datasets of a study, two by two."""
    parser = cli.parser("overlap", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--out", type=Path, required=True, help="overlap.json")
    parser.add_argument(
        "--seen",
        type=Path,
        help="also the test images that other datasets' training images give away",
    )
    args = parser.parse_args(argv)
    grid = read_grid(args.study)
    data = args.data or args.study.parent.parent / "data"
    names = grid.used()
    datasets = [with_folds(prepared(n, data / n, people(n, grid)), data, grid) for n in names]
    pairs, seen = [], [pd.DataFrame(columns=SEEN, dtype=str)]
    for one, other in itertools.combinations(datasets, 2):
        near = near_duplicates.near(one.hashes, other.hashes)
        pairs.append(compare(one, other, near))
        seen += [taught(one, other, near[0], near[1]), taught(other, one, near[1], near[0])]
    every = pd.concat(seen, ignore_index=True)
    if args.seen:
        write_parquet(every, args.seen, {})
    warnings = known(grid) + seen_in_training(grid) + known_by_start(grid, every)
    warnings += [text for pair in pairs for text in shared(pair)]
    text = json.dumps({"pairs": pairs, "warnings": warnings}, indent=2, ensure_ascii=False)
    write_text(args.out, text + "\n")
    for warning in warnings:
        logging.warning(warning)
    logging.info(many(len(warnings), "warning"))


if __name__ == "__main__":
    cli.run(main)
