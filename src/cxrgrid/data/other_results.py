"""Differences of prepared data between two results folders, as far as cells depend on them."""

from pathlib import Path

import numpy as np
from pyarrow import compute

from cxrgrid.config.cell import Cell, fold_folder
from cxrgrid.config.preparation import array_suffix
from cxrgrid.data.pooled_part import digest, shown_as
from cxrgrid.io.parquet import read_parquet

TABLE = "table.parquet"
SAME = ("labels", "task", "split_hash")  # facts of a table and of a cell's predictions


def other_data(cell: Cell, source: Path, there: Path, here: Path) -> str:
    """Difference of the prepared data here from what a cell was trained on; empty if none.

    source: the cell's folder; there: its results folder; a dataset that is not here comes from it.
    """
    return other_truth(cell, source, there, here) or other_pool(cell, source, there, here)


def other_truth(cell: Cell, source: Path, there: Path, here: Path) -> str:
    """`other_data` of the cell's own dataset: its split, its truth and its array."""
    name = f"data/{cell.dataset}{fold_folder(cell.fold)}"
    if not (here / name).exists() and (there / name / TABLE).is_file():
        return ""  # they come along
    if not (here / name / TABLE).is_file():
        return f"{here / name / TABLE} is missing; prepare it, or copy {there / name} whole"
    table, facts = read_parquet(here / name / TABLE)
    made, told = read_parquet(source / f"predictions/{cell.dataset}.parquet")
    for fact in SAME:
        if facts[fact] != told[fact]:
            return f"{fact} of {cell.dataset} is {facts[fact]} here, {told[fact]} there"
    test = table.filter(compute.equal(table["split"], "test"))
    for label in facts["labels"]:
        both = [part[column].to_numpy() for part, column in ((test, label), (made, f"y:{label}"))]
        if not np.array_equal(*(each.astype(np.float32) for each in both), equal_nan=True):
            return f"the truth of {label} in the test images of {cell.dataset} differs"
    files = here / "data" / cell.dataset / f"pixels{array_suffix(cell.image)}.parquet"
    image = read_parquet(source / "history.parquet")[1].get("image")
    if files.is_file() and image and read_parquet(files)[1] != image:
        return f"the image settings of {files.stem} of {cell.dataset} differ"
    return ""


def other_pool(cell: Cell, source: Path, there: Path, here: Path) -> str:
    """`other_data` of the datasets that the cell pools, as its history records them."""
    told = read_parquet(source / "history.parquet")[1]
    for name, part in told.get("pool", {}).items():
        folder = division(name, cell, part["split_hash"], there)
        if not (here / folder).exists() and (there / folder / TABLE).is_file():
            continue  # it comes along
        if not (here / folder / TABLE).is_file():
            return f"{here / folder / TABLE} is missing; prepare it, or copy {there / folder} whole"
        facts = read_parquet(here / folder / TABLE)[1]
        now = {"split_hash": facts["split_hash"], "policy_hash": digest(facts.get("policy"))}
        suffix = array_suffix(shown_as(cell, {"image": told["image"]}, facts))
        array = here / "data" / name / f"pixels{suffix}.parquet"
        now["image"] = read_parquet(array)[1] if array.is_file() else part["image"]
        if other := next((fact for fact in now if now[fact] != part[fact]), ""):
            return (
                f"{other} of {name}, on which it is trained too, is {now[other]} here, "
                f"{part[other]} there"
            )
    return ""


def division(name: str, cell: Cell, split_hash: str, there: Path) -> str:
    """Folder of the division of a pooled dataset that a cell was trained on, below `there`.

    It is the cell's own fold where the dataset is cross-validated, else the single one.
    """
    own = f"data/{name}{fold_folder(cell.fold)}"
    table = there / own / TABLE
    known = table.is_file() and read_parquet(table)[1]["split_hash"] == split_hash
    return own if known else f"data/{name}"


def same_rows(name: str, there: Path, here: Path) -> bool:
    """True if the arrays of a dataset have the same images in the same rows, here and there."""
    files = [results / "data" / name / "pixels.parquet" for results in (here, there)]
    if not all(path.is_file() for path in files):
        return False
    one, other = (read_parquet(path, "image", "row")[0].select(["image", "row"]) for path in files)
    return one.equals(other)


def other_targets(folder: Path, here: Path) -> set[str]:
    """Names of the files in a cell's transfer/ that are of other test images than those here."""
    found = set()
    for path in (folder / "transfer").glob("*.parquet"):
        table = here / "data" / path.stem / TABLE
        if table.is_file():
            hashes = [read_parquet(each)[1].get("split_hash") for each in (path, table)]
            found |= {path.name} if hashes[0] != hashes[1] else set()
    return found
