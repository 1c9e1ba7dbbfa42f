"""Finished cells that were made with other settings than the study asks for now.

Snakemake makes again what it has recorded other params for. It has no record of results that were
moved without its folder, or taken by `merge`, and would take any of them for those asked for. What
their cell.json says is therefore recorded for it.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from cxrgrid.config.cell import Cell
from cxrgrid.config.identity import same

UNREADABLE = "cell.json is of another version of cxrgrid"
SHOWN = 3  # differences that are told


def made_with(folder: Path) -> str:
    """Settings of the cell that a folder holds, as JSON; empty if it has no cell.json."""
    with contextlib.suppress(OSError):
        return (folder / "cell.json").read_text("utf-8", "replace")  # a damaged one differs
    return ""


def differences(folder: Path, cell: Cell) -> str:
    """Settings of a complete cell in `folder` that differ from `cell`, in words; empty if none."""
    text = made_with(folder)
    whole = all((folder / f"predictions/{n}.parquet").is_file() for n in ("val", cell.dataset))
    if not text or not whole or same(text, cell):
        return ""
    try:
        made = msgspec.json.decode(text, type=Cell)
    except (ValueError, RecursionError):
        return UNREADABLE
    names = [n for n in Cell.__struct_fields__ if getattr(made, n) != getattr(cell, n)]
    told = [f"{n} was {getattr(made, n)!r}, is {getattr(cell, n)!r}" for n in names[:SHOWN]]
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return "; ".join(told + more)


def recorder(workflow: Any) -> Callable[[Cell, str], None]:
    """Function that records for Snakemake the settings of a cell in a folder, where it has none.

    It does so for other settings than the cell's alone, and takes its record back when they are
    the cell's again. It costs the opening of cell.json per cell that has a result.
    """
    from snakemake.io import IOFile
    from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord

    def record(cell: Cell, folder: str) -> None:
        if not os.path.lexists(f"{folder}/cell.json"):  # most cells of a new plan: no Path for them
            return
        known, text = workflow.persistence, made_with(Path(folder))
        if not text or not known or not workflow.is_main_process:
            return
        alike = same(text, cell)
        for path in made_by_training(cell, folder):
            file = IOFile(path)
            found = known.metadata(file)
            if not alike and found is None:
                told = MetadataRecord(rule="train", params=[repr(text)])
                told.record_format_version = RECORD_FORMAT_VERSION
                known._write_record(known._get_key(file), told)
            elif alike and found is not None and found.starttime is None:  # ours
                known._delete_record(known._get_key(file))
        known._clear_cache()

    return record


def made_by_training(cell: Cell, folder: str) -> list[str]:
    """Outputs of rule `train`."""
    names = ("cell.json", "model.safetensors", "history.parquet")
    predictions = (f"predictions/{name}.parquet" for name in ("val", cell.dataset))
    return [f"{folder}/{name}" for name in (*names, *predictions)]
