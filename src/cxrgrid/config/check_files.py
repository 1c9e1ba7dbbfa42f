"""Checks of the files that a run reads: they exist and belong to this study."""

import difflib
import json
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.checks import adapter_facts, checked
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError
from cxrgrid.config.study import External


def check_root(name: str, dataset: Dataset) -> None:
    """`UserError` if a dataset's folder or a list of its split or test sets is missing.

    The folder is not needed where the dataset is drawn or prepared already.
    """
    ready = dataset.phantom or Path(f"results/data/{name}/table.parquet").is_file()
    if not ready and not Path(dataset.root).is_dir():
        source = adapter_facts(dataset.adapter)["SOURCE"]
        hint = near_folder(Path(dataset.root)) or f". {source}"
        raise UserError(f"datasets.{name}.root: no folder {dataset.root!r}{hint}")
    for path in dataset.split.files.paths() if dataset.split.files else []:
        check_input(path, f"datasets.{name}.split.files")
    check_test_files(name, dataset)


def near_folder(path: Path) -> str:
    """`; did you mean …?` for the first part of a path that is not there; empty if none is near."""
    for part in [*reversed(path.parents), path]:
        if part.is_file():
            return f"; {str(part)!r} is a file: give the folder that holds it"
        if not part.is_dir():
            beside = {
                item.name.lower(): item.name for item in part.parent.iterdir() if item.is_dir()
            }
            found = difflib.get_close_matches(part.name.lower(), [*beside], n=1, cutoff=0.7)
            whole = part.with_name(beside[found[0]]) / path.relative_to(part) if found else None
            return f"; did you mean {str(whole)!r}?" if whole else ""
    return ""


def check_external_files(external: dict[str, External]) -> None:
    """`UserError` if a predictions file of an external model is missing."""
    for name, model in external.items():
        for path in model.files():
            check_input(path, f"external.{name}")


def check_input(path: str, where: str) -> None:
    """`UserError` unless a file is there, under a name that Snakemake takes as it is."""
    if Path(path).is_dir():
        raise UserError(f"{where}: {path!r} is a folder; name a file in it")
    if not Path(path).is_file():
        raise UserError(f"{where}: no file {path!r}")
    if set("{<") & set(path):
        raise UserError(
            f"{where}: Snakemake reads {{ and < in {path!r} as a wildcard; link to the file, or "
            "rename the file"
        )


def check_test_files(name: str, dataset: Dataset) -> None:
    """`UserError` for a file of a test set that is not there."""
    for test, one in dataset.tests.items():
        if one.files:
            check_input(one.files, f"datasets.{name}.tests.{test}.files")


def check_shared(grid: Any, path: Path) -> None:
    """`UserError` if another study has a dataset of the same name with other settings.

    Studies share results/data: each of the two would overwrite the other's files and train again.
    """
    try:
        other = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path}: no study ({error}); remove the file, or restore it") from None
    for name in grid.used() if other["study"] != grid.name else []:
        theirs = other["datasets"].get(name)
        if theirs and stored(checked(theirs, Dataset, f"{path}: {name}")) != stored(
            grid.study.datasets[name]
        ):
            raise UserError(
                f"datasets.{name}: the study {other['study']!r} has this name with other settings, "
                f"and studies share results/data; choose another name (or remove {path}, if that "
                "study is not to be run again as it is)"
            )


def stored(dataset: Dataset) -> Dataset:
    """The dataset's settings without those on which no file in results/data depends."""
    return msgspec.structs.replace(dataset, subsets={}, tests={}, same_as={})
