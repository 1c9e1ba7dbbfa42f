"""Score every cell of a study on one dataset's test images, with intervals over its patients.

Cells of other datasets that `transfer` asks for are scored too, in the labels that both know and
without test images that they know from training, and so are ensembles of the cells.
Thresholds and recalibration come from the cell's own validation images. All cells meet the same
resampled patients, so that their differences mean something. Cells without predictions are named
and left out. Each of the dataset's `subsets` has scores of its own, over its patients, by the
thresholds of the whole. Or score any predictions file: Parquet or CSV with the columns image,
patient, y:<label> (1, 0, empty) and p:<label> (probability); without --val, at 0.5.

Example:
  python -m cxrgrid.score results/demo/study.json --target ward \\
      --out results/demo/scores/ward.parquet
  python -m cxrgrid.score theirs.csv --val theirs-val.csv --out metrics.csv
"""

import argparse
import logging
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from cxrgrid.comparison.external_models import add_external
from cxrgrid.comparison.target_parts import parts_elsewhere, parts_of
from cxrgrid.config import operating_points
from cxrgrid.config.cell import AXES, Cell
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.grid import Grid, finished
from cxrgrid.config.operating_points import rule
from cxrgrid.config.study import External, Report
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation import bootstrap, recalibration, transfer_predictions
from cxrgrid.evaluation.ensemble import Ensembles, members
from cxrgrid.evaluation.fold_scores import ALONE, Scorer, model_of, planned_folds
from cxrgrid.evaluation.predictions import Predictions, read_any, read_predictions
from cxrgrid.evaluation.same_images import (
    check_apart,
    check_cells,
    check_patients_apart,
    in_order,
)
from cxrgrid.evaluation.score_columns import CURVES, KEYS, SCORES, THRESHOLDS, schema
from cxrgrid.evaluation.score_rows import Parts, Sheet, add
from cxrgrid.io import cli
from cxrgrid.io.atomic import replacing
from cxrgrid.io.csv_file import quoted
from cxrgrid.io.parquet import read_parquet, write_parquet

RULES = {
    "multilabel": "of each label, fitted on the cell's validation images; 0.5 where these lack a "
    "class",
    "multiclass": "none: the decision is the class with the highest score",
}
MINIMUM = "of a file: labels with fewer positives or negatives are in no mean"
BASIS = ("target", "task", "labels", "split", "split_hash")


Predicted = Iterable[tuple[Cell, Predictions, Predictions]]  # validation and test images


def score(
    cells: Predicted,
    others: Predicted,
    external: dict[str, External],
    planned: dict[tuple, list[Cell]],
    scorer: Scorer,
    elsewhere: dict[str, Parts],
) -> tuple[Sheet, dict]:
    """All rows of cells, each with its validation and test predictions, and what they rest on.

    others: cells of other datasets; external: models from elsewhere by name, which have to have
    predicted the same test images; planned: the cells of each ensemble; elsewhere: parts that are
    scored too of cells of each other dataset.
    """
    sheet, how, firsts, together = scorer.sheet, scorer.how, {}, Ensembles(planned)
    for cell, val, test in cells:
        first = firsts.setdefault(cell.fold, (cell, test))
        check_cells(cell, val, test, first)
        scorer.add(cell.axes(), val, test)
        together.take(cell, val, test)
    for axes, val, test in together.whole():
        scorer.add(dict(zip(AXES, axes, strict=True)), val, test)
    tests = {fold: test for fold, (_, test) in firsts.items()}
    for name, model in external.items() if tests else ():
        add_external(scorer, name, model, tests)
    for cell, val, test in others:
        tests = tests or {cell.fold: test}
        add(sheet, cell.axes(), val, test, how, elsewhere.get(cell.dataset, Parts()))
    if not tests:
        raise UserError("no test image is left that no cell knows from its training")
    return sheet, basis(tests, how)


def basis(tests: dict[int, Predictions], how: Report) -> dict:
    """The facts of a scores file; tests: predictions of each fold's test images."""
    facts = {name: next(iter(tests.values())).facts[name] for name in BASIS}
    if len(tests) > 1:
        hashes = {str(fold): tests[fold].facts["split_hash"] for fold in sorted(tests)}
        facts |= {"split_hash": None, "split_hashes": hashes}
    points = [rule(point) for point in how.operating_points]
    facts |= {"resamples": how.resamples, "interval": bootstrap.INTERVALS[how.interval]}
    facts |= {"stratify": how.stratify, "minimum": how.minimum, "operating_points": points}
    return facts | {"calibrate": how.calibrate, "thresholds": RULES[facts["task"]]}


def write(rows: list[dict], columns: list[str], keys: list[str], path: Path, facts: dict) -> None:
    """A file of rows, sorted; CSV or Parquet by the suffix."""
    table = pa.Table.from_pylist(rows, schema=schema(columns))
    table = table.sort_by([(key, "ascending") for key in keys])
    if path.suffix.lower() == ".csv":
        for at, field in enumerate(table.schema):
            if pa.types.is_string(field.type):
                texts = pa.array([quoted(text) for text in table[at].to_pylist()], pa.string())
                table = table.set_column(at, field, texts)
        with replacing(path) as partial:
            pa.csv.write_csv(table, partial)
    else:
        write_parquet(table, path, facts)


def write_sheet(sheet: Sheet, args: argparse.Namespace, facts: dict) -> None:
    """The scores, and the curves and thresholds where a path is named for them."""
    write(sheet.scores, SCORES, KEYS, args.out, facts)
    if args.curves:
        write(sheet.curves, CURVES, CURVES, args.curves, facts)
    if args.thresholds:
        keys = [*AXES, "target", "label", "threshold_rule"]
        write(sheet.thresholds, THRESHOLDS, keys, args.thresholds, facts)


