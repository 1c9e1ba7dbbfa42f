"""Facts from the names of a folder's images: patients, classes, and signs of a wrong guess."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pandas as pd

from cxrgrid.data import dicom, folder_layout, walk
from cxrgrid.data.patients import HEADER
from cxrgrid.drafting import class_folders, no_classes
from cxrgrid.drafting.questions import Question

PREFIXES = {"patient", "person", "subject", "subj", "case", "sub", "pat", "pt", "p"}
# After a prefix of these: digits, a word with digits, or all but the last part.
PATTERNS = [r"^(\d+)[-_]", r"^([A-Za-z]+[-_]?\d+)[-_]", r"^(.+)[-_][^-_]*$"]
ABOVE = [r"^[^/]+/([^/]+)/", r"^[^/]+/[^/]+/([^/]+)/", r"^[^/]+/[^/]+/[^/]+/([^/]+)/"]
FIRST = r"^([^/]+)/"
CLASSES = [
    r"^([A-Za-z]+(?:[ _-][A-Za-z]+)*)[ _-]?\(?\d",
    r"[-_]([A-Za-z]+(?:[-_][A-Za-z]+)*|[01])\.\w+$",
]
CLASSES += [r"[-_]([A-Za-z]+(?:[-_][A-Za-z]+)*)[-_](?:PA|AP|LAT|LL|lateral|frontal)\.\w+$"]
CLASSES += [r"^[^_-]*\d[^_-]*[_-]([A-Za-z]+)[_-]"]
DATE = re.compile(r"(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d|[0-3]?\d[-_.][0-3]?\d[-_.](19|20)?\d\d")
PERSON = re.compile(r"(patient|person|subject|subj|case|sub|pat|pt|p|s|id)?[ _-]?\d+", re.I)
OF_COPIES = re.compile(
    r"[a-z]|\d+|orig(inal)?|raw|flip(ped)?|mirror(ed)?|rot(ated)?|crop(ped)?|aug(mented)?|copy|clahe"
    r"|noisy?|blur(red)?|pre|post|before|after",
    re.I,
)  # ends of names that may be of views or copies
SHOWN = 6  # folders that are named
NEARLY_ALL = 0.9  # share of patients
FEWEST = 5  # patients of a class below which it is asked whether it is one


def patient_patterns(images: list[str], classes: list[str] = (), first: bool = False) -> list[str]:
    """The expressions that find a patient in every file's name or path, with several images for
    some; the likeliest one first.

    classes: names of folders that are no patients. first: the first folder may be a patient, as
    where a table says the classes.
    """
    names = [image.rsplit("/", 1)[-1] for image in images]
    word = re.match(r"([A-Za-z]+)([-_]?)\d", names[0])
    person = word and word[1].lower() in PREFIXES
    tried = [rf"^({word[1]}{word[2]}\d+)", *PATTERNS] if person else PATTERNS
    found = [p for p in tried if are_people([re.match(p, name) for name in names])]
    taken = {name.casefold() for name in classes}
    for pattern in [*ABOVE, *([FIRST] if first else [])]:
        matches = [re.match(pattern, image) for image in images]
        folders = {match[1] for match in matches if match}
        numbered = not first or all(map(PERSON.fullmatch, folders))
        if no_classes.kind(sorted(folders)):
            continue
        if numbered and are_people(matches) and not {f.casefold() for f in folders} <= taken:
            found.append(pattern)
    return found


def are_people(matches: list[re.Match | None]) -> bool:
    """True if the numbers of images can be of patients: `COVID-7.png` is not COVID's 7th."""
    if not all(matches):
        return False
    images = Counter(match[1] for match in matches)
    patients, total = len(images), sum(images.values())
    return 3 <= patients < total and total / patients <= 20 and max(images.values()) <= total / 4


def patient_settings(
    root: Path, images: list[str], classes: list[str] = (), first: bool = False
) -> list[str]:
    """Values of the setting `patient` that fit all images, the likeliest one first.

    A DICOM header that says the same of several images is believed before names.
    """
    found = patient_patterns(images, classes, first)
    if any(image.lower().endswith(walk.PICTURES) for image in images):
        return found
    told = dicom.attributes(root, images, HEADER)
    header = [HEADER] if all(told) and len(set(told)) > 2 else []
    return [*header, *found] if len(set(told)) < len(images) else [*found, *header]


