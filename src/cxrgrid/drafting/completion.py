"""Labels, split and what to say of both, of a dataset whose images are read."""

import pandas as pd

from cxrgrid.config.errors import UserError
from cxrgrid.drafting import alternatives, description, folder_names, guesses
from cxrgrid.drafting.questions import Question


def complete(entry: dict, frame: pd.DataFrame, sure: bool = False) -> tuple[dict, dict]:
    """The entry with labels and split chosen, and what to say beside them.

    sure: the layout was named by the user. Else `Question` where folders may be no classes.
    """
    labels = frame.attrs["labels"]
    same = description.constant(frame, labels)
    chosen = [label for label in labels if label not in same]
    if not chosen:
        raise UserError(f"{entry['root']}: nothing to tell apart in {', '.join(labels)}")
    if frame["patient"].nunique() < 3:
        raise UserError(f"{entry['root']}: 3 patients are needed for train, val and test")
    if doubt := "" if sure else doubt_about(entry, frame, labels):
        raise Question(
            f"{entry['root']}: {doubt}; if these are the classes all the same, say --adapter "
            "folder, else name images and labels in a table",
            {"these are the classes all the same": {"adapter": "folder"}},
        )
    lists = guesses.shipped(frame)
    split = next((name for name, fault in lists.items() if not fault), "patient")
    faults = [f"not {name!r}, as {fault}" for name, fault in lists.items() if fault]
    notes = {
        "labels": {label: description.share(frame[label]) for label in chosen},
        "left_out": {label: f"always {value}" for label, value in same.items()},
        "split": "; ".join([about_split(split, entry), *faults]),
        "splits": {
            name: about_split(name, entry)
            for name in ([*lists, "patient"])
            if name != split and not lists.get(name)
        },
        "patient": about_patients(frame),
        "others": alternatives.of_settings(entry, frame),
        "other_classes": alternatives.of_classes(entry),
        "task": exclusive(frame, chosen)
        if entry["adapter"] == "csv" and "task" not in entry
        else "",
    }
    return entry | {"labels": chosen, "split": {"name": split}}, notes


def doubt_about(entry: dict, frame: pd.DataFrame, labels: list[str]) -> str:
    """Why folders, or parts of names, may be no classes; empty where nothing speaks against it."""
    if entry["adapter"] != "folder":
        return ""
    loose = frame.attrs.get("in_no_class", 0)
    if loose > len(frame) and "split:folders" not in frame:
        return f"{len(frame):,} images lie in folders of classes, and {loose:,} in none"
    found = folder_names.question(frame, labels)
    return found or (folder_names.views_or_copies(frame, labels) if entry.get("classes") else "")


def about_split(name: str, entry: dict) -> str:
    """Sentence on the chosen split and its alternatives."""
    if name == "patient":
        return "by patient, stratified: 70 % train, 10 % val, 20 % test"
    columns = entry.get("columns", {})
    if columns.get("test"):
        return f"{columns['split']} {columns['test']} is the test set, the others train and val"
    return "as shipped with the images; `patient` divides anew, by patient"


def about_patients(frame: pd.DataFrame) -> str:
    """Sentence of the study file on how patients are identified."""
    if not description.is_known(frame):
        return "no patient is known: each image counts as its own"
    patients = frame["patient"].nunique()
    return f"{patients:,} patients, {len(frame) / patients:.1f} images each"


def exclusive(frame: pd.DataFrame, labels: list[str]) -> str:
    """A suggestion, where each image has exactly one of several labels."""
    one = len(labels) > 1 and (frame[labels].sum(axis=1) == 1).all()
    return "each image has exactly one label: classes that compete" if one else ""
