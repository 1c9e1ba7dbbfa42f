"""Description of a dataset for a person: people, labels, files and oddities."""

from collections import Counter
from pathlib import Path

import pandas as pd
from PIL import Image

from cxrgrid.config.dataset import Dataset
from cxrgrid.data.image import FORMATS

SAMPLE = 200  # image files that are opened
FEW = 10  # positives below which nothing can be said of a label
COPIES = 5  # one of so many images that is called like a copy is worth a word
LABELS, DOUBTS = 16, 6  # labels, and remarks on labels, that are shown: a screen holds so much
SHOWN = 4  # kinds named in a line


def describe(frame: pd.DataFrame, labels: list[str], files: dict) -> list[tuple[str, str]]:
    """Lines of the description, as (name, value)."""
    ages = frame["age"].dropna()
    lines = [
        ("images", f"{len(frame):,}"),
        ("patients", patients(frame)),
        ("views", tally(frame["view"])),
        ("sexes", tally(frame["sex"])),
        ("ages", f"{ages.min():.0f} to {ages.max():.0f}, median {ages.median():.0f}"
         if len(ages) else "unknown"),
    ]  # fmt: skip
    lines += [("labels", f"{label}: {share(frame[label])}") for label in labels[:LABELS]]
    if len(labels) > LABELS:
        lines.append(("labels", f"and {len(labels) - LABELS} more, in the study file"))
    lists = [name for name in frame if name.startswith("split:")]
    lines += [("splits", f"{name[6:]}: {tally(frame[name])}") for name in lists]
    kinds = f"{files['sizes']}; {count(files['modes'])}" if files["modes"] else "no image"
    return [*lines, ("files", f"{files['opened']:,} opened: {kinds}")]


