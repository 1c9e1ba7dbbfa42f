"""Comparison of all pairs of configurations of a study that differ in one axis only.

A configuration is a cell without its replicates. A family for Holm's correction is all pairs of one
axis within the study, over all datasets, in one metric: the macro rows are one family, the rows of
single labels another, larger one. All planned pairs count, run or not; labels with fewer positives
or negatives than `report.minimum` are not tested.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cxrgrid.comparison import conclusions, difference
from cxrgrid.comparison.configurations import configurations, folds_of
from cxrgrid.comparison.measured import Measured
from cxrgrid.comparison.planned_pairs import EXTERNAL, Pair, Standing, pairs
from cxrgrid.comparison.seed_variance import Spread
from cxrgrid.comparison.significance import holm
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.config.grid import Grid
from cxrgrid.evaluation.wording import many

KEYS = ["dataset", "target", "subset", "axis", "a", "b", "factor", "level_a", "level_b"]
KEYS += ["backbone", "init", "recipe", "recipe_a", "recipe_b", "metric", "label"]
NUMBERS = ["value_a", "value_b", "difference", "low", "high", "p", "p_holm", "family"]
COLUMNS = [*KEYS, *NUMBERS, "folds", "seeds", "planned", "n", "positives", "patients"]
COLUMNS += ["seed_sd", "sampling_se", "detectable", "times_needed", "margin_verdict", "verdict"]
COLUMNS += ["sentence"]
CONFIGURATION_COLUMNS = [*CONFIGURATION, "target", "subset", "metric", "label", "value", "low"]
CONFIGURATION_COLUMNS += [
    "high",
    "folds",
    "seeds",
    "planned",
    "seed_sd",
    "sampling_se",
    "n",
    "positives",
]
CONFIGURATION_COLUMNS += ["patients"]


def compare(pair: Pair, measured: Measured) -> Iterator[tuple[dict, difference.Combined | None]]:
    """Rows of a pair without the columns that depend on the family, and their differences."""
    a, b, there = pair.of_a, pair.of_b, measured.values
    shared = tuple(
        seed for seed in pair.seeds if (a, pair.seed_of_a(seed)) in there and (b, seed) in there
    )
    counts = {"folds": measured.folds.get(pair.of_b, 1)}
    counts |= {"seeds": len(shared), "planned": len(pair.seeds)}
    of_a = tuple(dict.fromkeys(pair.seed_of_a(seed) for seed in shared))
    both = ((a, of_a), (b, shared))
    sides = [measured.seeds(*side) for side in both] if shared else []
    for number, metric in enumerate(difference.RANKING):
        for at, label in enumerate(measured.labels):
            size = measured.size(pair.of_b, at)
            row = pair.keys() | {"metric": metric, "label": label} | counts | size
            row |= {"rare": measured.is_rare(pair.of_b, label)}
            if not shared:
                yield row | {"p": np.nan}, None
                continue
            a, b = (side[:, :, number, at] for side in sides)
            paired = pair.axis != EXTERNAL
            spread = measured.spread(number, at)
            found = difference.contrast(a, b, paired, size["rarer"], spread)
            own = [measured.distances(*side, (number, at)) for side in both]
            found = difference.with_width(found, own, size["rarer"])
            found = difference.with_enough(found, metric, size)
            row |= {"value_a": a[:, 0].mean(), "value_b": b[:, 0].mean()}
            row |= {"difference": found.value, "low": found.low, "high": found.high}
            row |= {"p": np.nan if row["rare"] else found.p}
            errors = ("seed_sd", "sampling_se", "detectable")
            yield row | {name: getattr(found, name) for name in errors}, found


def table(
    grid: Grid,
    measured: dict[str, Measured],
    standing: Standing | None = None,
    subset: str = "all",
    target: str = "",
) -> pd.DataFrame:
    """One row per pair, metric and label: COLUMNS. NaN if a pair has no seed in common.

    measured: by dataset; subset: name of the test set on which they are measured; target: of which
    dataset it is, empty for their own.
    """
    asked = [pair for pair in pairs(grid, standing) if pair.a[0] in measured]
    made = [(pair, *row) for pair in asked for row in compare(pair, measured[pair.a[0]])]
    if not made:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame([row for _, row, _ in made], columns=[*COLUMNS, "rare"])
    frame["subset"] = subset
    frame["target"] = target or frame["target"]
    families = frame.groupby(["factor", "metric", frame["label"].eq("macro"), "rare"])["p"]
    frame["p_holm"] = families.transform(lambda p: holm(p.to_numpy(float)))
    frame["family"] = families.transform("size").mask(frame["rare"].astype(bool), 0)
    parts = [(pair, found) for pair, _, found in made]
    words = [say(row, *part) for row, part in zip(frame.to_dict("records"), parts, strict=True)]
    frame["verdict"], frame["sentence"] = zip(*words, strict=True)
    margin = grid.study.report.margin
    tested = [None if row["rare"] else found for _, row, found in made]
    verdicts = ["" if one is None else conclusions.by_margin(one, margin) for one in tested]
    frame["margin_verdict"] = verdicts
    times = [np.nan if one is None else conclusions.times_needed(one, margin) for one in tested]
    frame["times_needed"] = times
    shown = frame["verdict"].ne("not shown")
    said = [
        conclusions.margin_words(by, margin, found, verdict)
        for by, (_, _, found), verdict in zip(verdicts, made, frame["verdict"], strict=True)
    ]
    sizes = [conclusions.size_words(each, margin) for each in frame["times_needed"].mask(shown)]
    frame["sentence"] = frame["sentence"] + sizes + said
    return frame[COLUMNS]


def say(row: dict, pair: Pair, found: difference.Combined | None) -> tuple[str, str]:
    """The verdict and the sentence of a row."""
    a, b = pair.words()
    of = f"{row['seeds']} of {many(row['planned'], 'seed')}"
    if found is None:
        return "incomplete", f"{pair.where()}{a} against {b}: incomplete, {of}; no comparison."
    seeds = many(row["seeds"], "seed") if row["seeds"] == row["planned"] else f"incomplete, {of}"
    seeds = f"{row['folds']} folds, {seeds}" if row["folds"] > 1 else seeds
    words = conclusions.basis(seeds, row)
    p_holm, family = float(row["p_holm"]), int(row["family"])
    text = conclusions.sentence((a, b), row["metric"], found, p_holm, family, words, row["rare"])
    label = "" if row["label"] == "macro" else f"{row['label']}: "
    verdict = conclusions.verdict(found, p_holm, row["rare"])
    return verdict, f"{pair.where()}{label}{text}{pair.chosen()}"


def intervals(
    grid: Grid, measured: dict[str, Measured], subset: str = "all", target: str = ""
) -> pd.DataFrame:
    """One row per configuration, metric and label: means over the finished seeds.

    The interval is over patients and seeds together; over patients alone if no configuration of the
    dataset has two seeds.
    """
    rows, folds = [], folds_of(grid)
    asked = {c: seeds for c, seeds in configurations(grid).items() if c[0] in measured}
    for configuration, planned in asked.items():
        here = measured[configuration[0]]
        seeds = tuple(seed for seed in planned if (configuration, seed) in here.values)
        values = here.seeds(configuration, seeds) if seeds else None
        for number, metric in enumerate(difference.RANKING):
            for at, label in enumerate(here.labels):
                size = here.size(configuration, at)
                row = dict(zip(CONFIGURATION, configuration, strict=True)) | {
                    "metric": metric,
                    "label": label,
                }
                row |= {"folds": folds[configuration], "seeds": len(seeds)}
                row |= {"planned": len(planned)} | size
                if seeds:
                    own = here.own(configuration, seeds)[:, :, number, at].T
                    row |= interval(values[:, :, number, at], own, here.spread(number, at))
                rows.append(row)
    frame = pd.DataFrame(rows, columns=CONFIGURATION_COLUMNS).assign(subset=subset)
    return frame.assign(target=target or frame["dataset"])


def interval(values: np.ndarray, own: np.ndarray, spread: Spread | None) -> dict[str, float]:
    """Mean over seeds of one metric and label, with its interval.

    values: [S, 1 + R]; own: the bounds of the seeds by themselves [2, S].
    """
    found = vars(difference.of_configuration(values, own, spread))
    return {name: found[name] for name in ("value", "low", "high", "seed_sd", "sampling_se")}
