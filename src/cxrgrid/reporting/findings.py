"""Findings of a study as sentences, with intervals, n and tests."""

from collections.abc import Iterator

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION
from cxrgrid.evaluation.difference import THIS
from cxrgrid.evaluation.effect_rows import FIXED, primary_metric
from cxrgrid.evaluation.wording import difference, many, number, p_value, signed
from cxrgrid.reporting.results import NAMES, Frames

PUBLISHED, RIGHT = "-as-published", "-done-right"  # one dataset of a study, in two ways
OVERFIT = 1.1  # a validation loss that ends this many times above its lowest


def findings(frames: Frames, leaderboard: pd.DataFrame, audits: dict[str, dict]) -> list[str]:
    """Findings as sentences: recommendations, effects of init, backbone and recipe, caveats."""
    results = leaderboard[~leaderboard["dataset"].isin(frames.grid.sources())]
    sentences = list(main_effects(frames))
    sentences += [first(part, frames) for _, part in results.groupby("dataset", sort=False)]
    sentences += pretrained(frames.pairs(), frames.metric_name, frames)
    sentences += published_vs_right(leaderboard, frames.metric_name)
    sentences += filter(None, [tested(frames, axis) for axis in ("backbone", "recipe")])
    doubts = [near_chance(frames), training(frames.history), *mixed_splits(frames)]
    doubts = " ".join(filter(None, doubts))
    return [*sentences, *filter(None, [doubts]), complete(frames.cells, audits)]


def main_effects(frames: Frames) -> Iterator[str]:
    """The primary effect, then those of other factors that are shown."""
    rows = frames.effects[frames.effects["model"].eq(FIXED) & frames.effects["by"].isna()]
    yield from "Primary effect: " + rows.loc[rows["primary"], "sentence"]
    rows = rows[~rows["primary"] & (rows["metric"] == primary_metric(frames.grid))]
    for factor, part in rows.groupby("factor", sort=False):
        shown = part[part["verdict"].isin(["better", "worse"])]
        if len(shown):
            yield f"Effect of {factor}: {' '.join(shown['sentence'])}"


