"""Label policy: the meaning of uncertain (-1) and blank (NaN) labels, and sentences about it."""

import pandas as pd

from cxrgrid.data.hashed_draws import hashed_draw
from cxrgrid.data.label_targets import SMOOTH, apply_policy

MEANS = {
    "zero": "absent (zero)",
    "one": "present (one)",
    "absent": "absent",
    "ignore": "unknown: neither trained on nor scored",
    "smooth": f"soft targets, drawn from {SMOOTH[0]} to {SMOOTH[1]}, in training, and unknown in "
    "validation and test",
}
NAMES = {"uncertain": "Uncertain labels (-1)", "blank": "Blank labels"}


def resolve(setting: str | dict[str, str], labels: list[str], default: str) -> dict[str, str]:
    """A word for each label; a label that a mapping leaves out has the default."""
    words = setting if isinstance(setting, dict) else dict.fromkeys(labels, setting)
    found = {label: words.get(label, default) for label in labels}
    return {label: default if word == "auto" else word for label, word in found.items()}


def apply(frame: pd.DataFrame, words: dict[str, dict[str, str]]) -> pd.DataFrame:
    """The frame with its labels as 1, 0, NaN or soft.

    words: `uncertain` and `blank`, each a word for each label.
    """
    image = frame["image"].tolist()
    columns = {
        label: apply_policy(
            frame[label].to_numpy(float), image, label, words["uncertain"][label], blank
        )
        for label, blank in words["blank"].items()
    }
    return frame.assign(**columns)


def met(given: pd.Series) -> dict[str, pd.Series]:
    """Masks of the rows in which a label, as the adapter gave it, is uncertain or blank."""
    return {"uncertain": given == -1, "blank": given.isna()}


def fact(frame: pd.DataFrame, words: dict[str, dict[str, str]]) -> dict:
    """The policy as a fact: its words, what it met in a frame before it, and sentences on that.

    `counts`: of each label; `notes`: a sentence for each word that met a label, for every table.
    """
    counts = {
        label: {kind: int(found.sum()) for kind, found in met(frame[label]).items()}
        for label in words["blank"]
    }
    return {**words, "counts": counts, "notes": notes(words, counts)}


def draws(names: pd.Series, salt: str) -> pd.Series:
    """`hashed_draw` of each name: in [0, 1)."""
    return pd.Series([hashed_draw(name, salt) for name in names], names.index, float)


def harden(frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Soft labels are for training only: elsewhere unknown, so that none is scored."""
    held = frame["split"] != "train"
    soft = (frame[labels] > 0) & (frame[labels] < 1)
    return frame.assign(**{label: frame[label].mask(soft[label] & held) for label in labels})


def notes(words: dict[str, dict[str, str]], counts: dict[str, dict[str, int]]) -> list[str]:
    """A sentence for each policy that met a label, with how many it met."""
    found = []
    for kind, name in NAMES.items():
        for word in dict.fromkeys(words[kind].values()):
            met = {label: counts[label][kind] for label in counts if words[kind][label] == word}
            listed = ", ".join(f"{label} {count:,}" for label, count in met.items() if count)
            if listed:
                found.append(f"{name} are taken as {MEANS[word]}: {listed}.")
    return found
