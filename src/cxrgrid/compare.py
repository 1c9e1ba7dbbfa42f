"""Compare models on the same test images: how large the difference is, and how sure.

Two predictions files, or the seeds of two models; or, with --study, every two configurations of a
study that differ in one axis. Predictions: Parquet or CSV with image, patient, and for each label
y:<label> (1, 0, empty) and p:<label>. Refused where images, patients, truth, labels or split
differ. Patients are resampled, both models on the same resamples; DeLong's and McNemar's tests
stand beside where each patient has one image. Of files, the spread between seeds is that of these
files alone (seeds that both have are paired); --study, and so the report, pools it over a dataset's
configurations: its intervals differ, and are the ones to cite.

Example:
  python -m cxrgrid.compare mine.parquet theirs.csv --out result.json
  python -m cxrgrid.compare mine.parquet theirs.csv --threshold 0.5 0.3 --interval bca --out r.csv
  python -m cxrgrid.compare mine.parquet theirs.csv --specificity 0.9 --out result.csv
  python -m cxrgrid.compare --a new/seed*.parquet --b old/seed*.parquet --names new old --out r.json
  python -m cxrgrid.compare --study results/demo/study.json \\
      --validation validation.csv --out comparisons.csv --configurations configurations.csv \\
      --effects effects.csv
"""

import argparse
import json
import logging
import math
from pathlib import Path

import pandas as pd

from cxrgrid.comparison import (
    at_specificity,
    choice,
    effect_rows,
    recommended,
    study_pairs,
    two_models,
)
from cxrgrid.comparison.planned_pairs import pairs
from cxrgrid.comparison.study_models import measured_sets
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.errors import UserError
from cxrgrid.config.study import Report
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation import bootstrap
from cxrgrid.evaluation.predictions import Predictions, read
from cxrgrid.evaluation.same_images import by_image, check_same, check_seeds
from cxrgrid.evaluation.wording import many
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text
from cxrgrid.io.csv_file import write_csv
from cxrgrid.reporting.factor_columns import entry_levels, with_levels
from cxrgrid.reporting.results import read_csv

# ------------------------------------------------------------------ two models

OWN_SPREAD = (
    "The spread between seeds is that of these files; a study's report pools it over all its "
    "configurations, so that its intervals differ."
)
OPTIONS = ("resamples", "interval", "stratify", "minimum")


def name_sides(a: list[Predictions], b: list[Predictions]) -> tuple[str, str]:
    """Names of the two sides: coordinates in a grid, else their files, else A and B."""
    sides = [
        "/".join(str(side[0].facts[axis]) for axis in CONFIGURATION if axis in side[0].facts)
        for side in (a, b)
    ]
    files = [Path(side[0].path).stem for side in (a, b)]
    for first, second in (sides, files):
        if first and second and first != second:
            return first, second
    return "A", "B"


def two(args) -> None:
    """Compare the files of two sides."""
    sides = [args.a or args.files[:1], args.b or args.files[1:]]
    a, b = ([by_image(read(path)) for path in side] for side in sides)
    for other in [*a[1:], *b]:
        check_same(a[0], other)
    for side in (a, b):
        check_seeds(side)
    names = tuple(args.names or name_sides(a, b))
    options = {name: getattr(args, name) for name in OPTIONS}
    how = Report(**options)
    frame = two_models.rows(a, b, names, args.threshold, how)
    if args.specificity is not None:
        frame = pd.concat([frame, at_specificity.rows(a, b, names, args.specificity, how)])
    if args.out.suffix.lower() == ".json":
        facts = {"a": [x.path for x in a], "b": [x.path for x in b], "names": names}
        facts |= options | {"seed_spread": "of these files"}
        table = json.loads(frame.to_json(orient="records"))
        write_text(args.out, json.dumps({**facts, "rows": table}, indent=2) + "\n")
    else:
        write_all([frame], args.out)
    shown = frame[~frame["metric"].isin(["ap"])]
    print("\n".join(shown["sentence"]))
    for text in shown.get("no_test", pd.Series(dtype=str)).dropna().unique():
        print(text)
    if len(a) > 1 or len(b) > 1:
        print(OWN_SPREAD)


# ------------------------------------------------------------------ a study


