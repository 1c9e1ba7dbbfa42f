"""What a study found, in plain sentences that say how sure they are."""

from collections.abc import Iterator

import pandas as pd

from cxrgrid.config.cell import AXES
from cxrgrid.evaluation.wording import many, number, signed
from cxrgrid.reporting.results import NAMES, Frames

PUBLISHED, RIGHT = "-as-published", "-done-right"  # one dataset of a study, in two ways
OVERFIT = 1.1  # a validation loss that ends this many times above its lowest


def findings(frames: Frames, leaderboard: pd.DataFrame, audits: dict[str, dict]) -> list[str]:
    """Sentences: each dataset's best configuration, other starts, weaknesses, what is missing."""
    sentences = [first(part, frames) for _, part in leaderboard.groupby("dataset", sort=False)]
    sentences += pretrained(frames.pairs(), frames.metric_name, frames)
    sentences += published_vs_right(leaderboard, frames.metric_name)
    sentences += filter(None, [tested(frames, axis) for axis in ("backbone", "recipe")])
    doubts = [near_chance(frames), training(frames.history), *mixed_splits(frames)]
    doubts = " ".join(filter(None, doubts))
    return [*sentences, *filter(None, [doubts]), complete(frames.cells, audits)]


def first(configurations: pd.DataFrame, frames: Frames) -> str:
    """The best configuration of a dataset, and whether its interval keeps clear of the next."""
    name = configurations["dataset"].iloc[0]
    scored = configurations[configurations["seeds"] > 0]
    if scored.empty:
        return f"{name}: no cell is scored yet."
    top = scored.iloc[0]
    over = "mean of " if top["seeds"] > 1 else ""
    text = (
        f"{name}: {configuration(top)} has the highest {frames.metric_name}, "
        f"{number(top['value'], top['low'], top['high'])}, {over}{seeds(top)}, on "
        f"{top['n']:,.0f} test images of {top['patients']:,.0f} patients"
    )
    if len(scored) == 1:
        return f"{text}; there is nothing to compare it with."
    second = scored.iloc[1]
    apart = "overlaps with" if second["high"] > top["low"] else "lies above"
    beside = number(second["value"], second["low"], second["high"])
    other = f"{configuration(second)}: {beside}, {seeds(second)}"
    return f"{text}. Its interval {apart} that of the next, {other}."


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
            f"{backbone} from {init} has {number(row['a'])} as published and {number(row['b'])} "
            f"done right ({signed(row['a'] - row['b'])})"
            for (backbone, init), row in pairs.iterrows()
        ]
        if each:
            yield (
                f"{name} against {other}, {metric}: {'; '.join(each)}. Split, training and seeds "
                "differ together, and so do the test images: no test is made."
            )


def configuration(row: pd.Series) -> str:
    """A configuration in the grid, in words."""
    start = "from scratch" if row["init"] == "scratch" else f"from {row['init']}"
    recipe = "" if row["recipe"] == "default" else f" with recipe {row['recipe']}"
    return f"{row['backbone']} {start}{recipe}"


def seeds(row: pd.Series) -> str:
    """`2 seeds`, or `1 of 2 seeds` where some are missing."""
    if row["seeds"] < row["planned"]:
        return f"{row['seeds']} of {row['planned']} seeds"
    return many(row["seeds"], "seed")


def pretrained(pairs: pd.DataFrame, metric: str, frames: Frames) -> Iterator[str]:
    """Each other start than scratch, over all its pairs."""
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
            f"({', '.join(by)}); from {signed(values.min())} to {signed(values.max())}, higher in "
            f"{(values > 0).sum()} of {len(values)} pairs with the same dataset, backbone, recipe "
            f"and seed ({len(part)} planned). {tested(frames, 'init', init)}"
        )


