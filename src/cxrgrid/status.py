"""Show the state of a study: one line per cell, reasons of failures, and commands to rerun.

Reads the results and asks Slurm where there is one; no Snakemake needs to run. Without STUDY, every
study in results/.

Example:
  python -m cxrgrid.status results/demo/study.json
  python -m cxrgrid.status demo --watch
  python -m cxrgrid.status --failed
"""

import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from cxrgrid.cluster import slurm
from cxrgrid.cluster.failed_steps import Failure, failures, under_way
from cxrgrid.cluster.progress import STATES, Progress, forecast, survey
from cxrgrid.cluster.run_config import copies, elsewhere, last_failure
from cxrgrid.cluster.wording import duration, failure
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.study_json import read_grid
from cxrgrid.evaluation.wording import many
from cxrgrid.io import cli

COLOURS = {"done": 32, "running": 36, "waiting": 33, "failed": 31, "never tried": 90}
COLOURS |= {"settings changed": 35}
MUTE = (
    "warning: Slurm does not answer (squeue): what is in its queue is not known, and may be shown "
    "as failed or never tried"
)
AGAIN = ("failed", "settings changed")  # states whose cells have a command beside them


def studies(names: list[str]) -> list[Path]:
    """The study.json of each study that is named, by file, folder or name; or of all."""
    begun = {name: path for name, path in copies().items() if not recorded(name).is_file()}
    if not names:
        found = sorted(Path("results").glob("*/study.json"))
        found += [path for name, path in begun.items() if recorded(name).parent.is_dir()]
        if not found:
            none = "results/: no study has run here; start one with snakemake"
            raise UserError(elsewhere() or none)
        return found
    names = [str(begun.get(Path(name).name, name)) for name in names]
    paths = [Path(name) for name in names]
    paths = [path if path.suffix == ".json" else path / "study.json" for path in paths]
    paths = [path if path.is_file() else Path("results") / path for path in paths]
    for path in paths:
        if not path.is_file():
            known = [each.parent.name for each in Path("results").glob("*/study.json")]
            known = ", ".join(sorted({*known, *begun}))
            raise UserError(f"{path}: no such study; there are: {known or 'none yet'}")
    return paths


def read_grids(paths: list[Path], named: bool) -> tuple[list[Path], list[Grid]]:
    """The studies that can be read, and their files; of `named` ones each has to be."""
    found = []
    for path in paths:
        try:
            found.append((path, read_grid(path)))
        except UserError as error:
            if named:
                raise
            print(f"warning: {error}", file=sys.stderr)
    if not found:
        raise UserError("results/: none of its studies can be read")
    return [path for path, _ in found], [grid for _, grid in found]


def recorded(name: str) -> Path:
    """The study.json of a study, which its first job for the report writes."""
    return Path("results") / name / "study.json"


def results(grid: Grid, path: Path) -> Path:
    """The folder of a study; path: its study.json, or a copy of its config from elsewhere."""
    return path.parent if path.name == "study.json" else Path("results") / grid.name


def detail(one: Progress) -> str:
    """Details of a cell, besides its state, as text."""
    job = f"  job {one.job}" if one.job else ""
    if one.state == "done":
        return duration(one.seconds) if one.seconds else ""
    if one.state == "running" and one.epoch is not None:
        best = "" if one.value is None else f"  best {one.monitor} {one.value:.4f}"
        within = f"{one.step / one.steps:.0%}" if one.steps else "0%"
        left = "" if one.left is None else f"  {duration(one.left)} left"
        return f"epoch {one.epoch}/{one.cell.epochs}, {within}{best}{left}{job}"
    if one.state == "failed":
        return failure(one.cause, one.reason)
    return "" if one.state == "never tried" else f"{one.reason}{job}"


def step_lines(broken: list[Failure]) -> list[str]:
    """Two lines per failed step: why, and the command that runs it again."""
    return [
        line
        for one in broken
        for line in (
            f"{one.step.name}  failed  {failure(one.cause, one.reason)}",
            f"    rerun: {one.rerun}",
        )
    ]


def lines(found: list[Progress], colour: bool) -> list[str]:
    """One line per cell, and below one to be trained again the command that does so."""
    width = max(len(one.cell.path()) for one in found)
    wide = max(len("never tried"), *(len(one.state) for one in found))
    text = []
    for one in found:
        state = f"{one.state:<{wide}}"
        if colour:
            state = f"\033[{COLOURS[one.state]}m{state}\033[0m"
        text.append(f"{one.cell.path():<{width}}  {state}  {detail(one)}".rstrip())
        if one.state in AGAIN:
            text.append(f"    rerun: {one.rerun}")
    return text


def totals(found: list[Progress]) -> str:
    """Numbers of cells by state, and hours of training so far and to come."""
    counts = Counter(one.state for one in found)
    shown = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    spent, ahead = sum(one.seconds for one in found) / 3600, forecast(found)
    more = "" if ahead is None else f", about {ahead / 3600:.1f} to come"
    return f"{many(len(found), 'cell')}: {shown}; {spent:.1f} hours of training so far{more}"


def show(grid: Grid, found: list[Progress], args) -> None:
    """A study's part of what is printed; last of all what has failed before or after the cells."""
    broken = failures(grid)
    if args.failed:
        found = [one for one in found if one.state == "failed"]
    if found:
        print(f"{grid.name}: {totals(found)}", *lines(found, sys.stdout.isatty()), sep="\n")
    if not args.failed and (sent := under_way(grid)):
        print(f"{grid.name}: {len(sent)} in the queue besides the cells", *sent, sep="\n")
    elif not found and not broken and not last_failure(grid.name):
        print(f"{grid.name}: no failure is known")
    if said := "" if broken or failed(found) else last_failure(grid.name):
        print(f"{grid.name}: the last run failed, and no log of a step says why: {said}")
    if broken:
        print(f"{grid.name}: {len(broken)} failed besides the cells", *step_lines(broken), sep="\n")
    print(flush=True)


def failed(found: list[Progress]) -> bool:
    """True if a cell has failed."""
    return any(one.state == "failed" for one in found)


def as_json(found: list[Progress]) -> list[dict]:
    """The same for programs: one object a cell."""
    return [
        one.cell.axes()
        | {name: value for name, value in asdict(one).items() if name != "cell"}
        | {"rerun": one.rerun}
        for one in found
    ]


def main(argv: list[str] | None) -> None:
    """Look once, or again and again."""
    parser = cli.parser("status", __doc__)
    parser.add_argument("study", nargs="*", help="study.json, its folder, or the study's name")
    parser.add_argument("--failed", action="store_true", help="only what failed")
    parser.add_argument("--json", action="store_true", help="one JSON object per cell")
    parser.add_argument(
        "--watch", nargs="?", type=float, const=10.0, metavar="SECONDS", help="look again (10)"
    )
    args = parser.parse_args(argv)
    while True:
        if slurm.mute(Path.cwd()):
            print(MUTE, file=sys.stderr)
        paths, grids = read_grids(studies(args.study), bool(args.study))
        found = [
            survey(grid.cells, results(grid, path)) for grid, path in zip(grids, paths, strict=True)
        ]
        if args.json:
            print(
                json.dumps(
                    {grid.name: as_json(part) for grid, part in zip(grids, found, strict=True)}
                )
            )
        else:
            if args.watch and sys.stdout.isatty():
                print("\033[H\033[2J", end="")
            for grid, part in zip(grids, found, strict=True):
                show(grid, part, args)
        if not args.watch:
            return
        time.sleep(args.watch)


if __name__ == "__main__":
    cli.run(main)
