"""The rows of `effects.csv`: every effect of a study with its interval, test and family."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cxrgrid.comparison import conclusions, difference
from cxrgrid.comparison.effect_parts import Part
from cxrgrid.comparison.main_effects import (
    Contrast,
    Results,
    cohorts,
    contrasts,
    interaction,
    over_datasets,
    parts,
    within,
)
from cxrgrid.comparison.measured import Measured
from cxrgrid.comparison.random_effects import hartung_knapp, heterogeneity
from cxrgrid.comparison.seed_variance import Combined
from cxrgrid.comparison.significance import holm
from cxrgrid.config.grid import Grid
from cxrgrid.config.varied import primary
from cxrgrid.evaluation.wording import many

ALL = "all"  # dataset of an effect over all datasets
FIXED, RANDOM, ONE = "fixed", "random", "one"  # of the study's datasets, of others too, of one
KEYS = ["factor", "level", "against", "by", "by_level", "dataset", "model", "metric"]
NUMBERS = ["estimate", "low", "high", "p", "p_holm", "family", "family_size", "primary"]
COUNTS = ["pairs", "planned", "datasets", "seeds", "n", "patients"]
ERRORS = ["sampling_se", "seed_se", "detectable", "times_needed", "margin"]
ERRORS += ["margin_verdict"]
BETWEEN = ["heterogeneity_p", "i2", "tau", "prediction_low", "prediction_high", "interaction_p"]
COLUMNS = [*KEYS, *NUMBERS, *COUNTS, *ERRORS, *BETWEEN, "verdict", "sentence"]
ASIDE = ["combined", "most_seeds"]  # of a row while its sentence is written
FEWEST = 3  # datasets of a random effect


def table(
    grid: Grid, measured: dict[str, Measured], standing: dict[tuple, tuple] | None = None
) -> pd.DataFrame:
    """One row per contrast, dataset (or all), model and metric: COLUMNS.

    standing: the configuration that stands for each entry, where `choose` picks one.
    """
    rows, results = [], Results(measured, standing or {})
    for number in range(len(difference.RANKING)):
        for contrast in contrasts(grid):
            rows += of_contrast(grid, contrast, results, number)
            for group in within(grid, contrast):
                rows += of_levels(grid, group, results, number)
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *ASIDE])
    return worded(with_families(frame, grid), grid).drop(columns=ASIDE)


def of_contrast(grid: Grid, contrast: Contrast, results: Results, number: int) -> Iterator[dict]:
    """Rows of a contrast: over all datasets, of datasets that there could be, and of each."""
    found = parts(contrast, results, number)
    start = contrast.keys() | {"metric": difference.RANKING[number]}
    yield fixed(grid, contrast, found, start)
    known = with_error(found)
    if len(known) >= FEWEST:
        yield start | {"dataset": ALL, "model": RANDOM} | counted(known, contrast) | random(known)
    by_dataset = {each.dataset: each for each in found}
    for name, pairs in contrast.pairs.items():
        own = [by_dataset[name]] if name in by_dataset else []
        row = start | {"dataset": name, "model": ONE} | counted(own, contrast)
        yield row | {"planned": len(pairs)} | summed(own, cohorts(grid))


def of_levels(grid: Grid, group: list[Contrast], results: Results, number: int) -> Iterator[dict]:
    """Rows of a contrast at each level of another factor, with the test of their interaction."""
    found = [parts(contrast, results, number) for contrast in group]
    p = interaction(found) if all(found) else np.nan
    for contrast, own in zip(group, found, strict=True):
        start = contrast.keys() | {"metric": difference.RANKING[number]}
        yield fixed(grid, contrast, own, start) | {"interaction_p": p}


def fixed(grid: Grid, contrast: Contrast, found: list[Part], start: dict) -> dict:
    """The row over the datasets of the study."""
    row = start | {"dataset": ALL, "model": FIXED} | counted(found, contrast)
    row |= summed(found, cohorts(grid))
    known = [each for each in with_error(found) if not each.trained_once]
    if len(known) > 1:
        apart = heterogeneity(*estimates(known))
        row |= {"heterogeneity_p": apart.p, "i2": apart.i2}
    return row


def with_error(found: list[Part]) -> list[Part]:
    """The datasets whose effect has a standard error: none where patients are too few."""
    return [each for each in found if each.errors().total > 0]


def estimates(found: list[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Effect of each dataset and its variance."""
    return tuple(np.array([(one.value, one.errors().total ** 2) for one in found]).T)


def counted(found: list[Part], contrast: Contrast) -> dict:
    """Columns that say on how much an effect rests."""
    return {
        "pairs": sum(len(each.drawn) for each in found),
        "planned": sum(map(len, contrast.pairs.values())),
        "datasets": len(found),
        "seeds": min((each.seeds for each in found), default=0),
        "most_seeds": max((each.seeds for each in found), default=0),
        "n": sum(each.size["n"] for each in found),
        "patients": sum(each.size["patients"] for each in found),
    }


def summed(found: list[Part], cohort: dict[str, str]) -> dict:
    """Columns of the mean over datasets; NaN without any."""
    if not found:
        return numbers(Combined(*[np.nan] * 7))
    value, errors = over_datasets(found, cohort)
    low, high, p = errors.interval(value)
    once = any(each.trained_once for each in found)
    sampling = errors.errors[: len({cohort[each.dataset] for each in found})]
    trainings = errors.errors[len(sampling) :]
    seed = np.nan if once else float(np.sqrt((trainings**2).sum()))
    se = float(np.sqrt((sampling**2).sum()))
    if all(each.width for each in found):  # no resample differs: there is no error to see
        return numbers(Combined(value, 0.0, seed, seed, low, high, p))
    return numbers(Combined(value, se, seed, seed, low, high, p, errors.detectable))


