"""What a run would read: whether it is there, and whose it is."""

import json
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.checks import adapter_facts, checked
from cxrgrid.config.dataset import Dataset
from cxrgrid.config.errors import UserError
from cxrgrid.config.study import External


def check_root(name: str, dataset: Dataset) -> None:
    """A dataset's folder, if it is neither drawn nor prepared already, and its split's lists."""
    ready = dataset.phantom or Path(f"results/data/{name}/table.parquet").is_file()
    if not ready and not Path(dataset.root).is_dir():
        source = adapter_facts(dataset.adapter)["SOURCE"]
        raise UserError(f"datasets.{name}.root: no folder {dataset.root!r}. {source}")
    for path in dataset.split.files.paths() if dataset.split.files else []:
        if not Path(path).is_file():
            raise UserError(f"datasets.{name}.split.files: no file {path!r}")


def check_external_files(external: dict[str, External]) -> None:
    """The predictions of models from elsewhere."""
    for name, model in external.items():
        for path in model.files():
            if not Path(path).is_file():
                raise UserError(f"external.{name}: no file {path!r}")


def check_shared(grid: Any, path: Path) -> None:
    """results/data is shared: another study's dataset of the same name has to be the same.

    Else the two studies would prepare it over each other, and train anew each time.
    """
    other = json.loads(path.read_text())
    for name in grid.tested() if other["study"] != grid.name else []:
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
    """The settings on which results/data rests: each study may score subsets of its own."""
    return msgspec.structs.replace(dataset, subsets={})
