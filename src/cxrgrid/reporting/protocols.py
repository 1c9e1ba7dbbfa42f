"""Differences of protocol between a published number and one of a study, as words."""

from dataclasses import dataclass

import pandas as pd

from cxrgrid.config.identity import changed
from cxrgrid.config.operating_points import ARGMAX
from cxrgrid.config.pooling import pooled_by
from cxrgrid.config.steps import SELECTED
from cxrgrid.config.study import Source
from cxrgrid.reporting.results import Frames

MEANINGS = ("uncertain", "blank", "labeler")  # options that leave no image out
RULES = {
    ARGMAX: "the highest score decides",
    "youden": "Youden's index on validation images",
    "f1": "the largest F1 on validation images",
}


@dataclass(frozen=True)
class Protocol:
    """Protocol of a number of the study.

    uncertain, blank: the label's word, None if not met; rule: its operating point as the scores
    name it, empty for a metric without one; chosen: by what images were left out; pooled: datasets
    that were trained on together.
    """

    split: str
    images: int
    size: int | str
    uncertain: str | None
    blank: str | None
    backbone: str
    start: str
    rule: str = ""
    chosen: str = ""
    pooled: str = ""


def protocol(configuration: pd.Series, row: pd.Series, here: pd.Series, frames: Frames) -> Protocol:
    """Protocol of the study's number `here` (n, threshold_rule) beside a published one.

    configuration: its CONFIGURATION.
    """
    name = configuration["dataset"]
    facts, settings = frames.facts[name], frames.grid.study.datasets[name]
    chosen = [name for name in SELECTED if name in changed(settings) and name not in MEANINGS]
    return Protocol(
        split=facts["split"],
        images=int(here["n"]),
        size=image_size(configuration, frames),
        uncertain=word("uncertain", row["label"], facts),
        blank=word("blank", row["label"], facts),
        backbone=configuration["backbone"].split(".")[0],
        start=start(configuration["init"], frames),
        rule=here["threshold_rule"],
        chosen=", ".join(chosen).replace("_", " "),
        pooled=" and ".join(pooled_by(frames.grid, tuple(configuration))),
    )


def image_size(configuration: pd.Series, frames: Frames) -> int | str:
    """Size of the images that a configuration's cells see, as configs write it."""
    axes = tuple(configuration)
    cell = next(cell for cell in frames.grid.cells if cell.configuration() == axes)
    return cell.image.get("size", frames.grid.study.datasets[cell.dataset].image.size)


def start(init: str, frames: Frames) -> str:
    """An init in the words of papers; timm's weights are nearly all of ImageNet."""
    if init == "scratch":
        return "none"
    source = frames.grid.study.weights.get(init)
    package = isinstance(source, Source) and source.package
    return "imagenet" if source == "timm" or package else init


def word(kind: str, label: str, facts: dict) -> str | None:
    """Policy for uncertain or blank labels; None if the data have none."""
    policy = facts.get("policy", {})
    met = policy.get("counts", {})
    words = {
        policy[kind][name]
        for name in met
        if met[name][kind] and (name == label or label not in met)
    }
    return " or ".join(sorted(words)) or None


def mismatches(row: pd.Series, ours: Protocol) -> list[str]:
    """Each difference of protocol between a published number and ours, and what is not stated."""
    found = [split(row, ours), *counts(row, ours), *policy(row, ours)]
    if row["ensemble"] != "1":
        many = f"of {row['ensemble']} models" if row["ensemble"] else "or one model: not stated"
        found.append(f"ensemble {many}, here one model")
    if row["crops"] is None or row["crops"] > 1:
        many = f"{row['crops']} crops" if row["crops"] else "crops: not stated"
        found.append(f"{many} of each test image, here the whole image once")
    if ours.rule and row["threshold"] is None:
        found.append(f"threshold: not stated, here {threshold(ours.rule)}")
    for name, here in (("pretraining", ours.start), ("backbone", ours.backbone)):
        if row[name] != here:
            found.append(f"{name}: {row[name] or 'not stated'}, here {here}")
    return [text for text in found if text]


def threshold(rule: str) -> str:
    """An operating point of the scores in words: `0.2`, `Youden's index on validation images`."""
    fitted = rule.startswith(("sensitivity", "specificity"))
    return RULES.get(rule, f"{rule} on validation images" if fitted else rule)


def split(row: pd.Series, ours: Protocol) -> str:
    """Difference of the two splits; drawn splits differ even if drawn by the same rule."""
    if row["split"] != ours.split:
        return f"split: {row['split'] or 'not stated'}, here {ours.split}"
    if row["split"] in ("patient", "image"):
        return f"split: by {row['split']}, but drawn anew, with other test images"
    return ""


def counts(row: pd.Series, ours: Protocol) -> list[str]:
    """Test images and their size, and what the study trained on besides."""
    found = [f"test images: {row['part']}" if row["part"] else ""]
    found.append(f"here trained on {ours.pooled}" if ours.pooled else "")
    if ours.chosen:
        found.append(f"images here chosen by {ours.chosen}")
    if row["images"] != ours.images:
        images = "not stated" if row["images"] is None else f"{row['images']:,}"
        found.append(f"number of test images: {images}, here {ours.images:,}")
    if row["size"] != ours.size:
        size = "not stated" if row["size"] is None else f"{row['size']} px"
        found.append(f"size: {size}, here {ours.size} px")
    return found


def policy(row: pd.Series, ours: Protocol) -> list[str]:
    """Differences of the label policy."""
    pairs = (("uncertain", ours.uncertain), ("blank", ours.blank))
    return [
        f"{name} labels: {row[name] or 'not stated'}, here {here or 'none in the data'}"
        for name, here in pairs
        if row[name] != here
    ]
