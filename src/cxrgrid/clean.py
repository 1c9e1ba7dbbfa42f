"""List arrays, training states and cells that no study uses; with --yes, remove them.

What the studies of results/ use follows from their study.json, from the config of the last run or
dry run of each, and from the config files that are given as well. All else below results/data and
results/*/cells is listed with its size: cells of no study, states that no training would go on
from, arrays of pixels of no cell, prepared datasets of no study. Reports, scores and weights stay,
and so does all of a folder in results/ without a study.json. While a snakemake runs here, nothing
is removed.

Examples:
  python -m cxrgrid.clean                      # the list
  python -m cxrgrid.clean --yes                # remove it
  python -m cxrgrid.clean studies/next.yaml    # a study that has not run yet counts, too
  python -m cxrgrid.clean --forget pilot       # everything of the study `pilot`
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from cxrgrid.cluster import run_config
from cxrgrid.cluster.preflight import check_idle
from cxrgrid.cluster.wording import amount
from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid, finished
from cxrgrid.io import cli, locks

RESULTS = Path("results")
DATA = RESULTS / "data"
STATE = "state.pt"
TELLING = ("cell.json", STATE)  # by these a folder is known as a cell's


@dataclass(frozen=True)
class Unused:
    """Files or folders that go together, and why."""

    paths: list[Path]
    why: str

    @property
    def size(self) -> int:
        """Bytes of all their files; what a link points to does not count."""
        files = [file for path in self.paths for file in [path, *path.rglob("*")]]
        return sum(file.lstat().st_size for file in files if file.is_symlink() or file.is_file())


def grids_of(configs: list[Path], forgotten: list[str]) -> list[Grid]:
    """The studies that count, as they were run, as they were last planned, and as given."""
    files = [*RESULTS.glob("*/study.json"), *run_config.last_planned().values(), *configs]
    found = []
    for path in files:
        try:
            grid = Grid(yaml.safe_load(path.read_text("utf-8")))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise UserError(f"{path}: cannot be read ({error})") from None
        except UserError as error:
            hint = f"correct it, or add --forget {path.parent.name} if it is not to be run again"
            raise UserError(f"{path}: {error}; {hint}") from None
        found += [grid] if grid.name not in forgotten else []
    return found


def unknown(forgotten: list[str], grids: list[Grid]) -> dict[str, Path]:
    """Folders in results/ with cells of studies that are not known: nothing of them is touched."""
    known = {grid.name for grid in grids} | set(forgotten)
    folders = {path.parent.name: path for path in RESULTS.glob("*/cells")}
    return {name: path for name, path in folders.items() if name not in known}


def unused(grids: list[Grid], forgotten: list[str]) -> Iterator[Unused]:
    """All that no study uses, cells first."""
    cells: dict[Path, list[Cell]] = {}
    for grid in grids:
        for cell in grid.cells:
            cells.setdefault(Path(grid.folder(cell)), []).append(cell)
    files = {Path(cell.weights) for grid in grids for cell in grid.cells if cell.weights}
    files |= {Path(f) for grid in grids for m in grid.study.external.values() for f in m.files()}
    needed = {parent.resolve() for file in files for parent in file.parents}
    for name in dict.fromkeys([*(grid.name for grid in grids), *forgotten]):
        for folder in cell_folders(RESULTS / name / "cells"):
            if folder in cells:
                yield from stale_state(folder, cells[folder])
            elif folder.resolve() not in needed:
                yield Unused([folder], "cell of no study")
    kept = {path.name for cells in unknown(forgotten, grids).values() for path in cells.iterdir()}
    for folder in sorted(path for path in DATA.glob("*") if path.is_dir()):
        if folder.name not in kept and not folder.is_symlink():
            yield from of_dataset(folder, grids)


def cell_folders(cells: Path) -> list[Path]:
    """Folders of cells, finished or begun, sorted."""
    return sorted({path.parent for name in TELLING for path in cells.rglob(name)})


def stale_state(folder: Path, cells: list[Cell]) -> Iterator[Unused]:
    """The state of a used cell, if no training would go on from it."""
    if not (folder / STATE).is_file():
        return
    try:
        begun = msgspec.json.decode((folder / "cell.json").read_bytes(), type=Cell)
    except (OSError, ValueError, RecursionError):
        begun = None
    if begun not in cells or any(finished(folder, cell) for cell in cells):
        yield Unused([folder / STATE], "state of other settings, or of a finished cell")


def of_dataset(folder: Path, grids: list[Grid]) -> Iterator[Unused]:
    """The whole folder of a dataset of no study; else its arrays that no cell is shown."""
    name = folder.name
    asking = [grid for grid in grids if name in grid.study.datasets]
    if not asking:
        yield Unused([folder], "dataset of no study")
        return
    used = {f"pixels{suffix}" for grid in asking for suffix in grid.arrays(name)}
    yield from of_features(folder, used if any(map(probes, asking)) else set())
    for array in sorted(folder.glob("pixels*.npy")):
        if array.stem not in used:
            beside = [array.with_suffix(ending) for ending in (".npy", ".parquet", ".log")]
            yield Unused([path for path in beside if path.exists()], "array of no cell")
    for part in sorted(folder.glob(".pixels*.partial.npy")):
        whole = part.name.removeprefix(".").removesuffix(".partial.npy")
        if whole not in used or (folder / f"{whole}.npy").exists():
            beside = [part, part.with_suffix(".json")]
            yield Unused([path for path in beside if path.exists()], "begun array of no cell")


def probes(grid: Grid) -> bool:
    """True if a cell of the grid trains a classifier alone."""
    return any(cell.train == "head" for cell in grid.cells)


def of_features(folder: Path, used: set[str]) -> Iterator[Unused]:
    """Features of a dataset's arrays that no cell is shown, or that have changed since."""
    for features in sorted(path for path in folder.glob("features*/*") if path.is_dir()):
        array = folder / f"{features.parent.name.replace('features', 'pixels', 1)}.npy"
        try:
            made = json.loads((features / "features.json").read_text("utf-8"))["array"]
            now = [array.name, array.stat().st_size, array.stat().st_mtime_ns]
        except (OSError, ValueError, RecursionError, TypeError, KeyError):
            made, now = None, []
        if array.stem not in used:
            yield Unused([features], "features of no cell")
        elif made != now:
            yield Unused([features], "features of an array that has changed")


