"""Findings of a study as sentences, with intervals, n and tests."""

from collections.abc import Iterator

import pandas as pd

from cxrgrid.comparison.conclusions import THIS
from cxrgrid.comparison.effect_rows import FIXED
from cxrgrid.config.cell import CONFIGURATION
from cxrgrid.evaluation.wording import difference, many, number, p_value, signed
from cxrgrid.reporting.results import NAMES, Frames

PAIRED = ("init", "backbone", "recipe")
PUBLISHED, RIGHT = "-as-published", "-done-right"  # one dataset of a study, in two ways


def findings(frames: Frames, leaderboard: pd.DataFrame, under: bool = False) -> list[str]:
    """Findings as sentences: recommendations, published against right, pairwise comparisons.

    under: they stand under the answer, whose table has the recommended configurations: told is only
    what is next to these.
    """
    asked = leaderboard[~leaderboard["dataset"].isin(frames.grid.sources())]
    told = beside if under else first
    sentences = [told(part, frames) for _, part in asked.groupby("dataset", sort=False)]
    sentences += published_vs_right(leaderboard, frames.metric_name)
    pairs = [tested(frames, axis) for axis in PAIRED]
    return list(filter(None, [*sentences, *pairs, together(frames)]))


def first(configurations: pd.DataFrame, frames: Frames) -> str:
    """The configuration of a dataset that is chosen on validation images, and its test value.

    Beside it the next one by validation value.
    """
    name, metric = configurations["dataset"].iloc[0], frames.metric_name
    scored = configurations[configurations["seeds"] > 0]
    if scored.empty or scored["validation"].isna().all():
        return unknown(name, metric, scored)
    top = scored.iloc[0]
    over = "mean of " if top["seeds"] > 1 else ""
    value = (
        f"{metric} on test images is {number(top['value'], top['low'], top['high'])} ({over}"
        f"{seeds(top)}; {top['n']:,.0f} images of {top['patients']:,.0f} patients)"
    )
    if len(configurations) == 1:
        return f"{name}: of {configuration(top)} the {value}."
    text = (
        f"{name}: recommended is {configuration(top)}, chosen on validation images ({metric} "
        f"{number(top['validation'])}, {rivals(scored)}). Its {value}"
    )
    if len(scored) == 1:
        return f"{text}; no other configuration is scored."
    return f"{text}. Next on validation images is {second(scored, frames)}."


def beside(configurations: pd.DataFrame, frames: Frames) -> str:
    """The next configuration of a dataset to the recommended one; empty if one alone is scored."""
    name = configurations["dataset"].iloc[0]
    scored = configurations[configurations["seeds"] > 0]
    if scored.empty or scored["validation"].isna().all():
        return unknown(name, frames.metric_name, scored)
    if len(scored) == 1:
        return ""
    return (
        f"{name}: recommended is {configuration(scored.iloc[0])}, {rivals(scored)} on validation "
        f"images. Next on them is {second(scored, frames)}."
    )


def unknown(name: str, metric: str, scored: pd.DataFrame) -> str:
    """Why no configuration of a dataset can be recommended."""
    if scored.empty:
        return f"{name}: nothing is scored yet."
    return (
        f"{name}: {metric} is not defined on the validation images, where no label has both "
        "classes; no configuration is recommended."
    )


def rivals(scored: pd.DataFrame) -> str:
    """Those among which the first configuration is the highest."""
    shares = scored["seeds"] / scored["planned"]
    among = (shares == shares.iloc[0]).sum()
    best = f"the highest of {among} configurations" if among > 1 else "the only configuration"
    if shares.nunique() > 1:
        best += " with most of their seeds" if among > 1 else " with most of its seeds"
    return best


def second(scored: pd.DataFrame, frames: Frames) -> str:
    """A dataset's second configuration by validation value, and its test against the first."""
    top, other = scored.iloc[0], scored.iloc[1]
    value = number(other["value"], other["low"], other["high"])
    return (
        f"{configuration(other)} ({number(other['validation'])}; on test images {value}, "
        f"{seeds(other)}); {against_second(top, other, frames)}"
    )


def against_second(top: pd.Series, second: pd.Series, frames: Frames) -> str:
    """The paired comparison of a dataset's first two configurations, if the study has it."""
    top, second = ({**row, "recipe": row["entry"]} for row in (top, second))
    differ = [axis for axis in CONFIGURATION if top[axis] != second[axis]]
    rows = frames.pairs_of(differ[0]) if len(differ) == 1 else frames.comparisons[:0]
    for axis in [axis for axis in CONFIGURATION if axis not in differ]:
        rows = rows[rows[axis].fillna("") == top[axis]]
    names = [row[axis] for row in (top, second) for axis in differ]
    both = rows["a"].isin(names) & rows["b"].isin(names)
    rows = rows[both].dropna(subset="difference")
    if rows.empty:
        return f"the two differ in {' and '.join(differ)} and are not tested against each other"
    row = rows.iloc[0]
    turn = 1 if row["a"] == top[differ[0]] else -1
    low, high = sorted((turn * row["low"], turn * row["high"]))
    shown = difference(turn * row["difference"], low, high)
    if pd.isna(row["low"]) and row["verdict"] != "not shown":  # else equal on every resample
        return f"on the same patients {frames.compared_name} {shown}, not tested: {row['verdict']}"
    chance = f"p after Holm {p_value(row['p_holm'])}"
    names = {"better": "the two differ", "worse": "the two differ"}
    names[THIS] = "these two trainings differ, which says nothing of the methods"
    verdict = names.get(row["verdict"], "the two are not shown to differ")
    return f"on the same patients {verdict} ({frames.compared_name} {shown}; {chance})"


