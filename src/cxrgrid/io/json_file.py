"""Reading of JSON that a command has written for another: a file's content, or a table's facts."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cxrgrid.config.errors import UserError, unread

T = TypeVar("T")
AGAIN = "remove it and run snakemake, which makes it again, or copy it anew"


class Facts(dict):
    """Facts of a file; to ask for one that it does not have is a `UserError`."""

    def __init__(self, values: dict, path: str | Path):
        super().__init__(values)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise UserError(
            f"{self.path}: has no fact {name!r}, so another program or version wrote it; {AGAIN}"
        )


class MetadataOnly(msgspec.Struct):
    """An audit's part on what metadata alone tell."""

    fields: list[str]
    labels: dict[str, dict[str, Any]]


class Kinds(msgspec.Struct):
    """Kinds of the facts that commands calculate with or walk through."""

    labels: list[str] = []
    task: str | None = None
    split: str | None = None
    split_hash: str | None = None
    accounting: list[dict[str, Any]] = []
    notes: list[str] = []
    warnings: list[str] = []
    metadata_only: MetadataOnly | None = None
    near_images_in_two_splits: dict[str, Any] = {}
    equal_images_in_two_splits: list[Any] = []
    lists: list[dict[str, Any]] = []
    policy: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    leakage: dict[str, Any] | None = None
    split_hashes: dict[str, str | None] = {}
    versions: dict[str, Any] = {}
    cost: dict[str, float | str | None] = {}
    parameters: int | None = None
    trainable: int | None = None
    buffers: int | None = None
    layers: int | None = None
    multiply_adds: int | None = None
    threads: int | None = None


def check_kinds(facts: Facts) -> None:
    """`UserError` if a fact is of another kind than commands write."""
    try:
        msgspec.convert(facts, Kinds)
    except ValueError as error:
        raise UserError(f"{facts.path}: a fact of another kind ({error}); {AGAIN}") from None


def read_facts(path: Path) -> Facts:
    """A file's JSON object."""
    facts = Facts(read_json(path, dict[str, Any]), path)
    check_kinds(facts)
    return facts


def read_json(path: Path, kind: type[T]) -> T:
    """A file's content as a `kind`; `UserError`, one line, if it is none or cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake to make it") from None
    except OSError as error:
        raise unread(path, error) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged, or of another version ({error}); {AGAIN}") from None
