"""What the page says of a dataset's audit: copies of images, and what is told without images."""

import pandas as pd

from cxrgrid.reporting.markdown import Section, section
from cxrgrid.reporting.results import number

NOTE = (
    "AUROC on test images of a logistic regression that knows no image, only who was imaged and "
    "how. A model has learnt to read images as far as it is better than that."
)


def metadata(audit: dict) -> Section | None:
    """The AUROC of age, sex, view and source, alone and together; None where nothing is told."""
    told = audit.get("metadata_only", {"fields": [], "labels": {}})
    if not told["fields"]:
        return None
    rows = []
    for label, row in told["labels"].items():
        ends = (float("nan") if row[end] is None else row[end] for end in ("low", "high"))
        auroc = row["auroc"]
        shown = {"label": label}
        shown["together (95 % interval)"] = number(auroc["all"], *ends) if auroc else row["reason"]
        shown |= {name: number(auroc.get(name, float("nan"))) for name in told["fields"]}
        rows.append(shown | {"n": f"{row['n']:,}", "positives": f"{row['positives']:,}"})
    return section("Without any image", pd.DataFrame(rows), ["label"], [NOTE])


def copies(audit: dict) -> list[str]:
    """Sentences on equal and near-identical images and on split lists."""
    near = audit.get("near_images_in_two_splits", {})
    if near.get("pairs") is None:
        return []
    equal = len(audit["equal_images_in_two_splits"])
    texts = [
        f"Images in two splits: {equal or 'none'} with equal pixels, {near['pairs'] or 'none'} "
        f"nearly equal (pairs that differ in at most {near['bits']} of 255 bits of a perceptual "
        "hash; mirrored, turned or cropped copies are not found)."
    ]
    return texts + [
        f"Training images of the split {pair['train_of']!r} that are test images of "
        f"{pair['test_of']!r}: {pair['images']:,} of {pair['test_images']:,}."
        for pair in audit["lists"]
    ]


def leaked(facts: dict) -> list[str]:
    """The note below every table of a dataset whose patients stand in two splits."""
    if "leakage" not in facts:
        return []
    found = facts["leakage"]
    return [
        f"Leakage: {found['patients']:,} patients stand in two splits, and "
        f"{found['test_images_seen']:,} of {found['test_images']:,} test images are of patients "
        "who are in training as well; the numbers do not hold for new patients."
    ]
