"""Record of the files of a dataset that `index` has read, and check for later changes.

Of tables a checksum and one of each line; of images size and time of each, and a checksum of as
many as are read in a few seconds; of folders the number of files. A check asks for sizes and times,
for a second at most, so that a plan of any dataset may ask. No pandas here.
"""

import gzip
import hashlib
import itertools
import json
import math
import os
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cxrgrid.io.atomic import write_bytes
from cxrgrid.io.seen_record import MORE, NAME, read, recorded

SAMPLE = 100  # images that always have a checksum
BYTES = 2_000_000_000  # of images that are read for their checksums
FOLDERS = 300  # folders that are counted at each check, at least
SECONDS = 1.0  # that a check may look at images
TEXT = (".csv", ".tsv", ".txt", ".gz")
COPIED = 0.5  # share of images with another time from which on they were copied, not written anew


def record(folder: Path, root: Path, tables: Iterable[Path], images: list[str]) -> str:
    """Write down what was read, in the dataset's folder in results/data.

    images: paths below root. Returns a checksum of their content, wherever and whenever copied.
    """
    tables = [path for path in tables if path.is_file()]
    seen = {
        "root": str(root),
        "tables": {str(path): [*stat(path), digest(path)] for path in tables},
    }
    more = {
        "folders": counted(root, images),
        "images": described(root, images),
        "rows": {str(path): rows for path in tables if (rows := lines(path))},
    }
    write_bytes(folder / MORE, gzip.compress(json.dumps(more).encode(), 1))
    write_bytes(folder / NAME, json.dumps(seen).encode())
    content = [{Path(path).name: was[2] for path, was in seen["tables"].items()}]
    content += [{image: [was[0], was[2]] for image, was in more["images"].items()}]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def described(root: Path, images: list[str]) -> dict[str, list]:
    """Size, time and checksum of each image that is there; "" is the checksum of some of many."""
    with ThreadPoolExecutor(8) as pool:  # for network disks
        facts = {
            image: was
            for image, was in zip(images, pool.map(stat, map(root.joinpath, images)), strict=True)
            if was
        }
        total = max(1, sum(size for size, _ in facts.values()))
        chosen = some(list(facts), max(SAMPLE, int(len(facts) * BYTES / total)))
        sums = dict(zip(chosen, pool.map(digest, map(root.joinpath, chosen)), strict=True))
    return {image: [*was, sums.get(image, "")[:16]] for image, was in facts.items()}


def counted(root: Path, images: list[str]) -> dict[str, list[int]]:
    """Number of entries, and time, of each folder that images are in; of those above them, up to
    root, the number of folders: further files there are no images."""
    holding = {(root / image).parent for image in images}
    above = {path for folder in holding for path in folder.parents if path.is_relative_to(root)}
    here = Path.cwd()  # where studies and results are made
    asked = {path: False for path in above - holding if not here.is_relative_to(path.resolve())}
    asked |= dict.fromkeys(holding, True)
    with ThreadPoolExecutor(8) as pool:
        numbers = pool.map(count, asked, asked.values())
        return {
            str(path): [number, (stat(path) or [0, 0])[1], int(asked[path])]
            for path, number in zip(asked, numbers, strict=True)
        }


def changes(folder: Path) -> tuple[str, list[str]]:
    """The dataset's root, and what has changed there since `record`, in words; none if unknown."""
    if not (seen := recorded(folder)):
        return "", []
    root = Path(seen.root)
    if not root.is_dir():  # moved away: what is prepared is all that is needed
        return seen.root, []
    more = read(folder / MORE)
    said = [
        f"{Path(path).name} {word}{rows_changed(Path(path), more.rows.get(path))}"
        for path, was in seen.tables.items()
        if (word := differs(Path(path), was))
    ]
    said += images_changed(root, seen.images or more.images)
    return seen.root, said + folders_changed(seen.folders or more.folders)


def folders_changed(known: dict[str, list[int]]) -> list[str]:
    """A sentence on the first folder that holds more or less than it did; looks for half a second,
    at other folders each time, but first at those that hold folders alone: they are few."""
    end = time.monotonic() + SECONDS / 2
    above = [(path, was) for path, was in known.items() if was[2:] == [0]]
    below = [(path, was) for path, was in known.items() if was[2:] != [0]]
    for asked, (path, was) in enumerate(itertools.chain(above[:FOLDERS], visits(below))):
        if asked >= FOLDERS and time.monotonic() > end:
            break
        if text := holds(Path(path), *was):
            return [text]
    return []


