"""Paths of results that lie in a storage: as a rule names them, and where they can be read here.

Snakemake tells a job's files by their names in the storage, each with what happens to it:
`s3://bucket/cxrgrid/results/tiny/study.json (send to storage)`.
"""

import importlib
import re
from pathlib import Path
from typing import Any

TOLD = re.compile(r"(.+) \(([\w ]+, )?(send to|retrieve from|in) storage\)")
PLUGIN = "snakemake_storage_plugin_"
FAILED = re.compile(r"(?<=WorkflowError: )Failed to .+")
# Options of snakemake that say which storage, and how it is reached; each takes one value.
OPTIONS = ("--default-storage-", "--storage-")


class Storage:
    """The storage of this process's run. prefix: what its names begin with, empty where none is.

    copies: folder of the files that jobs on this machine have read from it, or made for it.
    """

    prefix = ""
    copies = Path(".snakemake/storage")


def use(settings: Any) -> bool:
    """True if a run's results lie in a storage, which is then known here. settings: Snakemake's."""
    if not settings.default_storage_provider:
        return False
    Storage.prefix = prefix_of(settings)
    Storage.copies = settings.local_storage_prefix / settings.default_storage_provider
    if settings.default_storage_provider == "s3":
        see_folders(importlib.import_module("snakemake_storage_plugin_s3").StorageObject)
    return True


def prefix_of(settings: Any) -> str:
    """Beginning of the names in a storage; empty without one, or where names are paths here."""
    known = settings.default_storage_provider and settings.default_storage_prefix
    return (known or "").rstrip("/")


def see_folders(kind: type) -> None:
    """Have the plugin for S3 look anew for a folder that was not there when it looked first.

    It (0.3.6) remembers that; a folder that a job on another machine has made is then missing.
    """
    if "before" in vars(kind):
        return
    kind.before = kind.exists

    def exists(stored: Any) -> bool:
        stored._is_dir = stored._is_dir or None
        return stored.before()

    kind.exists = exists


def stored_name(told: str) -> str:
    """A file's name in the storage, or its path, without what Snakemake tells beside it."""
    known = TOLD.fullmatch(told)
    return known[1] if known else told


def named(told: str) -> str:
    """The path by which a rule names a file of which Snakemake tells."""
    name, known = stored_name(told), TOLD.fullmatch(told)
    return name.removeprefix(f"{Storage.prefix}/") if known and Storage.prefix else name


def told_of(text: str) -> str:
    """A log's text, about the files in the storage where it is about copies that are soon gone."""
    copies = f"{Storage.copies}/{suffix(Storage.prefix)}/"
    return text.replace(copies, f"{Storage.prefix}/") if Storage.prefix else text


def suffix(name: str) -> str:
    """Path of a copy below the folder of all, by its name in the storage."""
    return re.sub(r"^\w+://", "", name).lstrip("/")


def here(path: str) -> Path:
    """Place where a file or folder that a rule names is found on this machine, if it is."""
    if not Storage.prefix:
        return Path(path)
    name = f"{Storage.prefix}/{path}"
    copy = Storage.copies / suffix(name)
    places = (copy, Path(name), Path(path))
    return next((place for place in places if place.exists()), Path(path))


def fault(text: str) -> str:
    """One line for a traceback of a storage's plugin, of which Snakemake tells one per file.

    Empty where the text is none.
    """
    if "Traceback" not in text or PLUGIN not in text:
        return ""
    lines = [line.strip(" |") for line in text.splitlines()]
    lines = [line for line in lines if line]
    told = next((at for at, line in enumerate(lines) if FAILED.search(line)), None)
    said = lines[-1:] if told is None else [FAILED.search(lines[told])[0], *lines[told + 1 :][:1]]
    return (
        f"error: the storage of the results cannot be used: {': '.join(said)}; mend its address "
        "(prefix, endpoint) or your credentials for it, and give the same command again"
    )