def remove(found: Unused) -> bool:
    """Remove it, and folders above a cell that are empty then; False if it is being trained."""
    held = []
    for path in found.paths:
        cell = path if path.is_dir() else path.parent
        if (cell / "cell.json").is_file():
            held.append(locks.hold(cell / "train.lock"))
    if None in held:
        return False
    for path in reversed(found.paths):  # an array after what belongs to it
        if path.is_dir() and not path.is_symlink():
            remove_folder(path)
        else:
            path.unlink(missing_ok=True)
        for above in path.parents:
            if above.name in ("cells", "data") or any(above.iterdir()):
                break
            above.rmdir()
    for lock in held:
        lock.close()
    return True


def remove_folder(folder: Path) -> None:
    """Remove a folder; what tells that it is a cell goes last: after a kill it is found again."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in TELLING:
            path.unlink()
    shutil.rmtree(folder)


def main(argv: list[str] | None) -> None:
    """List what no study uses; remove it where that is asked for."""
    parser = cli.parser("clean", __doc__)
    parser.add_argument("config", type=Path, nargs="*", help="configs whose studies count as well")
    parser.add_argument("--forget", nargs="+", default=[], metavar="STUDY", help="does not count")
    parser.add_argument("--yes", action="store_true", help="remove what is listed")
    args = parser.parse_args(argv)
    if args.yes:
        check_idle("clean")
    grids = grids_of(args.config, args.forget)
    if not grids and not args.forget:
        none = "results/: no study has run here, so that nothing is known to be unused"
        raise UserError(run_config.elsewhere() or none)
    found, total = list(unused(grids, args.forget)), 0
    for one in found:
        total += one.size
        print(f"{amount(one.size):>9}  {one.why}  {one.paths[0]}")
        if args.yes and not remove(one):
            print(f"           kept: it is being trained now  {one.paths[0]}")
    print(f"Studies that count: {', '.join(dict.fromkeys(grid.name for grid in grids)) or 'none'}")
    for path in unknown(args.forget, grids).values():
        print(f"Left alone, without a study.json: {path.parent}")
    if not found:
        print("Nothing is unused.")
    else:
        end = "removed" if args.yes else "nothing was removed; to remove it, add --yes"
        print(f"{len(found)} unused, {amount(total)}: {end}")


if __name__ == "__main__":
    cli.run(main)
