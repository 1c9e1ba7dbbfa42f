"""Choose configurations on validation images, before any test image is looked at.

Takes the validation predictions of every finished cell and writes the mean of the headline metric
over the seeds and folds of each configuration. Marked are the level that stands for each recipe
with `choose: validation`, and the one configuration that is recommended per dataset. What
`compare`, tables and figures then say of the chosen ones rests on test images.

Example:
  python -m cxrgrid.choose results/demo/study.json --out results/demo/report/validation.csv
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cxrgrid.comparison import choice
from cxrgrid.config.cell import AXES
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation.predictions import read_predictions
from cxrgrid.evaluation.same_images import by_image, check_same
from cxrgrid.io import cli
from cxrgrid.io.csv_file import write_csv
from cxrgrid.reporting.factor_columns import with_levels


def values(grid: Grid, folder: Path) -> Iterator[dict]:
    """Each cell of the study: AXES, `done`, and of a finished one its value on validation images.

    `UserError` where two cells of a dataset and fold were validated on different images.
    """
    first: dict = {}
    for cell in grid.cells:
        row = cell.axes() | {"done": finished(folder / cell.path(), cell), "value": float("nan")}
        if row["done"]:
            path = folder / cell.path() / "predictions/val.parquet"
            val = by_image(read_predictions(path, cell))
            check_same(first.setdefault((cell.dataset, cell.fold), val), val)
            row |= choice.value(val, grid.study.report)
        yield row


def main(argv: list[str] | None) -> None:
    """Write the validation value of every configuration, and what is chosen by it."""
    parser = cli.parser("choose", __doc__)
    parser.add_argument("study", type=Path, help="study.json; cells/ lies beside it")
    parser.add_argument("--out", type=Path, required=True, help="a .csv file")
    args = parser.parse_args(argv)
    grid = read_grid(args.study)
    columns = [*AXES, "done", "value", "n", "patients"]
    cells = pd.DataFrame(values(grid, args.study.parent / "cells"), columns=columns)
    rows = choice.table(grid, cells)
    frame = with_levels(rows, grid.levels)
    write_csv(frame, args.out)
    for row in rows[rows["recommended"]].itertuples():
        name = f"{row.backbone}/{row.init}/{row.recipe}"
        logging.info(f"{row.dataset}: {name}, {row.metric} {row.value:.4f} on validation images")


if __name__ == "__main__":
    cli.run(main)