def published_vs_right(leaderboard: pd.DataFrame, metric: str) -> Iterator[str]:
    """The difference between each dataset X-as-published and its X-done-right."""
    scored = leaderboard[leaderboard["seeds"] > 0]
    keys = ["dataset", "backbone", "init"]
    means = scored.groupby(keys, sort=False)["value"].mean()
    right = scored[scored["recipe"] == "done-right"].groupby(keys)["value"].mean()
    for name in scored["dataset"].unique():
        other = f"{name.removesuffix(PUBLISHED)}{RIGHT}"
        if not name.endswith(PUBLISHED) or other not in right.index.get_level_values(0):
            continue
        pairs = means[name].to_frame("a").join(right[other].rename("b"), how="inner")
        each = [
            f"{backbone}, {init}: {number(row['a'])} as published, {number(row['b'])} done right "
            f"({signed(row['a'] - row['b'])})"
            for (backbone, init), row in pairs.iterrows()
        ]
        if each:
            yield (
                f"{name} against {other}, {metric}: {'; '.join(each)}. Split, training, seeds and "
                "test images differ between the two; the difference is therefore not tested."
            )


def configuration(row: pd.Series) -> str:
    """Name of a configuration: `resnet18, scratch`, with its recipe unless that is the default."""
    recipe = "" if row["recipe"] == "default" else f", recipe {row['recipe']}"
    return f"{row['backbone']}, {row['init']}{recipe}"


def seeds(row: pd.Series) -> str:
    """`2 seeds`, `5 folds, 2 seeds`, or `1 of 2 seeds` where some are missing."""
    folds = f"{row['folds']} folds, " if row.get("folds", 1) > 1 else ""
    if row["seeds"] < row["planned"]:
        return f"{folds}{row['seeds']} of {row['planned']} seeds"
    return f"{folds}{many(row['seeds'], 'seed')}"


def tested(frames: Frames, axis: str, a: str = "") -> str:
    """Number of an axis's pairs that differ after Holm's correction; of init `a`, with scratch."""
    rows = frames.pairs_of(axis)
    chosen = rows[(rows["a"] == a) & (rows["b"] == "scratch")] if a else rows
    if chosen.empty:
        return ""
    text = (
        f"Tests in {NAMES[frames.compared]} on the same resampled patients and across seeds, "
        f"{correction(len(rows), axis)}: "
        f"{verdicts(chosen, a)}."
    )
    clear = chosen[chosen["verdict"].isin(["better", "worse"])].sort_values("p", kind="stable")
    return f"{text} The clearest: {clear['sentence'].iloc[0]}" if len(clear) else text


def together(frames: Frames) -> str:
    """Why a factor has an effect over all pairs though none of them shows one; else empty."""
    effects = frames.effects
    shown = effects["model"].eq(FIXED) & effects["by"].isna() & effects["p_holm"].lt(0.05)
    shown &= effects["metric"].eq(frames.compared) & effects["verdict"].isin(["better", "worse"])
    for axis in PAIRED:
        rows = frames.pairs_of(axis)
        alone = len(rows) > 1 and not rows["verdict"].isin(["better", "worse"]).any()
        if alone and (shown & effects["factor"].eq(axis)).any():
            return (
                "That no single pair differs does not contradict an effect over all pairs: a pair "
                "rests on fewer trainings, and misses a difference that the mean of all shows."
            )
    return ""


def correction(pairs: int, axis: str) -> str:
    """The family of tests in words; one pair needs no correction."""
    if pairs == 1:
        return f"of the study's one pair that differs in {axis} only"
    return f"with Holm's correction over the study's {pairs} pairs that differ in {axis} only"


def verdicts(pairs: pd.DataFrame, a: str) -> str:
    """Counts of the pairs' verdicts; a: the init that `better` and `worse` refer to, or empty."""
    counts = pairs["verdict"].value_counts()
    better, worse, missing = (counts.get(name, 0) for name in ("better", "worse", "incomplete"))
    once = counts.get(THIS, 0)
    left = len(pairs) - better - worse - missing - once
    if left == len(pairs):
        largest = pairs.loc[pairs["difference"].abs().idxmax()]
        ends = f"{signed(largest['low'])} to {signed(largest['high'])}"
        found = f"{signed(largest['difference'])}, {ends}"
        if len(pairs) == 1:
            return f"no difference shown ({found})"
        return f"no difference shown in any of the {len(pairs)} pairs (largest {found})"
    which = f"{better + worse} of {many(len(pairs), 'pair')} differ"
    if a:
        which = f"{a} is better in {better} and worse in {worse} of {many(len(pairs), 'pair')}"
    parts = [which] if better + worse else []
    parts += [f"no difference shown in {left}"] if left else []
    if once:
        where = f"in {once} " if len(pairs) > 1 else ""
        parts.append(f"{where}the trainings differ, but one each says nothing of the methods")
    return "; ".join(parts + ([f"{missing} cannot be compared yet"] if missing else []))