def study(args) -> None:
    """Compare every pair of a study: a table of pairs, and one of configurations."""
    grid = read_grid(args.study)
    if any(recipe.choose for recipe in grid.recipes.values()) and not args.validation:
        raise UserError(f"{args.study}: a recipe has `choose`; give --validation, made by `choose`")
    if args.recommended and not args.validation:
        raise UserError(f"{args.study}: --recommended needs --validation, made by `choose`")
    data = args.data or args.study.parent.parent / "data"
    sets = measured_sets(grid, args.study.parent / "cells", data)
    standing = choice.standing(read_csv(args.validation)) if args.validation else None
    rows = [study_pairs.table(grid, each, standing, *name) for name, each in sets.items()]
    write_all([part for part in rows if len(part)] or rows[:1], args.out)
    if args.effects:
        write_all([effect_rows.table(grid, sets["all", ""], standing)], args.effects)
    if args.recommended:
        chosen = read_csv(args.validation)
        apart = recommended.table(grid, sets["all", ""], chosen)
        write_all([with_levels(apart, entry_levels(grid))], args.recommended)
    if args.configurations:
        values = [study_pairs.intervals(grid, each, *name) for name, each in sets.items()]
        write_all([with_levels(each, grid.levels) for each in values], args.configurations)
    logging.info(f"{many(len(pairs(grid, standing)), 'pair')} compared")


def write_all(parts: list[pd.DataFrame], path: Path) -> None:
    """Frames below each other, as CSV."""
    write_csv(pd.concat(parts, ignore_index=True), path)


def share(text: str) -> float:
    """A share between 0 and 1, from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("a share between 0 and 1, such as 0.9, please")
    return value


def threshold(text: str) -> float:
    """A score from which a label is present, from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError("a number, such as 0.5, please")
    return value


def arguments() -> argparse.ArgumentParser:
    """Argument parser: the files of two models, or a study."""
    parser = cli.parser("compare", __doc__)
    parser.add_argument("files", type=Path, nargs="*", help="predictions of A, and of B")
    parser.add_argument("--a", type=Path, nargs="+", help="predictions of A, one file per seed")
    parser.add_argument("--b", type=Path, nargs="+", help="predictions of B, one file per seed")
    parser.add_argument("--names", nargs=2, metavar=("A", "B"), help="names of A and B")
    parser.add_argument(
        "--specificity",
        type=share,
        help="also compare sensitivities where each model has this specificity on these images",
    )
    parser.add_argument(
        "--threshold",
        type=threshold,
        nargs="+",
        help="score from which a label is present; one for both, or A's and B's",
    )
    parser.add_argument(
        "--resamples", type=cli.resamples, default=1000, help="of patients; default: 1000"
    )
    parser.add_argument(
        "--interval", choices=bootstrap.INTERVALS, default="wilson", help="of A and B alone"
    )
    parser.add_argument("--stratify", action="store_true", help="see docs/settings.md")
    parser.add_argument(
        "--minimum",
        type=cli.minimum,
        default=Report().minimum,
        help="labels with fewer positives or negatives are in no mean and no test; default: 10",
    )
    of_study(parser)
    parser.add_argument("--out", type=Path, required=True, help="a .csv or .json file")
    return parser


def of_study(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a whole study's comparison."""
    parser.add_argument(
        "--study", type=Path, help="study.json: compare all its configurations instead"
    )
    parser.add_argument(
        "--configurations", type=Path, help="with --study: each configuration's interval, as CSV"
    )
    parser.add_argument(
        "--validation", type=Path, help="with --study: CSV of `choose`, for `choose: validation`"
    )
    parser.add_argument(
        "--recommended",
        type=Path,
        help="with --validation: the recommended configuration against all others, as CSV",
    )
    parser.add_argument(
        "--effects", type=Path, help="with --study: the main effect of each factor, as CSV"
    )
    parser.add_argument("--data", type=Path, help="with --study: results/data, if not beside it")


def main(argv: list[str] | None) -> None:
    """Compare two models, or a study's."""
    args = arguments().parse_args(argv)
    if args.study:
        return study(args)
    files = len(args.files) == 2 and not (args.a or args.b)
    if not files and not (args.a and args.b and not args.files):
        raise UserError("compare: give two files, or --a FILES and --b FILES, or --study")
    if args.threshold and len(args.threshold) > 2:
        raise UserError("compare: --threshold takes one number, or A's and B's")
    return two(args)


if __name__ == "__main__":
    cli.run(main)
