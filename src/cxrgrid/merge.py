"""Take the cells of another results folder into this one, such as those of a second cluster.

Cells are known by their settings: one that is here with the same settings stays as it is, one
that is missing or unfinished here is copied whole, with transfer/ and explain/, and an unfinished
one with its saved state if nothing of it is here. Prepared datasets, arrays, fetched weights and
the lists of images that pooled datasets leave out come along where they are not here. Nothing that
was finished here is replaced: a cell of other settings, or trained on another split, truth or image
recipe of any dataset that it reads, is named as a conflict, and the status is 1. All that is copied
gets one time, so that snakemake finds nothing to train again; scores and reports are made anew.

Examples:
  python -m cxrgrid.merge /mnt/east/results -n            # list
  python -m cxrgrid.merge /mnt/east/results
  python -m cxrgrid.merge /mnt/east/results --study east --as nih    # a study of another name
"""

import os
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cxrgrid.cluster.preflight import check_idle
from cxrgrid.cluster.wording import amount
from cxrgrid.config.cell import Cell, fold_folder, read_cell
from cxrgrid.config.checks import check_name
from cxrgrid.config.errors import UserError
from cxrgrid.config.pooling import pool_name, read_by
from cxrgrid.data.other_results import other_data, other_targets, same_rows
from cxrgrid.io import cli, locks
from cxrgrid.io.atomic import make_folder, refusals_named, said, write_bytes

HERE = Path("results")
OUTPUTS = ("cell.json", "model.safetensors", "history.parquet", "predictions/val.parquet")
OWN = ("train.lock", "train.lock.held")  # files that belong to a folder, not to its cell
TAKEN, BEGUN, THERE, LEFT, CONFLICT = FATES = (
    "taken",
    "taken unfinished",
    "here already",
    "left unfinished",
    "conflict",
)


@dataclass(frozen=True)
class Found:
    """A cell elsewhere, its folder there and here, and what becomes of it."""

    cell: Cell
    source: Path
    target: Path
    fate: str
    reason: str = ""


def complete(folder: Path, cell: Cell) -> bool:
    """True if a cell's folder has all that a training makes."""
    return all(
        (folder / name).is_file() for name in (*OUTPUTS, f"predictions/{cell.dataset}.parquet")
    )


def look(there: Path, names: list[str], study: str) -> list[Found]:
    """Every cell of the results folder `there`, by path, with its fate.

    names: the studies to take, or all; study: the name that they get, or "" for their own.
    """
    known = sorted(path.parent.name for path in there.glob("*/cells"))
    for name in names:
        if name not in known:
            raise UserError(f"{there}: no cells of a study {name!r}; there are: {', '.join(known)}")
    found = []
    for name in names or known:
        for path in sorted((there / name / "cells").rglob("cell.json")):
            cell = renamed(read_cell(str(path)), name, study or name)
            target = HERE / cell.study / "cells" / cell.path()
            found.append(Found(cell, path.parent, target, *fate(cell, path.parent, target, there)))
    return found


def renamed(cell: Cell, old: str, new: str) -> Cell:
    """The cell as one of the study `new`, also where it starts from another cell of its study."""
    before, after = (f"{HERE}/{name}/cells/" for name in (old, new))
    weights = cell.weights
    if weights.startswith(before):
        weights = after + weights.removeprefix(before)
    return msgspec.structs.replace(cell, study=new, weights=weights)


def fate(cell: Cell, source: Path, target: Path, there: Path) -> tuple[str, str]:
    """Fate of a cell, and the reason if it is a conflict."""
    done = complete(source, cell)
    if (target / "cell.json").is_file() and complete(target, cell):
        own = read_cell(str(target / "cell.json"))
        return (THERE, "") if own == cell else (CONFLICT, differences(own, cell))
    if not done:
        begun = (source / "state.pt").is_file() and not target.exists()
        return (BEGUN, "") if begun else (LEFT, "")
    reason = other_data(cell, source, there, HERE)
    return (CONFLICT, reason) if reason else (TAKEN, "")


def differences(own: Cell, other: Cell) -> str:
    """Settings in which two cells differ, in words."""
    pairs = [(n, getattr(own, n), getattr(other, n)) for n in Cell.__struct_fields__]
    apart = [
        f"{name} {here!r} here, {there!r} there" for name, here, there in pairs if here != there
    ]
    return "; ".join(apart)


def beside(found: list[Found], there: Path) -> list[tuple[Path, Path]]:
    """Files and folders of prepared data and fetched weights that are not here: (there, here)."""
    cells = [one for one in found if one.fate in (TAKEN, BEGUN)]
    asked = [path.stem for one in cells for path in (one.source / "transfer").glob("*.parquet")]
    read = [name for one in cells for name in read_by(one.cell)]
    names = dict.fromkeys([*read, *asked])
    pairs = [(there / "data" / name, HERE / "data" / name) for name in names]
    for name in filter(lambda name: same_rows(name, there, HERE), names):
        for path in sorted((there / "data" / name).iterdir()):
            if path.name.startswith(("pixels", "fold")):
                pairs.append((path, HERE / "data" / name / path.name))
    weights = sorted((there / "weights").glob("*")) if cells else []
    pairs += [(path, HERE / "weights" / path.name) for path in weights]
    pairs += list(dict.fromkeys(pool_files(one, there) for one in cells if one.cell.train_on))
    missing = [pair for pair in pairs if pair[0].exists() and not pair[1].exists()]
    whole = [target for _, target in missing]
    return [pair for pair in missing if pair[1].parent not in whole]


