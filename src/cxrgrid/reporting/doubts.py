"""Reasons to doubt a study's answer, each as a sentence, gravest first."""

from collections.abc import Iterator

import pandas as pd

from cxrgrid.config.cell import AXES, CONFIGURATION, Cell
from cxrgrid.evaluation.wording import many
from cxrgrid.reporting import against_test, label_counts, nested_choice, readings, saturated
from cxrgrid.reporting.dataset_cards import leaked
from cxrgrid.reporting.results import Frames

FEW = 100  # test patients, below which an interval is wide whatever the method
OVERFIT = 1.1  # a validation loss that ends this many times above its lowest


def doubts(frames: Frames, audits: dict[str, dict], overlap: list[str]) -> list[str]:
    """Sentences on phantoms, missing cells, leakage, sample sizes, trainings and audits."""
    asked = [name for name in frames.facts if name not in frames.grid.sources()]
    found = [drawn(frames, asked), missing(frames.cells)]
    found += [readings.came_after(readings.read(frames.folder / readings.NAME), frames.grid)]
    found += against_test.sentences(frames)
    for name in asked:
        found += [f"{name}: {text}" for text in leaked(frames.facts[name])]
        found += [*small(name, frames), few_to_choose(name, frames)]
        found += [nested_choice.doubt(frames, name)]
    found += [*overlap, once(frames, asked), *mixed_splits(frames), near_chance(frames)]
    found += [training(frames.history), saturated.sentence(frames), unrepeatable(frames.grid.cells)]
    for name in audits:
        found += [f"{name}: {text}" for text in audits[name].get("warnings", [])]
    return list(dict.fromkeys(filter(None, found)))


def unrepeatable(cells: list[Cell]) -> str:
    """That trainings cannot be repeated to the bit, because they were asked to be faster."""
    loose = sum(not cell.deterministic for cell in cells)
    if not loose:
        return ""
    return (
        f"{loose} of {many(len(cells), 'cell')} were trained with deterministic: false: trained "
        "again on a GPU, they give slightly other numbers."
    )


def drawn(frames: Frames, asked: list[str]) -> str:
    """That images are phantoms, if they are."""
    names = [name for name in asked if frames.grid.study.datasets[name].phantom]
    if not names:
        return ""
    which = "All images" if names == asked else f"The images of {' and '.join(names)}"
    return f"{which} are phantoms drawn by cxrgrid: the numbers say nothing about patients."


def missing(cells: pd.DataFrame) -> str:
    """Number of missing cells."""
    lacking = (cells["state"] == "missing").sum()
    if not lacking:
        return ""
    verb, them = ("is", "it") if lacking == 1 else ("are", "them")
    return (
        f"{lacking} of {many(len(cells), 'cell')} {verb} missing; under The grid at a glance "
        f"stands the command that runs {them}."
    )


def small(name: str, frames: Frames) -> Iterator[str]:
    """Few test patients, and labels with too few positives or negatives."""
    test = frames.tested[frames.tested["dataset"].eq(name)]
    if test.empty:
        return
    patients, images = test["patients"].max(), test["images"].max()
    if patients < FEW:
        yield f"{name}: the test set is small ({many(images, 'image')} of {patients} patients)."
    least = frames.grid.study.report.minimum
    rare = frames.rare(name)
    if rare:
        yield (
            f"{name}: fewer than {least} positive or negative test images of {', '.join(rare)}; "
            "these labels are in no mean over labels, no ranking and no test."
        )
    elif (test[["positives", "negatives"]].min(axis=1) < least).any():
        yield (
            f"{name}: no label has {least} positive and {least} negative test images; the means "
            "over labels rest on these few."
        )


def few_to_choose(name: str, frames: Frames) -> str:
    """Labels with too few validation images to have a say in the choice of a configuration.

    Of a dataset in folds nothing: their validation images are pooled.
    """
    validated = frames.counts[frames.counts["split"].eq("val")]
    least = frames.grid.study.report.minimum
    rare = label_counts.rare(validated, name, least)
    if not rare or len(frames.grid.folds[name]) > 1:
        return ""
    labels = validated.loc[validated["dataset"].eq(name), "label"]
    rest = [label for label in labels if label not in rare]
    tested = frames.counts[frames.counts["split"].eq("test") & frames.counts["dataset"].eq(name)]
    more = set(tested["label"]) & set(rare) - set(label_counts.rare(tested, name, least))
    apart = "; test values are means over more labels, and do not compare with it" if more else ""
    return (
        f"{name}: chosen by the validation images of {', '.join(rest)} alone, as the others have "
        f"fewer than {least} positive or negative ones{apart}."
    )


def once(frames: Frames, asked: list[str]) -> str:
    """That configurations were trained once, so that the spread between trainings is not known."""
    cells = frames.cells[frames.cells["dataset"].isin(asked)]
    sizes = cells.groupby(CONFIGURATION).size()
    if sizes.empty or sizes.max() > 1:
        return ""
    if len(sizes) == 1:
        return "The configuration was trained once: another seed may give another value."
    return (
        "Each configuration was trained once: the differences are between these trainings, and "
        "another seed may reverse them."
    )


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


def near_chance(frames: Frames) -> str:
    """The number of cells whose interval includes chance."""
    scored = frames.headline().dropna(subset="value")
    if frames.metric != "auroc" or scored.empty:
        return ""
    chance = (scored["low"] <= 0.5).sum()
    if not chance:
        return ""
    total = many(len(scored), "scored cell")
    among = f"{chance} of {total}" if chance < len(scored) else f"all {total}"
    among = "the one scored cell" if len(scored) == 1 else among
    return (
        f"In {among} the 95 % interval includes an AUROC of "
        "0.5 (chance); do not rank by these values."
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
