"""Checks before a run: jobs that a killed run left, data that changed, jobs that would not pass.

A Snakemake that is killed leaves its lock and its Slurm jobs behind. Each run therefore holds a
file of its own in .snakemake/runs as long as it lives: what is there and not held was killed. Of a
run on another machine that does not tell; it also touches its file, and one that has not done so
for long is gone, or for a while if it was a Slurm job that has ended. Should it come back, it finds
its file taken, and ends.
"""

import atexit
import gc
import os
import signal
import socket
import sys
import threading
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
BEAT = 30  # seconds between two signs of life
GONE = 900  # seconds without one, after which a run on another machine has ended
LATE = 90  # the same of a run that was a Slurm job which is over
TAKEN = ".taken"  # ending of the file of a run that another has taken over


def enter(workflow: Any, take_over: bool = False) -> None:
    """When the Snakefile is read: register the run, and clear the lock that a killed one left.

    take_over: end runs of other machines, whether or not they give signs of life.
    """
    gc.set_threshold(YOUNG)
    # Slurm's warning before the time limit goes to all processes of a job. It is the trainer's.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    from cxrgrid.cluster import kept_results, termination  # in a run alone: they import Snakemake

    kept_results.install()
    termination.install()
    if not workflow.is_main_process or HELD:
        return
    from cxrgrid.cluster import job_cpus, profile_resources, run_locks, slurm_executor  # likewise

    job_cpus.install()
    profile_resources.keep(workflow)
    run_locks.install()
    number = f"{time.time_ns()}.{os.environ.get('SLURM_JOB_ID', '')}".rstrip(".")
    path = RUNS.absolute() / f"{socket.gethostname()}-{number}.run"
    HELD.append(hold(path))
    beat(path)
    for other in RUNS.glob("*.run") if take_over else ():
        if not here(other):
            other.rename(other.with_suffix(TAKEN))
    if not living():
        clear_locks()
    slurm_executor.install()


def own() -> Path:
    """File of this run."""
    return Path(HELD[0].name)


def living() -> list[Path]:
    """Files of the other runs of this folder that have not ended."""
    others = [path for path in RUNS.glob("*.run") if path.name != own().name]
    return [path for path in others if not ended(path)]


def clear_locks() -> None:
    """Remove all locks on results, where no other run lives."""
    for lock in [*LOCKS.glob("*.lock"), *RUNS.glob("*.lock")]:
        lock.unlink(missing_ok=True)


def beat(path: Path) -> None:
    """Touch this run's file for as long as it lives; end it where another has taken it over."""
    over = threading.Event()

    def signs() -> None:
        while not over.wait(BEAT):
            try:
                os.utime(path)
            except FileNotFoundError:
                if over.is_set():
                    return
                print("error: another snakemake has taken over this run", file=sys.stderr)
                os._exit(1)  # at once: what it would clear up is the other's by now
            except OSError:  # a shared disk that is away for a while
                continue

    def leave() -> None:
        over.set()
        path.unlink(missing_ok=True)

    threading.Thread(target=signs, daemon=True).start()
    atexit.register(leave)


def here(path: Path) -> bool:
    """True if the run of a file is one of this machine."""
    return path.stem.rpartition("-")[0] == socket.gethostname()


def silent(path: Path) -> float:
    """Seconds since the run of a file gave a sign of life, by the clock of the disk."""
    clock = RUNS / f".clock-{socket.gethostname()}"
    clock.touch()
    return clock.stat().st_mtime - path.stat().st_mtime


def ended(path: Path) -> bool:
    """True if the run of a file has ended, or gives no sign of life any more."""
    if path.suffix == TAKEN:
        return True
    if not here(path):
        return silent(path) > GONE or (
            silent(path) > LATE and bool(head(path)) and slurm.over(head(path))
        )
    held = hold(path)
    if held:
        held.close()
    return held is not None


def check_idle(what: str) -> None:
    """`UserError` while a snakemake runs in this folder, or has jobs in Slurm's queue.

    what: is to be done when none does.
    """
    running = [str(path) for path in RUNS.glob("*.run") if not ended(path)]
    if slurm.mute(Path.cwd()):
        raise UserError(f"Slurm does not answer (squeue): jobs may run; {what} when it does")
    if running or slurm.queue(Path.cwd()):
        where = ", ".join(running) or "its jobs are in Slurm's queue"
        raise UserError(f"a snakemake runs in this folder ({where}); {what} when it has ended")