def first(configurations: pd.DataFrame, frames: Frames) -> str:
    """The configuration of a dataset that is chosen on validation images, and its test value.

    Beside it the next one by validation value.
    """
    name, metric = configurations["dataset"].iloc[0], frames.metric_name
    scored = configurations[configurations["seeds"] > 0]
    if scored.empty:
        return f"{name}: no cell is scored yet."
    if scored["validation"].isna().all():
        return (
            f"{name}: {metric} is not defined on the validation images, where no label has both "
            "classes; no configuration is recommended."
        )
    top = scored.iloc[0]
    over = "mean of " if top["seeds"] > 1 else ""
    shares = scored["seeds"] / scored["planned"]
    rivals = many((shares == shares.iloc[0]).sum(), "configuration")
    rivals += "" if shares.nunique() == 1 else " with most of their seeds"
    text = (
        f"{name}: recommended is {configuration(top)}, chosen on validation images ({metric} "
        f"{number(top['validation'])}, the highest of {rivals}). Its "
        f"{metric} on test images is {number(top['value'], top['low'], top['high'])} ({over}"
        f"{seeds(top)}; {top['n']:,.0f} images of {top['patients']:,.0f} patients)"
    )
    if len(scored) == 1:
        return f"{text}; no other configuration is scored."
    second = scored.iloc[1]
    beside = number(second["value"], second["low"], second["high"])
    return (
        f"{text}. Next on validation images is {configuration(second)} "
        f"({number(second['validation'])}; on test images {beside}, {seeds(second)}); "
        f"{against_second(top, second, frames)}."
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
    verdict = "differ" if row["verdict"] in ("better", "worse") else "are not shown to differ"
    chance = f"p after Holm {p_value(row['p_holm'])}"
    return f"on the same patients the two {verdict} ({frames.compared_name} {shown}; {chance})"


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


def pretrained(pairs: pd.DataFrame, metric: str, frames: Frames) -> Iterator[str]:
    """The effect of each init but scratch, over all its pairs with scratch."""
    for init, part in pairs.groupby("init", sort=False):
        known = part.dropna(subset="difference")
        if known.empty:
            yield f"{init} against scratch: none of {many(len(part), 'pair')} is complete."
            continue
        values = known["difference"]
        each = known.groupby("dataset", sort=False)["difference"].agg(average="mean", pairs="size")
        by = [f"{row.Index} {signed(row.average)} (n = {row.pairs})" for row in each.itertuples()]
        yield (
            f"{init} against scratch: {metric} differs by {signed(values.mean())} on average "
            f"({', '.join(by)}), range {signed(values.min())} to {signed(values.max())}; higher in "
            f"{(values > 0).sum()} of {len(values)} pairs with the same dataset, backbone, recipe "
            f"and seed ({len(part)} planned). {tested(frames, 'init', init)}"
        )


def tested(frames: Frames, axis: str, a: str = "") -> str:
    """Number of an axis's pairs that differ after Holm's correction; of init `a`, with scratch."""
    rows = frames.pairs_of(axis)
    chosen = rows[(rows["a"] == a) & (rows["b"] == "scratch")] if a else rows
    if chosen.empty:
        return ""
    text = (
        f"Tests in {NAMES[frames.compared]} on the same resampled patients and across seeds, with "
        f"Holm's correction over the study's {many(len(rows), 'pair')} that differ in {axis} only: "
        f"{verdicts(chosen, a)}."
    )
    clear = chosen[chosen["verdict"].isin(["better", "worse"])].sort_values("p", kind="stable")
    return f"{text} The clearest: {clear['sentence'].iloc[0]}" if len(clear) else text


def verdicts(pairs: pd.DataFrame, a: str) -> str:
    """Counts of the pairs' verdicts; a: the init that `better` and `worse` refer to, or empty."""
    counts = pairs["verdict"].value_counts()
    better, worse, missing = (counts.get(name, 0) for name in ("better", "worse", "incomplete"))
    once = counts.get(THIS, 0)
    left = len(pairs) - better - worse - missing - once
    if left == len(pairs):
        largest = pairs.loc[pairs["difference"].abs().idxmax()]
        ends = f"{signed(largest['low'])} to {signed(largest['high'])}"
        return (
            f"no difference shown in any of the {many(len(pairs), 'pair')} "
            f"(largest {signed(largest['difference'])}, {ends})"
        )
    text = f"{better + worse} of {many(len(pairs), 'pair')} differ"
    if a:
        text = f"{a} is better in {better} and worse in {worse} of {many(len(pairs), 'pair')}"
    text += f"; no difference shown in {left}"
    if once:
        text += f"; in {once} the trainings differ, but one each says nothing of the methods"
    return f"{text}; {missing} cannot be compared yet" if missing else text


def near_chance(frames: Frames) -> str:
    """The number of cells whose interval includes chance."""
    scored = frames.headline().dropna(subset="value")
    if frames.metric != "auroc" or scored.empty:
        return ""
    chance = (scored["low"] <= 0.5).sum()
    if not chance:
        return ""
    return (
        f"In {chance} of {many(len(scored), 'scored cell')} the 95 % interval includes an AUROC of "
        "0.5 (chance); these cells should not be ranked."
    )


def training(history: pd.DataFrame) -> str:
    """Counts of the cells that over-fitted, and of those whose last epoch was the best."""
    over = late = 0
    cells = [cell for _, cell in history.groupby(AXES) if len(cell) > 1]
    for cell in cells:
        over += overfitted(cell)
        late += bool(cell["best"].iloc[-1])
    texts = []
    if over:
        texts.append(
            f"{over} of {many(len(cells), 'cell')} over-fitted: validation loss ended more than "
            "10 % above its minimum while training loss still fell. The best epoch's weights are "
            "used."
        )
    if late:
        texts.append(
            f"In {late} of {many(len(cells), 'cell')} the last epoch was the best: longer training "
            "may help."
        )
    return " ".join(texts)


def overfitted(cell: pd.DataFrame) -> bool:
    """True if a cell's validation loss rose by more than `OVERFIT` while training loss fell."""
    loss = cell["val_loss"]
    if len(cell) < 2 or loss.isna().all():
        return False
    falling = cell["train_loss"].iloc[-1] < cell["train_loss"].loc[loss.idxmin()]
    return bool(falling and loss.iloc[-1] > OVERFIT * loss.min())


def mixed_splits(frames: Frames) -> Iterator[str]:
    """Sentences on cells that were trained on another split than the data have now."""
    for name, facts in frames.facts.items():
        hashes = frames.cells.loc[frames.cells["dataset"] == name, "split_hash"].dropna()
        other = (~hashes.isin(str(facts.get("split_hash")).split(", "))).sum()
        if other:
            yield (
                f"{name}: {many(other, 'cell')} of {len(hashes)} were trained on another split "
                "than the one shown here and cannot be compared until they are trained again."
            )


def complete(cells: pd.DataFrame, audits: dict[str, dict]) -> str:
    """Counts of finished and missing cells, and of the data audits' warnings."""
    missing = (cells["state"] == "missing").sum()
    text = f"All {len(cells)} cells of the study are done."
    if missing:
        is_are, them = ("is", "it") if missing == 1 else ("are", "them")
        text = (
            f"{missing} of {many(len(cells), 'cell')} {is_are} missing; the grid below has the "
            f"command that runs {them}."
        )
    warnings = {name: len(audit.get("warnings", [])) for name, audit in audits.items()}
    if any(warnings.values()):
        by = ", ".join(f"{name} {count}" for name, count in warnings.items() if count)
        text += f" Warnings of the data audits: {by}; see the datasets below."
    return text
