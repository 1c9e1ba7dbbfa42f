"""Checks before a run: jobs that a killed run left behind, and jobs that Slurm would refuse.

A Snakemake that is killed leaves its lock and its Slurm jobs behind. Each run therefore holds a
file of its own in .snakemake/runs as long as it lives: what is there and not held was killed.
"""

import atexit
import gc
import re
import signal
import socket
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import IO, Any

from cxrgrid.cluster import slurm, slurm_executor
from cxrgrid.config.errors import UserError
from cxrgrid.io.locks import hold

RUNS = Path(".snakemake/runs")
LOCKS = Path(".snakemake/locks")
YOUNG = 100_000  # new objects between two looks for garbage: with Python's 700, planning 10,000
# cells spent a fifth of its time on looking
HELD: list[IO[str]] = []  # this run's file: closing it would free it
# Parts of an sbatch command, and the setting in profiles/slurm each comes from. The setting is to
# blame without whose part the command passes.
PARTS = {
    r"--gpus=\S+|--gres=\S+": "gpu_model",
    r"(?<= )--mem \S+|--mem-per-cpu \S+": "mem_mb",
    r"(?<= )-t \S+": "runtime",
    r"--cpus-per-(task|gpu)=\S+": "set-threads: train",
    r"(?<= )-C \S+": "constraint",
    r"--qos=\S+": "qos",
    r"--signal=\S+": "slurm_extra",
    r"(?<= )-A \S+": "slurm_account",
    r"(?<= )-p \S+": "slurm_partition",
}
# What a site may insist on, by a word of its refusal: to blame where no part is.
WANTED = {"account": "slurm_account", "partition": "slurm_partition"}
PREFIX = r"^(\w+: )?(error: |allocation failure: )?"  # of the line in which sbatch refuses


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


def check(executor: Any, job: Any) -> None:
    """End with one line that names the setting if Slurm would refuse a job."""
    try:
        command = request(executor, job)
    except Exception as error:  # the plugin's own checks: account, formats
        sys.exit(f"error: Slurm would refuse rule {job.rule.name}: {' '.join(str(error).split())}")
    said = refusal(command)
    if not said:
        return
    found = {setting: re.search(part, command) for part, setting in PARTS.items()}
    sent = {setting: part[0] for setting, part in found.items() if part}
    passes = (name for name in sent if not refusal(command.replace(sent[name], "")))
    wanted = (WANTED[word] for word in WANTED if word in said.lower())
    setting = next(chain(passes, wanted), "")
    if not setting:
        sys.exit(f"error: Slurm refuses the jobs of rule {job.rule.name} ({said}): {command}")
    sys.exit(
        f"error: Slurm refuses the jobs of rule {job.rule.name} ({said}): change `{setting}` in "
        f"profiles/slurm/config.yaml (sent: {sent.get(setting, 'none').strip()})"
    )


def request(executor: Any, job: Any) -> str:
    """The sbatch command with which the plugin would send a job, without the job."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    facts = {"run_uuid": executor.run_uuid, "slurm_logfile": "/dev/null", "comment_str": ""}
    facts |= {"account": next(executor.get_account_arg(job))}
    facts |= {"partition": executor.get_partition_arg(job), "workdir": str(Path.cwd())}
    settings = executor.workflow.executor_settings
    return get_submit_command(job, facts, settings=settings) + set_gres_string(job)


def refusal(command: str) -> str:
    """Why Slurm would refuse a job; empty if it would not."""
    call = f"{command} --test-only --wrap true"
    done = subprocess.run(call, shell=True, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return re.sub(PREFIX, "", lines[-1]) if done.returncode and lines else ""