def begin(workflow: Any, study: str) -> None:
    """Before the first job: on Slurm, end jobs of killed runs; ask whether ours would pass."""
    executor = workflow.scheduler._executor
    if not hasattr(executor, "name_study"):  # of ours for Slurm alone: LSF's has a run_uuid too
        return
    executor.name_study(study)
    HELD[0].write(executor.run_uuid)
    HELD[0].flush()
    slurm.must_answer()
    end_orphans(study)
    # Without an account the plugin guesses one by a command that fails; sbatch knows the default.
    executor._fallback_account_arg = ""
    for job in largest(workflow.dag):
        check(executor, job, head(own()))


def end_orphans(study: str) -> None:
    """Cancel what runs that were killed have left in the queue; their trainings go on in ours.

    A living run with jobs of the study ends this one: a cell is not trained twice.
    """
    jobs = in_queue()
    for path in sorted([*RUNS.glob("*.run"), *RUNS.glob(f"*{TAKEN}")]):
        run = path.read_text("utf-8")
        mine = numbers(jobs, run)
        if ended(path):
            if mine:
                print(
                    f"Cancelling {len(mine)} jobs that an earlier snakemake left in the queue "
                    f"({', '.join(mine)}); their trainings go on from their last state.",
                    file=sys.stderr,
                )
                slurm.cancel(mine)
                wait(mine)
            if path.suffix == TAKEN and silent(path) < GONE:
                outlive(run)
            path.unlink(missing_ok=True)
        elif mine and any(job.of(study) for job in jobs if job.run == run):
            jobs_of = f"has {len(mine)} jobs of this study in the queue"
            sys.exit(f"error: {described(path)} {jobs_of}; {remedy(path)}")


def in_queue() -> list[slurm.Job]:
    """My jobs of this folder; ends a run that cannot know them."""
    jobs = slurm.known_queue(Path.cwd())
    if jobs is None:
        sys.exit("error: Slurm does not answer (squeue); the same command again when it does")
    return jobs


def head(path: Path) -> str:
    """Id of the Slurm job in which a run lives; empty of one that is none."""
    return path.stem.rpartition("-")[2].partition(".")[2]


def described(path: Path) -> str:
    """A run of this folder in words, by its file."""
    host = path.stem.rpartition("-")[0]
    return f"a snakemake on {host}, with a sign of life {silent(path):.0f} s ago,"


def remedy(path: Path) -> str:
    """Words on what to do where a run of this folder is in the way."""
    return "end it first" + ("" if here(path) else ", or take it over: --config take_over=true")


def outlive(run: str) -> None:
    """Wait until a run that was taken over has noticed it; cancel what it has sent meanwhile."""
    print(f"Waiting {2 * BEAT} s until the other snakemake has ended.", file=sys.stderr)
    time.sleep(2 * BEAT)
    late = numbers(in_queue(), run)
    slurm.cancel(late)
    wait(late)


def numbers(jobs: list[slurm.Job], run: str) -> list[str]:
    """Ids of the jobs that a run has sent, each once, also where several share one."""
    return list(dict.fromkeys(job.number for job in jobs if job.run == run))


def wait(numbers: list[str]) -> None:
    """Until jobs have left the queue: only then does nobody write to their cells."""
    for _ in range(600):
        jobs = slurm.known_queue(Path.cwd())
        if jobs is not None and not {job.number for job in jobs} & set(numbers):
            return
        time.sleep(1)
    sys.exit(f"error: the jobs {', '.join(numbers)} do not end; cancel them, and start again")


def largest(dag: Any) -> list[Any]:
    """Of each rule that goes to the cluster the job that asks for the most time.

    Where several may share a Slurm job it is as many of that one.
    """
    from cxrgrid.cluster import shared_jobs  # as the executor, in a run alone

    found: dict[str, list[Any]] = {}
    for job in dag.needrun_jobs():
        if not job.is_group() and not job.is_local:
            found.setdefault(job.rule.name, []).append(job)
    most = [(max(jobs, key=asked), len(jobs)) for jobs in found.values()]
    return [shared_jobs.several(job, count) for job, count in most]


def asked(job: Any) -> int:
    """Minutes that a job asks for."""
    runtime = job.resources.get("runtime")
    return runtime if isinstance(runtime, int) else 0
