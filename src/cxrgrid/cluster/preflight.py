"""Checks before a run: jobs that a killed run left, data that changed, jobs that would not pass.

A Snakemake that is killed leaves its lock and its Slurm jobs behind. Each run therefore holds a
file of its own in .snakemake/runs as long as it lives: what is there and not held was killed.
"""

import atexit
import gc
import signal
import socket
import sys
import time
from pathlib import Path
from typing import IO, Any

from cxrgrid.cluster import slurm
from cxrgrid.cluster.refusals import check
from cxrgrid.config.errors import UserError
from cxrgrid.io.locks import hold

RUNS = Path(".snakemake/runs")
LOCKS = Path(".snakemake/locks")
YOUNG = 100_000  # new objects between two looks for garbage: with Python's 700, planning 10,000
# cells spent a fifth of its time on looking
HELD: list[IO[str]] = []  # this run's file: closing it would free it


def enter(workflow: Any) -> None:
    """When the Snakefile is read: register the run, and clear the lock that a killed one left."""
    gc.set_threshold(YOUNG)
    # Slurm's warning before the time limit goes to all processes of a job. It is the trainer's.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if not workflow.is_main_process or HELD:
        return
    others = [path for path in RUNS.glob("*.run") if not ended(path)]
    if not others and LOCKS.is_dir():
        for path in LOCKS.glob("*.lock"):
            path.unlink(missing_ok=True)
    from cxrgrid.cluster import slurm_executor  # in a run alone: it asks Slurm when it is imported

    slurm_executor.install()
    path = RUNS / f"{socket.gethostname()}-{time.time_ns()}.run"
    HELD.append(hold(path))
    atexit.register(path.unlink, missing_ok=True)


def ended(path: Path) -> bool:
    """True if the run of a file is known to have ended: never for one of another machine."""
    if not path.name.startswith(f"{socket.gethostname()}-"):
        return False
    held = hold(path)
    if held:
        held.close()
    return held is not None


def check_idle(what: str) -> None:
    """`UserError` while a snakemake runs in this folder, or has jobs in Slurm's queue.

    what: is to be done when none does.
    """
    running = [str(path) for path in RUNS.glob("*.run") if not ended(path)]
    if running or slurm.queue(Path.cwd()):
        where = ", ".join(running) or "its jobs are in Slurm's queue"
        raise UserError(f"a snakemake runs in this folder ({where}); {what} when it has ended")


def begin(workflow: Any, study: str) -> None:
    """Before the first job: on Slurm, end jobs of killed runs; ask whether ours would pass."""
    executor = workflow.scheduler._executor
    if not hasattr(executor, "run_uuid"):
        return
    executor.name_study(study)
    HELD[0].write(executor.run_uuid)
    HELD[0].flush()
    if not slurm.answers():  # and so cannot say what is still in the queue
        sys.exit("error: Slurm does not answer (sinfo); the same command again when it does")
    end_orphans()
    # Without an account the plugin guesses one by a command that fails; sbatch knows the default.
    executor._fallback_account_arg = ""
    for job in largest(workflow.dag):
        check(executor, job)


def end_orphans() -> None:
    """Cancel what runs that were killed have left in the queue; their trainings go on in ours."""
    jobs = slurm.queue(Path.cwd())
    for path in sorted(RUNS.glob("*.run")):
        mine = [job.number for job in jobs if job.run == path.read_text()]
        if ended(path):
            if mine:
                print(
                    f"Cancelling {len(mine)} jobs that an earlier snakemake left in the queue "
                    f"({', '.join(mine)}); their trainings go on from their last state.",
                    file=sys.stderr,
                )
                slurm.cancel(mine)
                wait(mine)
            path.unlink(missing_ok=True)
        elif mine and not path.name.startswith(f"{socket.gethostname()}-"):
            print(f"Jobs of a run on another machine are in the queue: {path}", file=sys.stderr)


def wait(numbers: list[str]) -> None:
    """Until jobs have left the queue: only then does nobody write to their cells."""
    for _ in range(600):
        if not {job.number for job in slurm.queue(Path.cwd())} & set(numbers):
            return
        time.sleep(1)
    sys.exit(f"error: the jobs {', '.join(numbers)} do not end; cancel them, and start again")


def largest(dag: Any) -> list[Any]:
    """Of each rule that goes to the cluster the job that asks for the most time."""
    most: dict[str, Any] = {}
    for job in dag.needrun_jobs():
        if not job.is_group() and not job.is_local:
            known = most.setdefault(job.rule.name, job)
            if asked(job) > asked(known):
                most[job.rule.name] = job
    return list(most.values())


def asked(job: Any) -> int:
    """Minutes that a job asks for."""
    runtime = job.resources.get("runtime")
    return runtime if isinstance(runtime, int) else 0
