"""SIGTERM that ends a run, whatever the run is doing at that moment.

Snakemake 9's own handler takes locks that the thread which it interrupts may hold (while jobs are
chosen or noted as done, say): both then wait for each other, and nothing but SIGKILL ends the run.
"""

import threading
from typing import Any

import snakemake.api  # before the others, which cannot be imported alone
import snakemake.scheduling.job_scheduler

Scheduler = snakemake.scheduling.job_scheduler.JobScheduler
see_jobs_out = Scheduler.exit_gracefully


def install() -> None:
    """Put this in the place of Snakemake's own, in this process."""
    Scheduler.exit_gracefully = end


def end(scheduler: Any, *_: object) -> None:
    """Have the scheduler send no more jobs, as soon as it holds its locks no longer."""
    threading.Thread(target=see_out, args=(scheduler,), daemon=True).start()


def see_out(scheduler: Any) -> None:
    """Send no more jobs; what Slurm has refused for now would else be waited for."""
    see_jobs_out(scheduler)
    if ending := getattr(getattr(scheduler, "_executor", None), "ending", None):
        ending.set()
