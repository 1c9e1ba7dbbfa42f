"""Refusal of a start that has trained on the test images of another dataset's cell.

Of one dataset in two folds, and of one folder under two names, the plan knows. That two folders
hold the same images is known once both are prepared, by the perceptual hashes that `audit` writes.
No pandas: `train` starts light.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from cxrgrid.config.cell import Cell, fold_folder, read_cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.pooling import read_by
from cxrgrid.data.near_duplicates import near
from cxrgrid.data.stored_array import open_array
from cxrgrid.io.parquet import facts_of, read_parquet

MOST = 2000  # test images that are looked for among the others
FEW = 0.01  # share of them that may be like one by chance or oversight: of these `overlap` warns


def check_start(cell: Cell, folder: Path) -> None:
    """`UserError` if a cell's start, or what that started from, has trained on its test images.

    folder: results/data/{dataset} of the cell, or its fold there. A start whose files are not there
    is passed over, as is one that pools datasets and has left these test images out.
    """
    for start, history in starts(cell):
        if start.dataset == cell.dataset or cell.dataset in facts_of(history).get("held_out", []):
            continue
        for name in read_by(start):
            taught = hashes(division(folder, cell, start, name), ["train", "val"])
            tested = hashes(folder, ["test"])
            tested = tested[:: -(-len(tested) // MOST) or 1]
            alike = len(set(near(tested, taught)[0]))
            if name != cell.dataset and alike > FEW * len(tested):
                raise UserError(
                    f"cell {cell.path()}: {alike:,} of {len(tested):,} test images of "
                    f"{cell.dataset} are like images of {name}, which its start {start.path()} has "
                    f"trained on; start {cell.dataset} from other weights than {cell.init}, or "
                    f"from a recipe with train_on: [own, {cell.dataset}], which leaves them out"
                )


def starts(cell: Cell) -> Iterator[tuple[Cell, Path]]:
    """The cells that a cell starts from, one from the other, each with its history's path."""
    path = Path(cell.weights)
    while cell.weights and path.with_name("cell.json").is_file():
        cell = read_cell(str(path.with_name("cell.json")))
        yield cell, path.with_name("history.parquet")
        own = f"results/{cell.study}/cells/{cell.path()}/"
        path = Path(str(path).rpartition(own)[0], cell.weights)  # of copies, the next copy


def division(folder: Path, cell: Cell, start: Cell, name: str) -> Path:
    """Folder of the division of a dataset that a start was trained on, beside that of a cell."""
    data = (folder.parent if folder.name != cell.dataset else folder).parent
    fold = data / f"{name}{fold_folder(start.fold)}"
    return fold if (fold / "table.parquet").is_file() else data / name


def hashes(folder: Path, parts: list[str]) -> np.ndarray:
    """Perceptual hashes uint8 [N, 32] of the images in some parts; none of what is not there."""
    paths = [folder / name for name in ("table.parquet", "hashes.npy")]
    if not all(path.is_file() for path in paths):
        return np.zeros((0, 32), np.uint8)
    table, stored = read_parquet(paths[0], "split", "row")[0], open_array(paths[1], 2)
    rows = table.filter(pa.compute.is_in(table["split"], pa.array(parts)))["row"].to_numpy()
    return stored[rows[rows < len(stored)]]
