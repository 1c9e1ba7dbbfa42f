"""Record of the files of a dataset that `index` has read, and check for later changes.

Of tables a checksum; of the images a sample with checksums, and how many files each folder holds: a
few hundred short reads, so that a plan of any dataset may ask. No pandas here.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from cxrgrid.io.atomic import replacing

SAMPLE = 100  # images that are compared
FOLDERS = 300  # folders that are counted
NAME = "index.seen.json"


def record(folder: Path, root: Path, tables: Iterable[Path], images: list[str]) -> None:
    """Write down what was read, in the dataset's folder in results/data.

    images: paths below root.
    """
    folders = sorted({(root / image).parent for image in images})
    seen = {
        "root": str(root),
        "tables": {str(path): [*stat(path), digest(path)] for path in tables},
        "images": {
            image: [*stat(root / image), digest(root / image)]
            for image in some(images, SAMPLE)
            if (root / image).is_file()
        },
        "folders": {str(path): [count(path), stat(path)[1]] for path in some(folders, FOLDERS)},
    }
    with replacing(folder / NAME) as partial:
        partial.write_text(json.dumps(seen))


def changes(folder: Path) -> tuple[str, list[str]]:
    """The dataset's root, and what has changed there since `record`, in words; none if unknown."""
    try:
        seen = json.loads((folder / NAME).read_text())
    except (OSError, ValueError):
        return "", []
    root = Path(seen["root"])
    if not root.is_dir():  # moved away: what is prepared is all that is needed
        return seen["root"], []
    said = [f"{Path(path).name} {word}" for path, was in seen["tables"].items()
            if (word := differs(Path(path), was))]  # fmt: skip
    words = [word for path, was in seen["images"].items() if (word := differs(root / path, was))]
    if words:
        said.append(f"{len(words)} of {len(seen['images'])} images looked at {min(words)}")
    moved = [text for path, was in seen["folders"].items() if (text := holds(Path(path), *was))]
    return seen["root"], said + moved[:1]


def holds(folder: Path, before: int, time: int) -> str:
    """Text on the number of files in a folder, if it has changed; else empty."""
    if folder.is_dir() and stat(folder)[1] == time:  # nothing was added or removed
        return ""
    now = count(folder)
    return f"the folder {folder.name} holds {now:,} files, not {before:,}" if now != before else ""


def differs(path: Path, was: list) -> str:
    """`is gone` or `has changed`; empty for a file that is the same, wherever it was copied to."""
    if not path.is_file():
        return "is gone"
    size, time, checksum = was
    if stat(path) == [size, time] or (stat(path)[0] == size and digest(path) == checksum):
        return ""
    return "has changed"


def stat(path: Path) -> list[int]:
    """Size and time of a file."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def digest(path: Path) -> str:
    """Checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def count(folder: Path) -> int:
    """Number of files and folders in a folder, without hidden ones; 0 if it is gone."""
    if not folder.is_dir():
        return 0
    return sum(not item.name.startswith(".") for item in folder.iterdir())


def some(items: list, most: int) -> list:
    """Up to so many of them, from all over the list."""
    return items[:: max(1, -(-len(items) // most))]
