"""Prepared data that have changed on disk: told at each plan; read again where asked, or if cheap.

Cheap is what no training rests on yet. What was trained is made again by the user's word alone:
files may be on their way, and trainings take days.
"""

import sys
from pathlib import Path
from typing import Any

from cxrgrid.config.cell import Cell
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import read_by
from cxrgrid.io import seen

STARTED = ("state.pt", "model.safetensors")  # files of a cell that has begun or ended


def look_for_changes(workflow: Any, grid: Grid) -> set[str]:
    """When the Snakefile is read: tell what has changed; the datasets that are to be read again."""
    found: set[str] = set()
    if not workflow.is_main_process or grid.incomplete:
        return found
    for name in grid.used():
        dataset, index = grid.study.datasets[name], f"results/data/{name}/index.parquet"
        if dataset.phantom or not Path(index).is_file():
            continue
        root, said = seen.changes(Path(index).parent)
        if root != dataset.root:
            continue
        if not Path(root).is_dir():
            if gone := seen.moved(Path(index).parent):
                tell(f"warning: {gone}; what was prepared from it in {Path(index).parent} is used")
            continue
        here, elsewhere = resting(grid, name)
        again = grid.reread.wanted(name, here + elsewhere)
        if said:
            if gone := seen.moved(Path(index).parent):
                said = [gone, *said]
            tell(f"warning: since {root} was prepared, {told(said, name, here, elsewhere, again)}")
            found |= {name} if again else set()
        elif grid.reread.asked(name):
            tell(f"reread: {root} is as it was; to read it all the same: -R {index}")
    return found


def told(said: list[str], name: str, here: int, elsewhere: int, again: bool) -> str:
    """Changes in words, what rests on the data, and what is done.

    here, elsewhere: numbers of such cells of this study, and of others.
    """
    text = "; ".join(said)
    if not here + elsewhere:
        no = "" if again else f" (--config reread={name})"
        done = "it is read again" if again else "it is not read again"
        return f"{text}. No cell has been trained on it: {done}{no}"
    others = f"{elsewhere:,} of other studies" if elsewhere else ""
    cells = " and ".join(filter(None, [f"{here:,} cell{'s' * (here != 1)}", others]))
    if again:
        return f"{text}. It is read again: {cells} train again"
    ask = f"to read it again, add: --config reread={name}"
    return f"{text}; {cells} would train again. Results rest on what it was; {ask}"


def resting(grid: Grid, name: str) -> tuple[int, int]:
    """Numbers of cells that were trained on a dataset: of this study, and by folder of others."""
    own = [cell for cell in grid.cells if name in reads(grid, cell) and begun(grid.folder(cell))]
    mine = Path(f"results/{grid.name}")
    found = {
        path.parent
        for file in STARTED
        for path in Path("results").glob(f"*/cells/{name}/**/{file}")
        if mine not in path.parents
    }
    return len(own), len(found)


def reads(grid: Grid, cell: Cell) -> set[str]:
    """Datasets on which a cell's training rests: its own, pooled ones, and its start's."""
    found = set(read_by(cell))
    start = Path(cell.weights).parent
    cells = Path(f"results/{grid.name}/cells")
    if cell.weights and start.is_relative_to(cells):
        found |= reads(grid, grid.by_path[start.relative_to(cells).as_posix()])
    return found


def begun(folder: str) -> bool:
    """True if a cell's folder has weights, or a state to go on from."""
    return any((Path(folder) / file).is_file() for file in STARTED)


def tell(line: str) -> None:
    """Print where Snakemake prints its progress."""
    print(line, file=sys.stderr, flush=True)
