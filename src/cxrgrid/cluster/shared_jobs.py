"""Jobs of a rule that share a Slurm job and its GPU, as many as the resource `cells_per_gpu` says.

Snakemake's own groups are no way: when one member fails, the outputs of all are removed. Here each
stays a job of Snakemake's; only what is sent to Slurm is one job (`Shared`), in which
`side_by_side` runs the commands of all, and each end is reported as it comes.
"""

import json
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import Any

from snakemake.iocontainers import ResourceList
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import get_job_wildcards
from snakemake_executor_plugin_slurm_jobstep import (
    get_cpu_setting,
    get_gpu_setting,
    get_node_setting,
)
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from cxrgrid.cluster import slurm
from cxrgrid.cluster.patience import LONG

SUMMED = ("mem_mb", "mem_mib", "disk_mb", "disk_mib", "cpus_per_task", "cpus_per_gpu")
LONGEST = "runtime"
# Resources in which jobs may differ that share one.
DIFFER = (*SUMMED, LONGEST, "_cores")
PAUSE = 10  # seconds for which a job waits for the next one to share with
COMMENT = 1000  # characters that Slurm surely takes: 1024
# Before an sbatch command, for which the plugin would wait for ever; Ctrl-c reaches it.
PATIENT = f"timeout --foreground -k 9 {LONG} "


def most(job: Any) -> int:
    """Number of jobs like this one that may share a Slurm job."""
    return 1 if job.is_group() else int(job.resources.get("cells_per_gpu") or 1)


def alike(job: Any) -> str:
    """Same text for jobs that may share one: of a rule, for the same place, at the same attempt.

    A cell that has failed is not sent beside those that have not.
    """
    asked = {name: each for name, each in job.resources.items() if name not in DIFFER}
    return str((job.rule.name, job.attempt, sorted(asked.items())))


def comment(jobs: list[Any]) -> str:
    """Names of the jobs, as Slurm's queue shows them; `slurm.apart` reads them."""
    first, *others = [get_job_wildcards(job) for job in jobs]
    return " ".join([slurm.job_name(jobs[0].name, [first]), *others])


class Shared:
    """Jobs that share a Slurm job, as the one that is sent: CPUs and memory of all, longest time.

    It has what the Slurm plugin reads of a job.
    """

    def __init__(self, jobs: list[Any]):
        first = jobs[0]
        self.jobs, self.rule, self.name = jobs, first.rule, first.name
        self.jobid = ", ".join(str(job.jobid) for job in jobs)
        self.wildcards = [slurm.SHARED]
        self.threads = sum(job.threads for job in jobs)
        asked = dict(first.resources.items())
        for name in {*SUMMED, LONGEST} & asked.keys():
            values = [job.resources.get(name) for job in jobs]
            if all(isinstance(value, int) and value > 0 for value in values):
                asked[name] = max(values) if name == LONGEST else sum(values)
        self.resources = ResourceList(fromdict=asked)

    def is_group(self) -> bool:
        """False: to the plugin it is a job like others."""
        return False


def several(job: Any, count: int) -> Any:
    """A Slurm job for `count` jobs like this one, or for as many of them as may share it."""
    asked = job.resources.get("cells_per_gpu")
    if isinstance(asked, str):
        sys.exit(f"error: cells_per_gpu of rule {job.rule.name} is {asked!r}, and no whole number")
    number = min(most(job), count)
    return Shared([job] * number) if number > 1 else job


def members(job: Any) -> list[Any]:
    """The jobs that a Slurm job is sent for."""
    return job.jobs if isinstance(job, Shared) else [job]


def submission(job: Any, facts: dict[str, Any], **more: Any) -> str:
    """The plugin's sbatch command, given up where Slurm is mute; jobs that share one are named."""
    if isinstance(job, Shared):
        facts = facts | {"comment_str": comment(members(job))}
    return PATIENT + get_submit_command(job, facts, **more)


def command(job: Shared, commands: dict[str, str], folder: Path) -> str:
    """Command of a Slurm job that several share; commands: theirs, by the folders of their logs.

    They are written to a file in `folder`, since they may be longer than a command line.
    """
    first = job.jobs[0]
    file = folder / f"shared-{first.jobid}-{first.attempt}.json"
    file.write_text(json.dumps(commands), "utf-8")
    asked = [get_cpu_setting(job, bool(job.resources.get("gpu"))), get_gpu_setting(job)]
    words = [sys.executable, "-m", "cxrgrid.cluster.side_by_side", str(file)]
    words += ["srun", "-n1", "--cpu-bind=q", *asked, get_node_setting(job)]
    return shlex.join(filter(None, words))


def apart(info: SubmittedJobInfo) -> list[SubmittedJobInfo]:
    """Report about a Slurm job, apart for each job in it."""
    if not isinstance(info.job, Shared):
        return [info]
    found = []
    for job in info.job.jobs:
        aux = None
        if info.aux:
            log = Path(info.aux["slurm_logfile"])
            own = log.parent.with_name(get_job_wildcards(job)) / log.name
            aux = {"slurm_logfile": own, "shared": log}
        found.append(SubmittedJobInfo(job, external_jobid=info.external_jobid, aux=aux))
    return found


def own_end(info: SubmittedJobInfo) -> str:
    """The state in which a job has ended that shares one; empty as long as it has not, or alone."""
    if "shared" not in info.aux:
        return ""
    try:
        return info.aux["slurm_logfile"].with_suffix(slurm.END).read_text("utf-8")
    except OSError:
        return ""


class Gathering:
    """Jobs that wait for others to share a Slurm job with."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Any]] = {}
        self.last: dict[str, float] = {}  # when the last of those alike came
        self.lock = threading.Lock()

    def add(self, job: Any) -> None:
        """Let a job wait."""
        with self.lock:
            self.waiting.setdefault(alike(job), []).append(job)
            self.last[alike(job)] = time.monotonic()

    def ready(self) -> list[Any]:
        """Take out what is to be sent: full jobs, and those for which no more have come."""
        found, now = [], time.monotonic()
        with self.lock:
            for key, jobs in list(self.waiting.items()):
                late = now - self.last[key] >= PAUSE
                while jobs and (late or len(jobs) >= most(jobs[0])):
                    found.append(take(jobs))
                if not jobs:
                    del self.waiting[key], self.last[key]
        return found


def take(jobs: list[Any]) -> Any:
    """Take the first jobs out that go into one, and return that: itself, if it is alone."""
    count = min(most(jobs[0]), len(jobs))
    while count > 1 and len(comment(jobs[:count])) > COMMENT:
        count -= 1
    taken, jobs[:count] = jobs[:count], []
    return taken[0] if count == 1 else Shared(taken)
