"""Hold a study's answers under changes against those on unchanged images of the same patients.

Reads what `shift` wrote of each cell, and makes losses.parquet (each metric under each change, less
its value on unchanged images), abstention.parquet and coverage.parquet (how much less a model errs
where it may pass on the images of which it is least sure), and unfamiliar.parquet (how well the
distance from the training images tells other datasets and changed images from a model's own test
images).

Example:
  python -m cxrgrid.robustness results/demo/study.json --out-dir results/demo/shifts
"""

import logging
from pathlib import Path

import pandas as pd

from cxrgrid.comparison import shift_rows
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.shifted_cells import Shifted
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation.shifted_answers import asked_cells
from cxrgrid.evaluation.wording import many
from cxrgrid.io import cli
from cxrgrid.io.parquet import write_parquet

ENDS = ["value", "low", "high"]
COUNTS = ["folds", "seeds", "planned", "n", "patients"]
COLUMNS = {
    "losses": [*CONFIGURATION, "change", "strength", "amount", "metric", "label", "unchanged",
               "value", "difference", "low", "high", "sampling_se", "seed_sd", *COUNTS,
               "positives"],
    "abstention": [*CONFIGURATION, "measure", *ENDS, *COUNTS, "positives"],
    "coverage": [*CONFIGURATION, "coverage", "risk", "folds", "seeds", "planned"],
    "unfamiliar": [*CONFIGURATION, "other", "strength", *ENDS, *COUNTS],
}  # fmt: skip


def tables(grid: Grid, cells: Path) -> dict[str, pd.DataFrame]:
    """All four tables by name; cells: folder of the study's cells."""
    names, how = Shifted(grid).names, grid.study.report
    rows: dict[str, list[dict]] = {name: [] for name in COLUMNS}
    for configuration, (seeds, planned) in asked_cells(grid, cells).items():
        if not seeds:
            continue
        row = shift_rows.start(configuration, seeds, planned)
        rows["losses"] += shift_rows.loss_rows(how, names, row, seeds)
        rows["abstention"] += shift_rows.abstention_rows(how, row, seeds)
        rows["coverage"] += shift_rows.coverage_rows(how, row, seeds)
        rows["unfamiliar"] += shift_rows.unfamiliar_rows(grid, names, row, seeds)
        logging.info(f"{'/'.join(configuration)}: {many(len(seeds), 'seed')}")
    made = {n: own if n == "coverage" else shift_rows.finished(own) for n, own in rows.items()}
    return {name: pd.DataFrame(made[name], columns=columns) for name, columns in COLUMNS.items()}


def main(argv: list[str] | None) -> None:
    """Write the tables of a study."""
    parser = cli.parser("robustness", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--out-dir", type=Path, required=True, help="folder of the four files")
    args = parser.parse_args(argv)
    grid = read_grid(args.study)
    if not grid.study.report.shifts:
        raise UserError(f"{args.study}: report.shifts is empty; name changes, such as [noise]")
    for name, frame in tables(grid, args.study.parent / "cells").items():
        write_parquet(frame, args.out_dir / f"{name}.parquet", {})


if __name__ == "__main__":
    cli.run(main)
