"""Snakemake that runs as a Slurm job itself: what it holds is not there for the jobs that it sends.

A job that wants the rest of a node as well never starts on a cluster, or in a partition, of one
node: it waits for the end of the Snakemake that waits for it.
"""

import os
import re
import sys
from datetime import datetime, timedelta

from cxrgrid.cluster import patience, slurm

START = r"Job \S+ to start at (\S+)"  # of `sbatch --test-only`
NEVER = timedelta(days=300)  # a job without an end is taken to end in a year


def most_cpus() -> int:
    """CPUs that a job can get, at most; unbounded where Slurm does not tell.

    Those of the largest node, but for what this Snakemake has of it as a job.
    """
    mine = os.environ.get("SLURM_CPUS_ON_NODE", "") if "SLURM_JOB_ID" in os.environ else ""
    here = os.environ.get("SLURMD_NODENAME", "")
    rows = [line.split("|") for line in slurm.ask("sinfo", "-hN", "-o%N|%c")]
    found = [
        int(cpus) - (int(mine) if name == here and mine.isdigit() else 0)
        for name, cpus in rows
        if cpus.isdigit()
    ]
    return max([1, *found]) if found else 2**31


def check(command: str, rule: str, head: str, profile: str) -> None:
    """Warn of jobs that start only when the job `head`, this Snakemake's own, has ended.

    command: sbatch's for a job of the rule.
    """
    if not head:
        return
    done = patience.run(f"{command} --test-only --wrap true")
    start = re.search(START, done.stderr if done else "")
    if not start:
        return
    over = next(iter(slurm.ask("squeue", "-h", "-j", head, "-o", "%e")), "")
    if moment(start[1]) >= moment(over):
        print(
            f"warning: Slurm would start the jobs of rule {rule} at {start[1]}, when job {head}, "
            "which this snakemake is, has ended: the cluster is full until then, or they want CPUs "
            f"or memory that it holds. If so, write less into {profile} "
            f"(`set-threads: {rule}: 2`, `mem_mb`), "
            "or start snakemake where it takes nothing from them.",
            file=sys.stderr,
        )


def moment(text: str) -> datetime:
    """A time as Slurm prints it; long after today where it knows none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.now() + NEVER