def pool_files(one: Found, there: Path) -> tuple[Path, Path]:
    """The list of images that a cell's pool of datasets leaves out: (there, here)."""
    name = f"pools/{pool_name(one.cell)}{fold_folder(one.cell.fold)}.parquet"
    study = one.source.relative_to(there).parts[0]
    return there / study / name, HERE / one.cell.study / name


def copy(
    source: Path,
    target: Path,
    moment: int,
    left_out: tuple[str, ...] = (),
    cell: Cell | None = None,
) -> None:
    """Copy a file or folder whole, with one time for all of it; then give it its name.

    moment: nanoseconds since the epoch; left_out: names of files; cell: of a cell's folder, as it
    is called here. A folder under that name goes.
    """
    partial = target.with_name(f".{target.name}.merging")
    make_folder(target.parent)
    shutil.rmtree(partial, ignore_errors=True)  # of a call that was killed
    try:
        with refusals_named(target, partial):
            fill(partial, source, moment, left_out, cell)
            if target.is_dir():
                shutil.rmtree(target)
            partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)  # its room is wanted
        raise


def fill(
    partial: Path, source: Path, moment: int, left_out: tuple[str, ...], cell: Cell | None
) -> None:
    """Copy for `copy`, under a hidden name; all of it is on the disk then."""
    if source.is_dir():
        ignored = shutil.ignore_patterns(*left_out)
        shutil.copytree(source, partial, ignore=ignored, copy_function=copy_file)
    else:
        copy_file(source, partial)
    if cell and read_cell(str(partial / "cell.json")) != cell:
        text = msgspec.json.format(msgspec.json.encode(cell)) + b"\n"
        write_bytes(partial / "cell.json", text)
    for path in [*partial.rglob("*"), partial]:
        os.utime(path, ns=(moment, moment))
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def copy_file(source: str, partial: str) -> None:
    """Copy a file; the first that the system refuses ends all: copytree would collect them."""
    try:
        shutil.copyfile(source, partial)
    except OSError as error:
        raise UserError(said(error) or f"{source}: {error}") from error


def copy_cell(one: Found, moment: int) -> None:
    """Copy a cell, unless it is being trained here; under another study's name with that name."""
    lock = locks.claim(one.target) if one.target.exists() else None
    copy(one.source, one.target, moment, (*OWN, *other_targets(one.source, HERE)), one.cell)
    if lock:
        lock.close()


def time_of_all() -> int:
    """Now, in nanoseconds; or later, if a clock elsewhere has made files here that are younger."""
    data = [path for path in (HERE / "data").glob("*/**/*") if path.suffix in (".parquet", ".npy")]
    return max([time.time_ns(), *(path.stat().st_mtime_ns for path in data)])


def size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def take(found: list[Found], pairs: list[tuple[Path, Path]]) -> None:
    """Copy prepared data, then the cells that they start from and the others."""
    moment = time_of_all()
    for source, target in pairs:
        copy(source, target, moment)
    for one in found:
        if one.fate in (TAKEN, BEGUN):
            copy_cell(one, moment)


def main(argv: list[str] | None) -> None:
    """Take what is missing here; name what is in conflict."""
    parser = cli.parser("merge", __doc__)
    parser.add_argument("other", type=Path, help="the other results folder, or the folder above it")
    parser.add_argument("--study", nargs="+", default=[], help="these studies only")
    parser.add_argument("--as", dest="name", default="", help="name of the study that they join")
    parser.add_argument("-n", "--dry-run", action="store_true", help="list, and copy nothing")
    args = parser.parse_args(argv)
    there = args.other / "results" if (args.other / "results").is_dir() else args.other
    if not list(there.glob("*/cells")):
        raise UserError(f"{there}: no cells in it; name a results folder")
    if args.name:
        check_name(args.name, "--as")
    if not args.dry_run:
        check_idle("merge")
    found = look(there, args.study, args.name)
    pairs = beside(found, there)
    for source, target in pairs:
        print(f"copied  {target}  {amount(size(source))}")
    for one in found:
        if one.fate not in (THERE, LEFT):
            print(f"{one.fate}  {one.target}  {one.reason}".rstrip())
    if not args.dry_run:
        take(found, pairs)
    counts = Counter(one.fate for one in found)
    print(
        ", ".join(f"{counts[fate]} {fate}" for fate in FATES)
        + "; nothing was copied (-n)" * args.dry_run
    )
    if counts[CONFLICT]:
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main)
