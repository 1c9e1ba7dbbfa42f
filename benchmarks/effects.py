"""Type I error and coverage of claims about methods, when trainings differ by chance.

Studies of two inits, two backbones and one to three datasets are drawn, whose effects are known:
values of the cells with patients that all cells of a dataset share, an error of each cell over
patients, and one of each training. For each seed SD and number of seeds, in percent of the studies:
how often the word "better" is used of the init (no effect), of a pair of configurations (neither),
and how often the 95 % interval of the main effect and of a mean over seeds (beside the mean of the
seeds' ends) holds the truth. With three datasets the effect may differ between them (--between).

Example:
  OMP_NUM_THREADS=1 python benchmarks/effects.py --studies 2000
"""

import argparse
from collections import Counter

import numpy as np
import pandas as pd

from cxrgrid.comparison import conclusions, difference
from cxrgrid.comparison.effect_parts import part
from cxrgrid.comparison.main_effects import contrasts, over_datasets
from cxrgrid.comparison.measured import Measured
from cxrgrid.comparison.random_effects import hartung_knapp
from cxrgrid.config.grid import Grid
from cxrgrid.config.varied import asked
from cxrgrid.reporting.seed_means import seed_means

SEED_SDS, SEEDS = (0.0, 0.03, 0.09), (1, 2, 3)
PATIENTS, SHARED, OWN = 60, 0.03, 0.015  # SE over patients: common to all cells, of each alone
RESAMPLES, TRUE = 100, 0.7
COLUMNS = {
    "better, effect": "called better, init (no effect)",
    "better, pair": "called better, pair (no effect)",
    "effect": "main effect holds",
    "random": "random effect holds",
    "mean": "mean over seeds holds",
    "ends": "mean of the seeds' ends holds",
}


def study(datasets: int, seeds: int) -> Grid:
    """A study of two inits and two backbones."""
    names = [f"d{at}" for at in range(datasets)]
    adapters = {name: {"adapter": "nih", "root": name} for name in names}
    axes = {"datasets": names, "backbones": ["resnet18", "resnet34"], "seeds": list(range(seeds))}
    axes["inits"] = ["scratch", "other"]
    return Grid(
        {"study": "drawn", "datasets": adapters, "weights": {"other": "timm"}, "grid": axes}
    )


def draw(grid: Grid, rng, seed_sd: float, effects: dict[str, float]) -> dict[str, Measured]:
    """Values of all cells; effects: of the second init, by dataset."""
    size = {"n": 200, "positives": PATIENTS, "patients": 150, "rarer": PATIENTS, "most": PATIENTS}
    found = {}
    for dataset in grid.study.datasets:
        shared = rng.normal(size=1 + RESAMPLES) * SHARED
        values = {}
        for cell in [cell for cell in grid.cells if cell.dataset == dataset]:
            true = TRUE + effects[dataset] * (cell.init == "other") + seed_sd * rng.normal()
            drawn = true + shared + OWN * rng.normal(size=1 + RESAMPLES)
            values[cell.configuration(), cell.seed] = drawn[:, None, None]
        reach = 1.96 * np.hypot(SHARED, OWN)
        ends = {key: np.stack([v[0] - reach, v[0] + reach]) for key, v in values.items()}
        found[dataset] = Measured(["macro"], {1: [size]}, values, ends, {})
    return found


def claims(grid: Grid, measured: dict[str, Measured], effect: float, found: Counter) -> None:
    """Count one study: claims and intervals that hold."""
    init = contrasts(grid)[0]
    parts = [part(pairs, measured[name], 0) for name, pairs in init.pairs.items()]
    value, errors = over_datasets(parts, {name: name for name in grid.study.datasets})
    low, high, p = errors.interval(value)
    once = any(each.trained_once for each in parts)
    found["better, effect"] += p < conclusions.ALPHA and not once
    found["effect"] += low <= effect <= high
    if len(parts) > 2:
        pairs = np.array([(each.value, each.errors().total ** 2) for each in parts])
        mean = hartung_knapp(*pairs.T)
        found["random"] += mean.low <= effect <= mean.high


def pair(grid: Grid, measured: dict[str, Measured], found: Counter) -> None:
    """Count one comparison of two configurations of a dataset, as `compare` makes it."""
    here = next(iter(measured.values()))
    b, a = (entry for entry in asked(grid) if entry[:2] == ("d0", "resnet18"))
    seeds = here.shared(a, b)
    sides = [here.seeds(side, seeds)[:, :, 0, -1] for side in (a, b)]
    one = difference.contrast(*sides, True, PATIENTS, here.spread(0, -1))
    found["better, pair"] += conclusions.verdict(one, one.p) in ("better", "worse")


def means(measured: dict[str, Measured], found: Counter) -> None:
    """Count the interval of a mean over seeds in tables, and the mean of the seeds' ends."""
    here = next(iter(measured.values()))
    rows = [
        dict(zip(("dataset", "backbone", "init", "recipe"), key[0], strict=True))
        | {"value": value[0, 0, 0], "low": here.ends[key][0][0, 0], "high": here.ends[key][1][0, 0]}
        for key, value in here.values.items()
    ]
    rows = pd.DataFrame(rows)
    one = seed_means(rows, []).iloc[0]
    found["mean"] += one["low"] <= TRUE <= one["high"]
    first = rows[(rows["backbone"] == one["backbone"]) & (rows["init"] == one["init"])]
    found["ends"] += first["low"].mean() <= TRUE <= first["high"].mean()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--datasets", type=int, default=2)
    parser.add_argument("--between", type=float, default=0.0, help="SD of the effect over datasets")
    args = parser.parse_args()
    print(f"| seeds | seed SD | {' | '.join(COLUMNS.values())} |")
    for seeds in SEEDS:
        grid = study(args.datasets, seeds)
        for seed_sd in SEED_SDS:
            rng, found = np.random.default_rng([seeds, int(100 * seed_sd)]), Counter()
            for _ in range(args.studies):
                effects = {name: args.between * rng.normal() for name in grid.study.datasets}
                measured = draw(grid, rng, seed_sd, effects)
                true = 0.0 if args.datasets > 2 else float(np.mean(list(effects.values())))
                claims(grid, measured, true, found)
                pair(grid, measured, found)
                means(measured, found)
            asked = {name: name != "random" or args.datasets > 2 for name in COLUMNS}
            shares = [
                f"{100 * found[name] / args.studies:.1f}" if asked[name] else "–"
                for name in COLUMNS
            ]
            print(f"| {seeds} | {seed_sd} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
