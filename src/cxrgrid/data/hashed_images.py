"""Images of a prepared dataset with their perceptual hashes, to find images that two share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxrgrid.config.checks import adapter_facts
from cxrgrid.config.errors import UserError
from cxrgrid.data.stored_array import open_array
from cxrgrid.io.parquet import read_parquet


@dataclass(frozen=True)
class Prepared:
    """A dataset's images and their hashes uint8 [N, 32], row for row; its image recipe; `people`.

    Datasets of equal `people` number their patients alike.
    """

    name: str
    table: pd.DataFrame
    hashes: np.ndarray
    recipe: dict
    people: str


def prepared(name: str, folder: Path, people: str) -> Prepared:
    """One dataset; `UserError` if its files do not belong together."""
    table, facts = read_parquet(folder / "table.parquet", "image", "split", "row")
    path = folder / "hashes.npy"
    columns = [n for n in ("image", "patient", "split", "row") if n in table.column_names]
    frame, hashes = table.select(columns).to_pandas(), open_array(path, 2)
    if frame["row"].max() >= len(hashes):
        raise UserError(f"{path}: is of other pixels than table.parquet; run snakemake again")
    return Prepared(name, frame, hashes[frame["row"]], facts.get("image", {}), people)


def numbering(adapter: str, root: Path) -> str:
    """Common numbering of patients of two datasets: a publisher's, or that of one folder.

    Releases of one publisher share theirs (PATIENTS of the adapter, else the adapter's own).
    """
    facts = adapter_facts(adapter)
    if facts["LABELS"]:
        return facts.get("PATIENTS", adapter)
    return f"{adapter} {root.resolve()}"