def random(found: list[Part]) -> dict:
    """Columns of the random effect over the datasets."""
    apart, mean = heterogeneity(*estimates(found)), hartung_knapp(*estimates(found))
    once = np.nan if any(each.trained_once for each in found) else 0.0
    ends = (max(mean.low, -1.0), min(mean.high, 1.0), mean.p)
    row = numbers(Combined(mean.value, mean.error, once, once, *ends))
    row |= {"heterogeneity_p": apart.p, "i2": apart.i2, "tau": mean.tau}
    row |= {"sampling_se": np.nan, "seed_se": np.nan}
    return row | {name: getattr(mean, name) for name in ("prediction_low", "prediction_high")}


def numbers(found: Combined) -> dict:
    """Columns of an estimate."""
    row = {"estimate": found.value, "low": found.low, "high": found.high, "p": found.p}
    row |= {"sampling_se": found.sampling_se, "seed_se": found.seed_se}
    return row | {"detectable": found.detectable, "combined": found}


# ------------------------------------------------------------------ families and words


def primary_metric(grid: Grid) -> str:
    """Metric of the primary effect."""
    how = grid.study.report
    usual = how.headline if how.headline in difference.RANKING else difference.RANKING[0]
    return how.primary.metric or usual


def with_families(frame: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """The rows with their family of tests, its size, and p after Holm's correction in it.

    The primary factor's effects in the primary metric are a family by themselves, so that a single
    one is not corrected at all; those of the other factors are the second; other metrics have one
    each; the effects of a factor in single datasets are follow-up. Random effects and effects at
    levels of other factors are described, not tested again.
    """
    main = primary_metric(grid)
    whole = frame["model"].eq(FIXED) & frame["by"].eq("")
    frame["primary"] = whole & frame["factor"].eq(primary(grid)) & frame["metric"].eq(main)
    names = pd.Series("", frame.index)
    names[whole] = "all factors, " + frame["metric"]
    names[whole & frame["metric"].eq(main)] = f"other factors, {main}"
    names[frame["primary"]] = f"primary: {primary(grid)}, {main}"
    ones = frame["model"].eq(ONE)
    names[ones] = "by dataset: " + frame["factor"] + ", " + frame["metric"]
    frame["family"] = names
    families = frame.groupby("family")["p"]
    sizes = families.transform("size")
    adjusted = families.transform(lambda p: holm(p.to_numpy(float)))
    frame["p_holm"] = adjusted.where(names.ne(""))
    frame["family_size"] = sizes.where(names.ne(""), 0).astype(int)
    return frame


def worded(frame: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """The rows with verdicts and sentences."""
    margin = grid.study.report.margin
    frame["margin"] = margin if margin else np.nan
    times = [conclusions.times_needed(found, margin) for found in frame["combined"]]
    frame["times_needed"] = times
    found = [say(row, margin) for row in frame.to_dict("records")]
    names = ["verdict", "margin_verdict", "sentence"]
    frame[names] = pd.DataFrame(found, index=frame.index, columns=names)
    return frame


def say(row: dict, margin: float) -> tuple[str, str, str]:
    """Verdict, verdict by the margin, and sentence of a row."""
    x, y = (named(row["factor"], row[side]) for side in ("level", "against"))
    if not row["pairs"]:
        return "incomplete", "", f"{x} against {y}: incomplete, no pair of cells is done."
    found, p = row["combined"], row["p_holm"] if row["family"] else row["p"]
    by = conclusions.by_margin(found, margin)
    text = conclusions.sentence((x, y), row["metric"], found, p, row["family_size"], basis(row))
    where = f"{named(row['by'], row['by_level'])}: " if row["by"] else ""
    if row["dataset"] != ALL:
        where = f"{row['dataset']}: "
    verdict = conclusions.verdict(found, p)
    times = row["times_needed"] if verdict == "not shown" else np.nan
    more = conclusions.size_words(times, margin) + conclusions.margin_words(
        by, margin, found, verdict
    )
    return verdict, by, f"{where}{text}{more}"


def named(factor: str, level: str) -> str:
    """A level in a sentence: `pretrained`, `lr 0.001`."""
    if factor in ("init", "backbone", "recipe"):
        return level
    return f"{factor} {level or 'as the dataset'}"


def basis(row: dict) -> str:
    """Basis of an effect as text: `mean over 4 pairs in 2 datasets, 2 seeds each, 377 patients`."""
    pairs = many(row["pairs"], "pair")
    if row["pairs"] < row["planned"]:
        pairs = f"{row['pairs']} of {many(row['planned'], 'pair')}"
    where = f" in {many(row['datasets'], 'dataset')}" if row["dataset"] == ALL else ""
    more = ", random effects" if row["model"] == RANDOM else ""
    return (
        f"mean over {pairs}{where}{more}, {each_seeds(row['seeds'], row['most_seeds'])}, "
        f"{row['n']:,} images of {row['patients']:,} patients"
    )


def each_seeds(fewest: int, most: int) -> str:
    """`2 seeds each`, or `1 to 3 seeds each` where datasets have different numbers."""
    return f"{fewest} to {most} seeds each" if fewest < most else f"{many(fewest, 'seed')} each"
