"""Image files below a folder, and every other file counted with the reason why it is left out.

A file is an image by its ending, or by its first bytes: whatever its name a DICOM file, and without
an ending a PNG, JPEG or TIFF file.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cxrgrid.config.errors import ELSEWHERE
from cxrgrid.data import dicom

PICTURES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".jp2")
PICTURES += (".pgm", ".ppm", ".pnm")
SUFFIXES = (*PICTURES, *dicom.SUFFIXES)
NO_ENDING = "without an ending"
BEGINNINGS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")  # PNG, JPEG, TIFF
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar", ".zst")
SHOWN = 6  # kinds that a sentence names


class Found(NamedTuple):
    """`images`: paths below root, sorted; `left_out`: how many files or folders, by the reason."""

    images: list[str]
    left_out: Counter

    def notes(self) -> list[str]:
        """One sentence on what is left out, if anything is."""
        if not self.left_out:
            return []
        kinds = self.left_out.most_common(SHOWN)
        text = ", ".join(f"{number:,} {kind}" for kind, number in kinds)
        more = len(self.left_out) - len(kinds)
        more = f" and {more} more kinds" if more else ""
        return [f"Not read, as they are no images: {text}{more}."]


def images(root: Path) -> Found:
    """Every image below root; hidden names (macOS adds `._x.png` to archives) are passed over.

    Links are followed, but not round. A folder that cannot be opened counts as left out.
    """
    found, left_out, waiting = [], Counter(), [(Path(root), (Path(root).resolve(),))]
    while waiting:
        folder, above = waiting.pop()
        for item in entries(folder, root, left_out):
            path = folder / item.name
            if item.is_dir() and (real := real_folder(path, above)):
                waiting.append((path, (*above, real)))
            elif why := "links to a folder above" if item.is_dir() else fault(item, path):
                left_out[why] += 1
            else:
                found.append(path.relative_to(root).as_posix())
    return Found(sorted(found), left_out)


def entries(folder: Path, root: Path, left_out: Counter) -> list[os.DirEntry]:
    """Entries of a folder, without hidden ones; empty, and counted, if it cannot be opened."""
    try:
        with os.scandir(folder) as items:
            return [item for item in items if not item.name.startswith(".")]
    except OSError as error:
        if error.errno in ELSEWHERE:
            raise
        inner = folder.relative_to(root).as_posix()
        left_out[f"folder that cannot be opened ({inner}: {error.strerror})"] += 1
        return []


def real_folder(folder: Path, above: tuple[Path, ...]) -> Path | None:
    """The folder itself, without links; None for a link to one that the walk has come through.

    above: the real folders on the way, outermost first. Without this two links across, each to the
    folder of the other, would be followed round until the path is too long.
    """
    if not folder.is_symlink():
        return above[-1] / folder.name
    real = folder.resolve()
    return None if any(each.is_relative_to(real) for each in above) else real


def tree(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk`: links are followed, but not round; folders and names are sorted."""
    above = {str(root): (root.resolve(),)}
    for folder, below, names in os.walk(root, followlinks=True):
        way, inner = above.pop(folder), {}
        for name in sorted(below):
            if real := real_folder(Path(folder, name), way):
                inner[name] = (*way, real)
        above |= {f"{folder}{os.sep}{name}": there for name, there in inner.items()}
        below[:] = list(inner)
        yield folder, below, sorted(names)


def fault(item: os.DirEntry, path: Path) -> str:
    """Why a file is no image; empty for one that is. A link to nowhere is left to the decoder."""
    named = item.name.lower().endswith(SUFFIXES)
    if not item.is_file():
        return "" if named and item.is_symlink() else "no regular files"
    if named:
        return ""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError as error:
        if error.errno in ELSEWHERE:
            raise
        return f"{ending(path)} ({error.strerror})"
    kind = ending(path)
    picture = kind == NO_ENDING and start.startswith(BEGINNINGS)
    return "" if picture or dicom.starts(start) else kind


def ending(path: Path) -> str:
    """The ending of a name, as `.txt`."""
    suffix = path.suffix.lower()
    return suffix if suffix[1:].isalnum() and not suffix[1:].isdigit() else NO_ENDING


def packed(root: Path) -> str:
    """Hint at archives in a folder, in which images may be; empty without any."""
    found = sorted(path.name for path in root.glob("*") if path.name.lower().endswith(ARCHIVES))
    return f"; unpack {found[0]!r} first" if found else ""


def unopened(root: Path) -> list[str]:
    """A sentence for each folder below root that cannot be opened: its images are missing."""
    refused = []
    for _ in os.walk(root, followlinks=False, onerror=refused.append):
        pass
    return [
        f"The folder {os.path.relpath(error.filename, root)!r} cannot be opened "
        f"({error.strerror}): what it holds is missing."
        for error in refused
    ]