# ------------------------------------------------------------------ a study


def find(grid: Grid, folder: Path, target: str) -> tuple[dict[Cell, list[Path]], list[str]]:
    """The cells to score with their two files each, and the paths of cells not finished.

    The folds of a model stand together.
    """
    known(target, grid.tested(), "--target", "dataset")
    found, missing = {}, []
    cells: dict[tuple, list[Cell]] = {}
    for cell in [cell for cell in grid.cells if cell.dataset == target]:
        cells.setdefault(model_of(cell.axes()), []).append(cell)
    for cell in chain.from_iterable(cells.values()):
        if finished(folder / cell.path(), cell):
            below = folder / cell.path() / "predictions"
            found[cell] = [below / "val.parquet", below / f"{target}.parquet"]
        else:
            missing.append(cell.path())
    count = f"{len(found)} of {len(found) + len(missing)} cells"
    logging.info(f"{count} finished{'; not: ' if missing else ''}{', '.join(missing)}")
    return found, missing


def score_study(args: argparse.Namespace) -> None:
    """Score the cells that are there; say which are not."""
    if not args.target:
        raise UserError(f"{args.study}: --target says which dataset's test images are scored")
    grid = read_grid(args.study)
    folder, target, how = args.study.parent / "cells", args.target, grid.study.report
    found, missing = find(grid, folder, target)
    cells = ((cell, *(read_predictions(path, cell) for path in found[cell])) for cell in found)
    elsewhere = transfer_predictions.paths(grid, folder, target)
    if not found and not elsewhere:
        raise UserError(
            f"{folder}: no cell of {target} has predictions; run snakemake to make them"
        )
    data = (args.data or args.study.parent.parent / "data") / target
    seen = (
        transfer_predictions.read_seen(args.study.parent / "overlap.parquet", target)
        if elsewhere
        else {}
    )
    others = transfer_predictions.read(
        grid, elsewhere, target, seen, split_hash(data / "table.parquet")
    )
    own = [cell for cell in grid.cells if cell.dataset == target]
    planned = members(own if how.ensembles else [])
    models = {n: m for n, m in grid.study.external.items() if m.dataset == target}
    scorer = Scorer(how, parts_of(grid, target, data), planned_folds(own, planned, models))
    parts = parts_elsewhere(grid, target, data)
    sheet, facts = score(cells, others, models, planned, scorer, parts)
    write_sheet(sheet, args, {**facts, "missing": missing})


def split_hash(table: Path) -> str | None:
    """The content of a dataset's split; None where there is no table to ask."""
    return read_parquet(table)[1].get("split_hash") if table.is_file() else None


# ------------------------------------------------------------------ any file


def score_file(args: argparse.Namespace) -> None:
    """Score a predictions file by the rules by which cells are scored."""
    test = read_any(args.study, args.task)
    val = read_any(args.val, args.task or test.facts["task"]) if args.val else None
    if val:
        val = in_order(args.val, val, test.facts["labels"])
        check_apart(args.val, val, test)
        check_patients_apart(args.val, val, test)
    points = args.points or (["youden", "0.5"] if val else ["0.5"])
    how = Report(
        resamples=args.resamples,
        operating_points=tuple(dict.fromkeys(operating_points.parse(word) for word in points)),
        calibrate=args.calibrate,
        interval=args.interval,
        stratify=args.stratify,
        minimum=args.minimum,
    )
    asked = [rule(point) for point in how.operating_points if operating_points.fitted(point)]
    if args.calibrate != "none":
        asked.append(args.calibrate)
    if asked and not val:
        raise UserError(f"--val: {asked[0]} is fitted on validation images; name their predictions")
    axes = {"dataset": test.facts["target"], "backbone": args.study.stem, **ALONE}
    axes |= {name: test.facts[name] for name in AXES if name in test.facts}
    sheet = Sheet()
    add(sheet, axes, val, test, how, Parts())
    write_sheet(sheet, args, basis({0: test}, how))
    logging.info(f"{args.out}: {len(sheet.scores):,} rows, on {len(test.image):,} images")


def main(argv: list[str] | None) -> None:
    """Score a study's cells, or a file."""
    parser = cli.parser("score", __doc__)
    parser.add_argument("study", type=Path, help="study.json, or a predictions file")
    parser.add_argument("--target", help="of a study: dataset whose test images are scored")
    parser.add_argument("--data", type=Path, help="of a study: results/data, if not beside it")
    parser.add_argument("--val", type=Path, help="of a file: predictions on validation images")
    parser.add_argument("--task", choices=("multilabel", "multiclass"), help="of a file")
    parser.add_argument("--points", nargs="+", help="of a file: youden 0.2 sensitivity=0.9 …")
    parser.add_argument("--calibrate", choices=recalibration.KINDS, default="none")
    parser.add_argument("--resamples", type=cli.resamples, default=1000, help="of a file")
    parser.add_argument("--interval", choices=bootstrap.INTERVALS, default="wilson")
    parser.add_argument("--minimum", type=cli.minimum, default=Report().minimum, help=MINIMUM)
    parser.add_argument("--stratify", action="store_true", help="of a file: see docs/settings.md")
    parser.add_argument("--curves", type=Path, help="also write points of ROC, PR, reliability")
    parser.add_argument("--thresholds", type=Path, help="also write thresholds and recalibration")
    parser.add_argument("--out", type=Path, required=True, help="scores, .parquet or .csv")
    args = parser.parse_args(argv)
    score_study(args) if args.study.suffix == ".json" else score_file(args)


if __name__ == "__main__":
    cli.run(main)
