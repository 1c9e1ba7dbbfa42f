"""Checks of the files that a run reads: they exist and belong to this study."""

import difflib
import json
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.checks import adapter_facts, checked
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import PASSING, UserError, unread
from cxrgrid.config.study import External

ANEW = "remove it, and run snakemake with the study's config, which writes it anew"


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


def check_shared(grid: Any, path: Path) -> list[str]:
    """`UserError` if another study has a dataset of the same name with other settings.

    Studies share results/data: each of the two would overwrite the other's files and train again.
    Returns a warning if the file holds no study: it is passed over, as it is none of this one's.
    """
    try:
        other = read_config(path)
        shared = [name for name in grid.used() if other["datasets"].get(name)]
        shared = shared if other["study"] != grid.name else []
        theirs = {n: checked(other["datasets"][n], Dataset, f"{path}: {n}") for n in shared}
    except UserError as error:
        return [f"{error}. Its datasets are not compared with this study's"]
    for name, dataset in theirs.items():
        if stored(dataset) != stored(grid.study.datasets[name]):
            raise UserError(
                f"datasets.{name}: the study {other['study']!r} has this name with other settings, "
                f"and studies share results/data; choose another name (or remove {path}, if that "
                "study is not to be run again as it is)"
            )
    return []


def read_config(path: str | Path) -> dict[str, Any]:
    """The config in a study.json, its values unchecked. `UserError` if it holds none."""
    try:
        found = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake to make it") from None
    except OSError as error:
        if error.errno in PASSING:
            raise unread(path, error) from None
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); see to it, or {ANEW}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: no study ({error}); {ANEW}") from None
    if not isinstance(found, dict) or not isinstance(found.get("study"), str):
        raise UserError(f"{path}: no study (no setting `study`); {ANEW}")
    if not isinstance(found.get("datasets"), dict):
        raise UserError(f"{path}: no study (no `datasets`); {ANEW}")
    return found


def stored(dataset: Dataset) -> Dataset:
    """The dataset's settings without those on which no file in results/data depends."""
    return msgspec.structs.replace(dataset, subsets={}, tests={}, same_as={})