def tested(frames: Frames, axis: str, a: str = "") -> str:
    """How many pairs of an axis differ after Holm's correction; of an init, those with scratch."""
    rows = frames.pairs_of(axis)
    chosen = rows[(rows["a"] == a) & (rows["b"] == "scratch")] if a else rows
    if chosen.empty:
        return ""
    counts = chosen["verdict"].value_counts()
    differ = counts.get("better", 0) + counts.get("worse", 0)
    open_ = len(chosen) - differ - counts.get("incomplete", 0)
    what = f"{differ} of {len(chosen)} differ"
    if a:
        better, worse = counts.get("better", 0), counts.get("worse", 0)
        what = f"{a} is better in {better} and worse in {worse} of {len(chosen)}"
    text = (
        f"Tested in {NAMES[frames.compared]} on the same resampled patients and across seeds, with "
        f"Holm's correction over the study's {many(len(rows), 'pair')} that differ in {axis} only: "
        f"{what}; in {open_} no difference is shown"
    )
    missing = counts.get("incomplete", 0)
    text += f", {missing} cannot be compared yet." if missing else "."
    clear = chosen[chosen["verdict"].isin(["better", "worse"])].sort_values("p", kind="stable")
    return f"{text} The clearest: {clear['sentence'].iloc[0]}" if len(clear) else text


def near_chance(frames: Frames) -> str:
    """The number of cells whose interval includes chance."""
    scored = frames.headline().dropna(subset="value")
    if frames.metric != "auroc" or scored.empty:
        return ""
    chance = (scored["low"] <= 0.5).sum()
    if not chance:
        return ""
    return (
        f"In {chance} of {many(len(scored), 'scored cell')} the interval reaches an AUROC of 0.5, "
        "which is chance: do not rank these."
    )


def training(history: pd.DataFrame) -> str:
    """Cells that over-fit, and cells that might gain from more epochs."""
    over = late = 0
    cells = [cell for _, cell in history.groupby(AXES) if len(cell) > 1]
    for cell in cells:
        over += overfitted(cell)
        late += bool(cell["best"].iloc[-1])
    texts = []
    if over:
        texts.append(
            f"{over} of {many(len(cells), 'cell')} over-fitted: validation loss ended more than "
            "10 % above its lowest while training loss still fell. The best epoch's weights count."
        )
    if late:
        texts.append(
            f"In {late} of {many(len(cells), 'cell')} the last epoch was the best: longer training "
            "may help."
        )
    return " ".join(texts)


def overfitted(cell: pd.DataFrame) -> bool:
    """Whether a cell's validation loss rose by more than `OVERFIT` while training loss fell."""
    loss = cell["val_loss"]
    if len(cell) < 2 or loss.isna().all():
        return False
    falling = cell["train_loss"].iloc[-1] < cell["train_loss"].loc[loss.idxmin()]
    return bool(falling and loss.iloc[-1] > OVERFIT * loss.min())


def mixed_splits(frames: Frames) -> Iterator[str]:
    """Cells that were trained on another split than the data have now cannot be ranked together."""
    for name, facts in frames.facts.items():
        hashes = frames.cells.loc[frames.cells["dataset"] == name, "split_hash"].dropna()
        other = (hashes != facts.get("split_hash")).sum()
        if other:
            yield (
                f"{name}: {many(other, 'cell')} of {len(hashes)} rest on another split than "
                "the one shown here; they are not comparable until they are trained again."
            )


def complete(cells: pd.DataFrame, audits: dict[str, dict]) -> str:
    """How much of the grid is there, and whether the data gave reason for a warning."""
    missing = (cells["state"] == "missing").sum()
    text = f"All {len(cells)} cells of the study are done."
    if missing:
        is_are, them = ("is", "it") if missing == 1 else ("are", "them")
        text = (
            f"{missing} of {many(len(cells), 'cell')} {is_are} missing; the page shows where, and "
            f"how to run {them}."
        )
    warnings = {name: len(audit.get("warnings", [])) for name, audit in audits.items()}
    if any(warnings.values()):
        by = ", ".join(f"{name} {count}" for name, count in warnings.items() if count)
        text += f" The data audits warn: {by}; see the datasets below."
    return text
