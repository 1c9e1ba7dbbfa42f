"""Reading of the record that `seen` makes of a dataset's files."""

import gzip
import zlib
from pathlib import Path
from typing import Annotated

import msgspec

NAME = "index.seen.json"
MORE = "index.seen.gz"  # of each image and line: read where it is needed
Stat = tuple[int, int, str]  # size, time and checksum of a file
Count = Annotated[list[int], msgspec.Meta(min_length=2, max_length=3)]  # as of `counted`


class Seen(msgspec.Struct):
    """Root and tables that were read; of older records also some images and folders."""

    root: str
    tables: dict[str, Stat]
    images: dict[str, Stat] = {}
    folders: dict[str, Count] = {}


class More(msgspec.Struct):
    """Each image and folder, and a checksum of each line of the tables."""

    images: dict[str, Stat] = {}
    rows: dict[str, list[int]] = {}
    folders: dict[str, Count] = {}


def recorded(folder: Path) -> Seen | None:
    """Record of a dataset's files; None if there is none, or it is damaged."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Seen)
    except (OSError, ValueError, RecursionError):
        return None


def read(path: Path) -> More:
    """Record of each image and line, packed; empty if there is none, or it is damaged."""
    try:
        return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=More)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error):
        return More()
