"""Choice of the folders in a path that are the classes: those below sites, or above them."""

import re
from collections import defaultdict

import pandas as pd

from cxrgrid.data import folder_layout
from cxrgrid.drafting import no_classes

FEWEST = 5  # images of a folder below a class from which on it may be one itself
MOST = 10  # classes below sites
COPIES = ("formats", "sizes", "versions of the images")  # folders of the same images again


def below(images: list[str], above: str) -> str:
    """The expression that finds classes one folder down, where those above are sites, years or
    devices with the same classes in each; else empty. above: the folders that all images share."""
    inside = defaultdict(set)
    for image in images:
        folders = image[len(above) :].split("/")[:-1]
        inside[folders[0] if folders else ""].add(folders[1] if len(folders) > 1 else "")
    tops, names = sorted(inside), sorted(set().union(*inside.values()))
    same = all(found == set(names) for found in inside.values())
    if not same or "" in (*tops, *names) or not 2 <= len(names) <= MOST:
        return ""
    what = no_classes.kind(tops)
    sites = what or not any(map(no_classes.like_a_class, tops))
    classes = any(map(no_classes.like_a_class, names)) and not no_classes.kind(names)
    if what in COPIES or not sites or not classes or any(map(folder_layout.part_of, tops)):
        return ""
    return f"^{'[^/]+/' * (above.count('/') + 1)}([^/]+)/"


def inner(frame: pd.DataFrame, labels: list[str]) -> str:
    """Why folders below a class may be classes themselves; empty if they are patients, sites or
    none."""
    folders = {label: folders_of(frame, label) for label in labels}
    if are_sites(labels, [set(found) for found in folders.values()]):
        return ""
    for label, found in folders.items():
        beside = found.map(folder_layout.plain) == folder_layout.plain(label)
        counts = found[~beside].value_counts()
        words = [name for name in counts.index if re.fullmatch(r"[^\d]+", str(name))]
        few = len(words) == len(counts) <= 10 and not all(map(folder_layout.part_of, words))
        several = few and len(words) > 1 and counts.min() >= FEWEST
        one = few and words and beside.any() and not any(map(is_of_images, words))
        if several or one:
            more = f", and {beside.sum():,} images beside them" if beside.any() else ""
            return f"the class {label!r} has folders of its own ({', '.join(sorted(words))}){more}"
    return ""


def folders_of(frame: pd.DataFrame, label: str) -> pd.Series:
    """The folder in which each image of a class lies."""
    return frame.loc[frame[label] == 1, "image"].str.split("/").str[-2].dropna()


def are_sites(labels: list[str], folders: list[set[str]]) -> bool:
    """True if the same folders lie in each class, which is called like one, and they are not."""
    names = sorted(set().union(*folders))
    same = len(names) > 1 and all(found == set(names) for found in folders)
    unlike = not any(map(no_classes.like_a_class, names))
    return same and unlike and all(map(no_classes.like_a_class, labels))


def passed_through(frame: pd.DataFrame, labels: list[str]) -> list[str]:
    """A sentence on folders above or below the classes that are called like sites or years."""
    paths = frame["image"].str.split("/").str[:-1]
    found = []
    for at in range(int(paths.str.len().min() or 0)):
        names = sorted(set(paths.str[at]))
        if len(names) > 1 and not set(names) & set(labels) and (what := no_classes.kind(names)):
            found.append(f"Folders of {what} are no classes: {', '.join(names[:MOST])}.")
    return found


def is_of_images(name: str) -> bool:
    """True for a folder that is called images, and so tells nothing."""
    return bool(folder_layout.IMAGES.fullmatch(name))
