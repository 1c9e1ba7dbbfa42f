"""Steps of a study other than trainings: those that have failed, as their logs tell, or are sent.

A step has failed if its log is there, its output is not, and no process or job is making it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cxrgrid.cluster import slurm
from cxrgrid.cluster.progress import coordinates, explain
from cxrgrid.cluster.run_config import asked_by
from cxrgrid.config.folds import divisions
from cxrgrid.config.grid import Grid
from cxrgrid.config.pooling import pool_file
from cxrgrid.config.shifted_cells import WHOLE, Shifted
from cxrgrid.config.transfers import targets_of

# The file that a rule makes; its log lies beside it.
DIVIDED = {"split": "table.parquet", "audit": "audit.json"}  # one per tested fold
DATA = ("phantom", "index", "pixels", *DIVIDED)
STUDY = {"study": "study.json", "overlap": "overlap.json", "collect": "report/metrics.csv"}
STUDY |= {"choose": "report/validation.csv", "compare": "report/comparisons.csv"}
STUDY |= {"table": "report/leaderboard.csv"}
STUDY |= {"report": "report/report.html"}


@dataclass(frozen=True)
class Step:
    """A rule with its wildcards in the rule's order; paths are relative to the working folder."""

    rule: str
    wildcards: tuple[str, ...]
    output: str
    log: str

    @property
    def name(self) -> str:
        """The rule and its wildcards, as one reads them."""
        words = (word.strip("/") for word in self.wildcards)
        return f"{self.rule} {'/'.join(filter(None, words))}".rstrip()


@dataclass(frozen=True)
class Failure:
    """A step that has failed: a cause in a word or two, the log's own words, the remedy."""

    step: Step
    cause: str
    reason: str
    rerun: str


def failures(grid: Grid) -> list[Failure]:
    """Every step of a study that has failed, in the order of the workflow."""
    missing = [
        step
        for step in dict.fromkeys(steps(grid))
        if not Path(step.output).exists() and (Path(step.log).is_file() or sent(grid, step))
    ]
    busy = working(grid.name) if missing else set()
    found = []
    for step in missing:
        cause, reason = explain(Path(step.log), sent(grid, step))
        job = slurm.job_name(step.rule, step.wildcards)
        if cause and not busy & {step.rule, job}:
            rerun = " ".join(("snakemake", step.output, asked_by(grid.name))).rstrip()
            found.append(Failure(step, cause, reason, rerun))
    return found


def under_way(grid: Grid) -> list[str]:
    """One line per step of a study that is in Slurm's queue."""
    queued = {job.what: job for job in slurm.queue(Path.cwd()) if serves(job, grid.name)}
    found = []
    for step in dict.fromkeys(steps(grid)) if queued else ():
        if job := queued.get(slurm.job_name(step.rule, step.wildcards)):
            state = f"waiting  {job.reason}" if job.state == "PENDING" else "running"
            found.append(f"{step.name}  {state}  job {job.number}")
    return found


def serves(job: slurm.Job, study: str) -> bool:
    """True of a study's jobs, and of those of data, which serve all."""
    return job.of(study) or job.what.startswith(tuple(f"rule_{rule}" for rule in DATA))


def sent(grid: Grid, step: Step) -> list[Path]:
    """Logs of the jobs that a step has had in Slurm; data serve all studies."""
    study = slurm.ANY if step.rule in (*DATA, "weights") else grid.name
    return slurm.logs(study, step.rule, step.wildcards)


def working(study: str) -> set[str]:
    """Rules whose commands run in this folder, and names of jobs in Slurm's queue.

    Of a study's jobs, and those of all data.
    """
    found = {job.what for job in slurm.queue(Path.cwd()) if serves(job, study)}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if (path / "cwd").readlink() == Path.cwd():
                found.add(words[words.index("-m") + 1].removeprefix("cxrgrid."))
    return found


def steps(grid: Grid) -> Iterator[Step]:
    """All steps of a study but its trainings, in the order in which they run."""
    for dataset in dict.fromkeys([*(cell.dataset for cell in grid.cells), *grid.used()]):
        yield from of_data(grid, dataset)
    for cell in grid.cells:
        if cell.weights.startswith("results/weights/"):
            name = Path(cell.weights).stem
            yield Step("weights", (name,), cell.weights, f"results/weights/{name}.weights.log")
    folder = f"results/{grid.name}"
    for path in dict.fromkeys(pool_file(grid, cell) for cell in grid.cells if cell.train_on):
        stem = path.removesuffix(".parquet")
        name, slash, fold = stem.removeprefix(f"{folder}/pools/").partition("/")
        yield Step("pool", (name, slash + fold), path, f"{stem}.pool.log")
    yield from of_cells(grid)
    for target in grid.tested():
        path = f"{folder}/scores/{target}"
        yield Step("score", (target,), f"{path}.parquet", f"{path}.score.log")
    for output in Shifted(grid).results()[:1]:
        yield Step("robustness", (), output, f"{folder}/shifts/robustness.log")
    for rule, output in STUDY.items():
        yield Step(rule, (), f"{folder}/{output}", f"{folder}/{Path(output).parent}/{rule}.log")
    drawn = [f"{folder}/report/figures/{name}.svg" for name in grid.figures()]
    # Any of them: a release that adds a figure finds results without it, which are no failure.
    for path in ([path for path in drawn if Path(path).exists()] or drawn)[:1]:
        yield Step("figure", (), path, f"{folder}/report/figure.log")


def of_data(grid: Grid, dataset: str) -> Iterator[Step]:
    """The steps that prepare a dataset."""
    whole = f"results/data/{dataset}"
    yield Step("phantom", (dataset,), f"{whole}/phantom", f"{whole}/phantom.log")
    yield Step("index", (dataset,), f"{whole}/index.parquet", f"{whole}/index.log")
    for image in grid.arrays(dataset):
        path = f"{whole}/pixels{image}"
        yield Step("pixels", (dataset, image), f"{path}.npy", f"{path}.log")
    for rule, output in DIVIDED.items():
        for folder in divisions(grid.folds, dataset):
            wildcards = (dataset, folder.removeprefix(whole))
            yield Step(rule, wildcards, f"{folder}/{output}", f"{folder}/{rule}.log")


def of_cells(grid: Grid) -> Iterator[Step]:
    """The jobs of trained cells: predictions elsewhere and under changes, and explanations."""
    pairs = [(cell, target) for cell in grid.cells for target in targets_of(grid, cell)]
    for cell, target in pairs:
        path = f"{grid.folder(cell)}/transfer/{target}"
        yield Step(
            "predict", (*coordinates(cell), target), f"{path}.parquet", f"{path}.predict.log"
        )
    for cell in grid.cells:
        path = f"{grid.folder(cell)}/explain"
        yield Step(
            "explain", tuple(coordinates(cell)), f"{path}/gallery.parquet", f"{path}/explain.log"
        )
    for cell in Shifted(grid).cells:
        path = f"{grid.folder(cell)}/shift"
        yield Step("shift", tuple(coordinates(cell)), f"{path}/{WHOLE}", f"{path}/shift.log")