def moved(folder: Path) -> str:
    """A sentence on images that are no longer where they were read, and where they lie now; empty
    if they are there. folder: the dataset's in results/data."""
    if not (seen := recorded(folder)):
        return ""
    root, images = Path(seen.root), sorted(read(folder / MORE).images)
    ends = images[:1] + images[-1:]
    if root.is_dir() and (not ends or any((root / image).exists() for image in ends)):
        return ""
    what = f"the images of {root} are" if root.is_dir() else f"{root} is"
    near = (str(one) for one in nearby(root) if images and lies(one, images[0]))
    place = next(near, "")
    return f"{what} no longer there{f', but in {place}' if place else ''}"


def nearby(root: Path) -> Iterator[Path]:
    """Folders in which moved images may lie: below root, and beside it."""
    for above, pattern in ((root, "*"), (root, "*/*"), (root.parent, "*"), (root.parent, "*/*")):
        yield from (one for one in itertools.islice(above.glob(pattern), FOLDERS) if one.is_dir())


def lies(folder: Path, image: str) -> bool:
    """True if an image lies in a folder by its path, or by its name."""
    return (folder / image).is_file() or (folder / Path(image).name).is_file()


def images_changed(root: Path, known: dict[str, list]) -> list[str]:
    """Numbers of images removed or replaced since they were described; empty if none was."""
    asked, found, late = 0, Counter(), 0
    end = time.monotonic() + SECONDS
    for image, was in visits(list(known.items())):
        if asked >= SAMPLE and time.monotonic() > end:
            break
        word = differs(root / image, was)
        late += word == LATER
        found[word] += word not in ("", LATER)
        asked += 1
    if 0 < late <= COPIED * asked:
        found["was written anew" if late == 1 else "were written anew"] += late
    of = f"{asked:,} images looked at" if asked < len(known) else f"{asked:,} images"
    return [f"{number:,} of {of} {plural(word, number)}" for word, number in (+found).items()]


def plural(word: str, number: int) -> str:
    """`is gone`, `has changed`: of several."""
    return word if number == 1 else word.replace("is ", "are ").replace("has ", "have ")


def visits(items: list) -> Iterator:
    """All of them once, in an order whose every part is from all over, another one each time."""
    total = len(items)
    step = next((s for s in range(round(total * 0.618), total) if math.gcd(s, total) == 1), 1)
    start = time.time_ns() % max(total, 1)
    return (items[(start + step * at) % total] for at in range(total))


def holds(folder: Path, before: int, time: int, files: int = 1) -> str:
    """Text on the number of files in a folder, if it has changed; else empty. files: 0 if only
    folders are counted."""
    if folder.is_dir() and stat(folder)[1:] == [time]:  # nothing was added or removed
        return ""
    now, what = count(folder, bool(files)), "files" if files else "folders"
    return f"the folder {folder.name} holds {now:,} {what}, not {before:,}" if now != before else ""


LATER = "has another time"  # the same size, and its content is not known


def differs(path: Path, was: list) -> str:
    """`is gone` or `has changed`; empty for a file that is the same, wherever it was copied to.

    was: size, time and checksum; without the last, `LATER` where only the time differs.
    """
    size, time, checksum = was
    now = stat(path)
    if not now:
        return "is gone"
    if now == [size, time]:
        return ""
    if now[0] == size and not checksum:
        return LATER
    return "" if now[0] == size and digest(path).startswith(checksum) else "has changed"


def rows_changed(table: Path, before: list[int] | None) -> str:
    """`: 412 rows`: as many were added, removed or changed; empty where that is not known."""
    if before is None or not (now := lines(table)):
        return ""
    old, new = Counter(before), Counter(now)
    number = max((old - new).total(), (new - old).total())
    if not number:
        return ", but no row has: only their order, or line ends"
    return f": {number:,} row{'s' * (number != 1)}"


def lines(table: Path) -> list[int]:
    """Checksum of each line of a table of text; empty for others."""
    if not table.name.lower().endswith(TEXT):
        return []
    try:
        data = table.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error):
        return []
    return [zlib.crc32(line.strip()) for line in data.splitlines()]


def stat(path: Path) -> list[int]:
    """Size and time of a file or folder; empty if it is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return []
    return [found.st_size, found.st_mtime_ns]


def digest(path: Path) -> str:
    """Checksum of a file; empty if it cannot be read, or is none: a pipe might never end."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def count(folder: Path, files: bool = True) -> int:
    """Number of folders in a folder, and of files if asked, without hidden ones; 0 if gone."""
    try:
        with os.scandir(folder) as items:
            return sum(item.name[0] != "." and (files or item.is_dir()) for item in items)
    except OSError:
        return 0


def some(items: list, most: int) -> list:
    """Up to so many of them, from all over the list."""
    return items[:: max(1, -(-len(items) // most))]
