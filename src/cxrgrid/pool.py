"""Find images of pooled datasets that are like a held-out image, so that no cell trains on them.

A cell that trains on several datasets (`train_on`) leaves out of training and validation what is
nearly identical to a test image of any dataset that it reads or that the study tests, and out of
training what is nearly identical to a validation image of another dataset that it reads; also the
other images of such a patient, where two datasets number their patients alike.

Example:
  python -m cxrgrid.pool results/data/nih results/data/chexpert \\
      --tested results/data/nih results/data/chexpert results/data/padchest --out pool.parquet
"""

import logging
from pathlib import Path

import pandas as pd

from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import division, read_by
from cxrgrid.config.study_json import read_grid
from cxrgrid.data import near_duplicates
from cxrgrid.data.hashed_images import Prepared, numbering, prepared
from cxrgrid.data.pooled_part import check_cells
from cxrgrid.data.split_arrays import read_part
from cxrgrid.io import cli
from cxrgrid.io.parquet import read_parquet, write_parquet

COLUMNS = ["dataset", "image", "split", "held_out", "part", "like", "reason"]


def like_held_out(trained: Prepared, other: Prepared, pooled: bool) -> pd.DataFrame:
    """Images of one dataset that are like a held-out image of another: COLUMNS.

    pooled: the other is trained on too, so that its validation images count: training images that
    are like one are listed. like: one such image. Within one dataset validation images do not
    count, nor other images of a test patient: whether a split keeps patients apart is the audit's
    concern.
    """
    found = [like_part(trained, other, "test", ("train", "val"))]
    if pooled and trained.name != other.name:
        found.append(like_part(trained, other, "val", ("train",)))
    frame = pd.concat(found).drop_duplicates("image")
    return frame.assign(dataset=trained.name, held_out=other.name)[COLUMNS]


def like_part(trained: Prepared, other: Prepared, part: str, splits: tuple) -> pd.DataFrame:
    """Images in some splits of one dataset that are like an image in one part of another."""
    ours = trained.table[trained.table["split"].isin(splits)]
    theirs = other.table[other.table["split"] == part]
    left, right, _ = near_duplicates.near(trained.hashes[ours.index], other.hashes[theirs.index])
    found = [rows(ours.iloc[left], theirs["image"].to_numpy()[right], "near-identical image")]
    if numbered(trained, other):
        first = theirs.drop_duplicates("patient").set_index("patient")["image"]
        same = ours[ours["patient"].isin(first.index)]
        found.append(rows(same, first.loc[same["patient"]].to_numpy(), "same patient"))
    return pd.concat(found).drop_duplicates("image").assign(part=part)


def numbered(one: Prepared, other: Prepared) -> bool:
    """True if two datasets number their patients alike."""
    return one.name != other.name and bool(one.people) and one.people == other.people


def rows(images: pd.DataFrame, like: list[str], reason: str) -> pd.DataFrame:
    """Images with the held-out image that each is like."""
    return images[["image", "split"]].assign(like=like, reason=reason)


def read_images(folder: Path) -> Prepared:
    """The images of a prepared dataset, from its folder."""
    facts = read_parquet(folder / "table.parquet")[1]
    return prepared(facts["dataset"], folder, people(facts))


def cells_of(grid: Grid, folders: list[Path]) -> list[Cell]:
    """The cells that train on exactly these folders."""
    asked = {str(folder) for folder in folders}
    pooling = [cell for cell in grid.cells if cell.train_on]
    return [c for c in pooling if {division(grid, c, name) for name in read_by(c)} == asked]


def people(facts: dict) -> str:
    """Common numbering of patients of two datasets; of a phantom that of its folder."""
    adapter, root = facts.get("adapter", ""), Path(facts.get("root", ""))
    if not adapter or root.name == "phantom":
        return f"{adapter} {root.resolve()}"
    return numbering(adapter, root)


def main(argv: list[str] | None) -> None:
    """Compare the pooled datasets with all that are tested."""
    parser = cli.parser("pool", __doc__)
    parser.add_argument("data", type=Path, nargs="+", help="results/data/{dataset} of each")
    parser.add_argument(
        "--tested", type=Path, nargs="+", required=True, help="folders of the tested datasets"
    )
    parser.add_argument("--out", type=Path, required=True, help="the Parquet file to write")
    parser.add_argument("--study", type=Path, help="its config: can its cells train on the pool?")
    args = parser.parse_args(argv)
    read = {path: read_images(path) for path in dict.fromkeys([*args.data, *args.tested])}
    empty = pd.DataFrame(columns=COLUMNS, dtype=str)
    pairs = [
        (read[one], read[other], other in args.data) for one in args.data for other in args.tested
    ]
    frame = pd.concat([empty, *(like_held_out(*pair) for pair in pairs)])
    frame = frame.sort_values(COLUMNS).reset_index(drop=True)
    if args.study:
        grid = read_grid(args.study)
        read_again = (read_part(folder, "train") for folder in args.data)
        parts = {facts["dataset"]: (table, facts) for table, facts in read_again}
        like = frame.groupby("dataset")["image"].agg(set).to_dict()
        check_cells(parts, cells_of(grid, args.data), like)
    held_out = sorted({read[path].name for path in args.tested})
    alike = [sorted((one.name, other.name)) for one, other, _ in pairs if numbered(one, other)]
    alike = sorted({tuple(names) for names in alike})
    write_parquet(frame, args.out, {"held_out": held_out, "numbered_alike": alike})
    for name in (read[path].name for path in args.data):
        left_out = frame.loc[frame["dataset"] == name, "image"].nunique()
        logging.info(f"{name}: {left_out:,} images are like held-out images, and never trained on")


if __name__ == "__main__":
    cli.run(main)
