"""Finished results that Snakemake alone would throw away where a disk or a clock is at fault.

- It fails a job whose results are older than an input, and removes them: a finished training, where
  a node's clock is an hour behind. Here they get the date of the youngest input.
- It ends at once, and all jobs with it, where it cannot remove what a failed job has left, or an
  empty folder: a disk that has turned read-only. Here a line says so, and the others go on.
- It makes anew what it could not note as finished, as on a full disk or when it was killed just
  then. Here a training is finished when all its results have come since it was sent.
"""

import contextlib
import os
from collections.abc import Iterable
from typing import Any

import snakemake.api  # before the others, which cannot be imported alone
import snakemake.dag
import snakemake.jobs
import snakemake.persistence
from snakemake.logging import logger

from cxrgrid.cluster.wording import duration

clean_up = snakemake.jobs.Job.cleanup
clean_folders = snakemake.dag.DAG.cleanup_workdir
marked = snakemake.persistence.PersistenceBase.incomplete
TRAIN = "train"  # the rule; in a module its name may have a prefix


def install() -> None:
    """Put these in the places of Snakemake's own, in this process."""
    snakemake.dag.DAG.check_output_mtime = date_results
    snakemake.dag.DAG.cleanup_workdir = remove_folders
    snakemake.jobs.Job.cleanup = remove_results
    snakemake.persistence.PersistenceBase.incomplete = unfinished


async def date_results(dag: Any, job: Any, results: Iterable[Any]) -> None:
    """Give the results of a job that are older than an input the date of the youngest input."""
    dates = [date for path in job.input if (date := await date_of(path)) is not None]
    youngest, behind = max(dates, default=0.0), 0.0
    for path in results:
        date = await date_of(path)
        if date is not None and date < youngest:
            os.utime(path, (youngest, youngest), follow_symlinks=False)
            behind = max(behind, youngest - date)
    if behind > 1:  # less is how a disk rounds
        logger.warning(
            f"clocks differ: results of {job.rule.name} were {duration(behind)} older than what "
            "they were made from; they have its date now, and are kept"
        )


async def date_of(path: Any) -> float | None:
    """Date of a file's last change; None where it is not there."""
    if not await path.exists_local():
        return None
    return (await path.mtime_uncached(skip_storage=True)).local()


async def remove_results(job: Any, kept: Iterable[Any]) -> None:
    """Remove the results of a failed job; what cannot be removed is made anew by the next run."""
    try:
        await clean_up(job, kept)
    except OSError as error:
        logger.warning(f"{error.filename}: of a failed job, not removed ({error.strerror})")


def remove_folders(dag: Any) -> None:
    """Remove the folders that a run has left empty, at its end; none of them is worth a failure."""
    with contextlib.suppress(OSError):
        clean_folders(dag)


async def unfinished(persistence: Any, job: Any) -> list[Any]:
    """Results that a job has left unfinished; none of a training that has made all since its start.

    Each of a training's files is put in place whole. Snakemake's mark of the start is a file too.
    """
    found = await marked(persistence, job)
    if not found or not job.rule.name.endswith(TRAIN):
        return found
    began = [persistence._get_recorded_starttime(persistence._get_key(one)) for one in found]
    dates = [await date_of(path) for path in job.output]
    made = None not in (*dates, *began) and min(dates) >= max(began)
    return [] if made else found