def class_pattern(root: Path) -> str:
    """The expression that finds a class in each file's name, if folders are none; else empty.

    `Question` where two expressions find classes.
    """
    images = folder_layout.without_masks(walk.images(root).images)
    above = folder_layout.shared(images)
    tops = {inner.split("/")[0] for image in images if "/" in (inner := image[len(above) :])}
    if len(tops) > 1 and not all(map(folder_layout.part_of, tops)):
        return class_folders.below(images, above)
    if any(image[len(above) :].count("/") > bool(tops) for image in images):
        return ""
    found = {}
    for pattern in CLASSES:
        matches = [re.search(pattern, image.rsplit("/", 1)[-1]) for image in images]
        counts = Counter(match[1] for match in matches if match)
        known_as = {name.casefold() for name in counts}
        if {
            re.split("[-_ ]", name)[-1] for name in known_as
        } <= no_classes.VIEWS or known_as <= no_classes.SEXES:
            continue
        if all(matches) and 2 <= len(counts) <= 10 and min(counts.values()) >= FEWEST:
            found[pattern] = pd.factorize(pd.Series([match[1] for match in matches]))
    first = next(iter(found.values()), None)
    if any((codes != first[0]).any() for codes, _ in found.values()):
        raise of_several(root, {p: ", ".join(sorted(names)) for p, (_, names) in found.items()})
    return next(iter(found), "")


def of_several(root: Path, classes: dict[str, str]) -> Question:
    """That files' names tell classes in several ways; classes: by the expression, their names."""
    first = next(iter(classes))
    return Question(
        f"{root}: the files' names tell classes in two ways ({' or '.join(classes.values())}); "
        f"choose, as --adapter folder --classes {shlex.quote(first)}",
        {text: {"adapter": "folder", "classes": pattern} for pattern, text in classes.items()},
    )


def question(frame: pd.DataFrame, labels: list[str]) -> str:
    """Why folders may not be classes after all; empty where nothing speaks against it."""
    if all(map(folder_layout.part_of, labels)):
        return (
            f"the folders {', '.join(labels)} are parts of a split, not classes: no label is here"
        )
    if part := next(filter(folder_layout.part_of, labels), ""):
        return (
            f"the folder {part!r} is called like a part of a split, the others like classes (move "
            "it away if its images have no class)"
        )
    ids = [label for label in labels if PERSON.fullmatch(label)]
    named = [label for label in ids if not label[0].isdigit()] if len(ids) > 2 else []
    if len(named) == len(labels) or (len(ids) == len(labels) > 10):
        return f"the {len(labels)} folders, as {labels[0]!r}, look like patients: no label is here"
    if all(map(DATE.fullmatch, labels)):
        return f"the folders, as {labels[0]!r}, are called like dates: no label is here"
    if what := no_classes.kind(labels):
        return f"the folders {', '.join(labels[:SHOWN])} are called like {what}, not like classes"
    if no_classes.proper_names(labels):
        return f"the folders {', '.join(labels[:SHOWN])} are called like places, people or devices"
    if twice := no_classes.spelt_twice(labels):
        return twice
    if inner := class_folders.inner(frame, labels):
        return inner
    people = {label: frame.loc[frame[label] == 1, "patient"].nunique() for label in labels}
    if len(labels) > 10 and len(labels) * 3 > frame["patient"].nunique():
        return f"{len(labels)} classes of {frame['patient'].nunique()} patients, as {labels[0]!r}"
    label = min(people, key=people.get)
    if people[label] < FEWEST:
        return f"the class {label!r} has {people[label]} patients only"
    return ""


def views_or_copies(frame: pd.DataFrame, labels: list[str]) -> str:
    """Why classes found in files' names may be none: patients have an image of each."""
    if not all(map(OF_COPIES.fullmatch, labels)):
        return ""
    each = frame[labels].groupby(frame["patient"]).max()
    all_of_them = each.sum(axis=1) == len(labels)
    if len(each) == len(frame) or all_of_them.mean() <= NEARLY_ALL:
        return ""
    return (
        f"{all_of_them.sum():,} of {len(each):,} patients have an image of each of "
        f"{', '.join(labels)}, as of views or copies: no label is here"
    )
