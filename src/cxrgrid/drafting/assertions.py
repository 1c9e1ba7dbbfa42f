"""Classes that deny a finding or doubt it, as `no pneumonia` and `possible pneumonia`.

They may be classes of their own, or say 0 and -1 (uncertain) of the finding: `new` asks.
"""

import re

from cxrgrid.config.errors import UserError
from cxrgrid.data.label_text import DOUBTED, plain
from cxrgrid.drafting.class_columns import SURE, Classes

DENIED = r"(?:no|not|without|w/o|absence of|absent|negative for|free of|kein|keine|pas de|sin)"
DOUBTFUL = (
    r"(?:possible|possibly|probable|probably|suspected|suspect|suspicion of|suspicious for|likely"
    r"|uncertain|unclear|equivocal|questionable|maybe|cannot exclude|rule out|r/o|v\.? ?a\.?"
    r"|verdacht auf|suspicion de|sospecha de|\?)"
)
FORMS = {
    "[]": (rf"{DENIED}(?: evidence of)? (.+)", r"(.+?)[ ,:(-]+(?:absent|negative|excluded)\)?"),
    DOUBTED: (
        rf"{DOUBTFUL} ?(.+)",
        rf"(.+?)[ ,:(-]*{DOUBTFUL}\)?",
    ),
}
SIGNS = re.compile(r"[+\-−±(/)]+")  # degrees of one finding: -, +, ++


def meanings(labels: list[str]) -> dict[str, str]:
    """Labels that deny or doubt another one, each with what `columns.names` calls it."""
    single = [label for label in labels if not any(sign in label for sign in SURE)]
    of = {plain(label): label for label in single}
    found = {}
    for label in labels:
        text = plain(label.replace("_", " "))
        for mark, forms in FORMS.items():
            ends = [end[1] for form in forms if (end := re.fullmatch(form, text))]
            other = next((of[end] for end in ends if end in of and of[end] != label), "")
            if other and label not in found:
                found[label] = mark + other * (mark == DOUBTED)
    return found


def doubt(classes: Classes) -> str:
    """Both readings of classes that deny or doubt others; empty without such."""
    signs = [label for label in classes.labels if SIGNS.fullmatch(label)]
    if len(signs) == len(classes.labels) > 2:
        return (
            f"{', '.join(signs)} of the column {classes.column!r} may be classes of their own, or "
            "say that one finding is there or not: write 1 and 0 for the second"
        )
    found = meanings(classes.labels)
    if not found or (len(classes.labels) == 2 and "[]" in found.values()):
        return ""  # of two classes the one is the absence of the other, called either way
    told = [
        f"{label!r} may say {'no finding' if name == '[]' else name[1:] + ' is uncertain (-1)'}"
        for label, name in found.items()
    ]
    return (
        f"in {classes.column!r} {' and '.join(told[:2])}, or be classes of their own: for the "
        f"first say --classes {classes.column!r} --negations"
    )


def apply(entry: dict) -> dict:
    """The entry with what is denied as absent and what is doubted as uncertain."""
    column = entry["columns"].get("classes", "") if "columns" in entry else ""
    names = meanings(entry["labels"]) if column else {}
    if not names:
        raise UserError("--negations: no class denies another one, as 'no pneumonia', or doubts it")
    labels = [label for label in entry["labels"] if label not in names]
    columns = entry["columns"] | {"names": entry["columns"].get("names", {}) | names}
    return {key: value for key, value in entry.items() if key != "task"} | {
        "labels": labels,
        "columns": columns,
    }
