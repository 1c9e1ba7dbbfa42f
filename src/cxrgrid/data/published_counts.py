"""A dataset's counts beside the published ones: what is missing, and what cannot be right."""

import pandas as pd

from cxrgrid.config.checks import adapter_facts


def compare(index: pd.DataFrame, facts: dict) -> dict:
    """Images, patients and positives that are here, each with the published number.

    {} for phantoms, and for adapters without `PUBLISHED`.
    """
    known = adapter_facts(facts["adapter"]).get("PUBLISHED", {})
    if not known or facts.get("root", "").endswith(f"/{facts['dataset']}/phantom"):
        return {}
    here = {"images": len(index), "patients": int(index["patient"].nunique())}
    here |= {label: int((index[label] == 1).sum()) for label in facts["labels"]}
    published = {name: known[name] for name in ("images", "patients") if name in known}
    published |= known.get("labels", {})
    return {
        name: {"here": here[name], "published": published[name]}
        for name in here
        if name in published
    }


def sentences(counts: dict) -> list[str]:
    """Warnings: a part of the dataset only; more than there can be; all images, other labels."""
    if "images" not in counts:
        return []
    texts = []
    part = counts["images"]["here"] < counts["images"]["published"]
    if part:
        texts.append(
            "{here:,} of the published {published:,} images are here.".format(**counts["images"])
        )
    more = [row(name, n) for name, n in counts.items() if n["here"] > n["published"]]
    if more:
        texts.append(f"More than was published: {', '.join(more)}. Is a label read wrongly?")
    fewer = [row(name, n) for name, n in counts.items() if n["here"] < n["published"]]
    if fewer and not part:
        texts.append(f"All images, but fewer than was published: {', '.join(fewer)}.")
    return texts


def row(name: str, count: dict) -> str:
    """`Effusion 13,318 (published: 13,317)`."""
    return f"{name} {count['here']:,} (published: {count['published']:,})"