def samples(frame: pd.DataFrame, labels: list[str]) -> list[tuple[str, str]]:
    """Three rows as they are understood: `IMG_1.png → patient 12, Effusion 1, Nodule 0`."""
    shown = labels[: SHOWN + 1]
    lines = []
    for at in sorted({0, len(frame) // 2, len(frame) - 1}):
        row = frame.iloc[at]
        found = [f"{label} {row[label]:.0f}" for label in shown if row[label] == row[label]]
        lines.append(("rows", f"{row['image']} → patient {row['patient']}, {', '.join(found)}"))
    return lines


def patients(frame: pd.DataFrame) -> str:
    """Numbers of patients, and of images per patient."""
    sizes = frame["patient"].value_counts()
    if not is_known(frame):
        return "unknown: each image counts as its own"
    return (
        f"{len(sizes):,}, with 1 image each"
        if sizes.max() == 1
        else (f"{len(sizes):,}, with {sizes.min():,} to {sizes.max():,} images each")
    )


def is_known(frame: pd.DataFrame) -> bool:
    """True if the dataset identifies the patients of some or all images."""
    return not frame["patient"].equals(frame["image"])


def share(label: pd.Series) -> str:
    """`120 of 1,234 (9.7 %), 3 unknown`; the share is of the images where it is known."""
    positives, known = int((label == 1).sum()), int(label.notna().sum())
    unknown = f", {len(label) - known:,} unknown" if known < len(label) else ""
    return f"{positives:,} of {known:,} ({positives / max(known, 1):.1%}){unknown}"


def tally(values: pd.Series) -> str:
    """Counts of each value, as text."""
    return count(Counter(values.where(values.notna(), "unknown")))


def count(kinds: Counter) -> str:
    """The most frequent kinds with their numbers."""
    if list(kinds) == ["unknown"]:
        return "unknown"
    text = ", ".join(f"{kind} {number:,}" for kind, number in kinds.most_common(SHOWN))
    return text + (f" and {len(kinds) - SHOWN} more" if len(kinds) > SHOWN else "")


def open_some(root: Path, images: list[str]) -> dict:
    """Headers of a sample: sizes, modes, and the files that are no images."""
    images = images[:: max(1, len(images) // SAMPLE)][:SAMPLE]
    sizes, modes, broken, paged = [], Counter(), [], []
    for image in images:
        try:
            size, mode, pages = header(root / image)
        except Exception:  # A broken file may raise anything, as in `pixels`.
            broken.append(image)
            continue
        modes[mode] += 1
        sizes += [size] if size else []
        paged += [image] if pages > 1 else []
    return {
        "paged": paged,
        "opened": len(images),
        "sizes": spread(sizes),
        "modes": modes,
        "broken": broken,
    }


def spread(sizes: list[tuple[int, int]]) -> str:
    """The one size, or how many there are and which are the ends."""
    ordered = sorted(set(sizes), key=lambda size: size[0] * size[1])
    names = [f"{width} x {height}" for width, height in ordered]
    if len(names) < 2:
        return f"all {names[0]}" if names else "sizes not looked at"
    return f"{len(names)} sizes, {names[0]} to {names[-1]}"


def header(path: Path) -> tuple[tuple[int, int] | None, str, int]:
    """Size, kind and number of pages of an image by its header; of a DICOM its kind alone."""
    if not path.is_file():
        raise OSError("no regular file")
    with path.open("rb") as file:
        if file.read(132)[128:] == b"DICM":
            return None, "DICOM", 1
    with Image.open(path, formats=FORMATS) as image:
        return image.size, f"{image.format} {image.mode}", getattr(image, "n_frames", 1)


def odd(frame: pd.DataFrame, labels: list[str], files: dict, steps: list[dict]) -> list[str]:
    """Sentences on what a person should look at before anything is trained."""
    lost = [
        f"{before['images'] - after['images']:,} lost from {before['step']!r} "
        f"({before['images']:,}) to {after['step']!r} ({after['images']:,})."
        for before, after in zip(steps, steps[1:], strict=False)
        if after["images"] < before["images"]
    ]
    doubts = odd_labels(frame, labels)
    if len(doubts) > DOUBTS:
        doubts = [*doubts[:DOUBTS], f"{len(doubts) - DOUBTS} more labels are like these."]
    return [*lost, *odd_files(files), *doubts, *odd_people(frame, labels)]


def odd_files(files: dict) -> list[str]:
    """Files that are no images, and whether a run would stop at so many."""
    broken, paged = files["broken"], files["paged"]
    several = [
        f"{len(paged)} of {files['opened']} opened files hold several pages, of which the first is "
        f"read, as {paged[0]}."
    ] if paged else []  # fmt: skip
    if not broken:
        return several
    many = len(broken) > Dataset(adapter="").unreadable * files["opened"]
    end = "; so many stop a run (see `unreadable`)." if many else "."
    return [
        *several,
        f"{len(broken)} of {files['opened']} opened files are no images, first {broken[0]}{end}",
    ]


def odd_labels(frame: pd.DataFrame, labels: list[str]) -> list[str]:
    """Labels that cannot be learnt, and those that can hardly be scored."""
    values = constant(frame, labels)
    same = [
        f"{label} is {value} wherever it is known: left out." for label, value in values.items()
    ]
    positives = {label: int((frame[label] == 1).sum()) for label in labels if label not in values}
    few = [f"{label} is present in {n} images only." for label, n in positives.items() if n < FEW]
    return same + few


def constant(frame: pd.DataFrame, labels: list[str]) -> dict[str, str]:
    """The labels that tell no images apart, with the one value that they have."""
    found = {label: frame[label].dropna().unique() for label in labels}
    return {
        label: f"{values[0]:.0f}" if len(values) else "blank"
        for label, values in found.items()
        if len(values) < 2
    }


def odd_people(frame: pd.DataFrame, labels: list[str]) -> list[str]:
    """Sentences on problems of a split by patient."""
    sizes, found = frame["patient"].value_counts(), copies(frame)
    if len(sizes) < 30:
        found.append(f"{len(sizes)} patients only: splits will be small.")
    if sizes.iloc[0] > max(20, len(frame) / 10):
        most = f"{sizes.iloc[0]:,} of {len(frame):,} images"
        found.append(f"The patient {sizes.index[0]!r} has {most}.")
    if several := in_several(frame, labels):
        found.append(
            f"{several:,} of {len(sizes):,} patients have images in several folders of a class: do "
            "their numbers start anew in each? Then one number is several people here."
        )
    return found


def copies(frame: pd.DataFrame) -> list[str]:
    """A sentence on images that are called like copies of others, each as a patient of its own."""
    stems = frame["image"].str.rsplit(".", n=1).str[0]
    parents = stems.str.replace(r"[-_ ]+[^-_ /]+$", "", regex=True)
    of = parents.isin(set(stems)) & (parents != stems)
    if is_known(frame) or of.sum() * COPIES < len(frame):
        return []
    first = frame.loc[of, "image"].iloc[0]
    return [
        f"{of.sum():,} images are called like copies of others, as {first!r}: leave them out, or "
        "let `patient` find what they have in common."
    ]


def in_several(frame: pd.DataFrame, labels: list[str]) -> int:
    """Patients with images in several classes, where these are folders and patients are many."""
    tops = frame["image"].str.rsplit("/", n=1).str[0]
    by_folder = (frame[labels].sum(axis=1) == 1).all() and tops.nunique() <= 3 * len(labels)
    by_folder = by_folder and frame[labels].groupby(tops).nunique().le(1).all(axis=None)
    crossing = int(tops.groupby(frame["patient"]).nunique().gt(1).sum()) if by_folder else 0
    return crossing if crossing > frame["patient"].nunique() / 2 else 0
