"""Executor for Slurm: the plugin's own, but for how it follows jobs and how it sends them.

The plugin (2.8.0) forgets all jobs whose status it could not ask for in one round, and then waits
for ever (snakemake-executor-plugin-slurm #33, #157, #207); it takes a preempted job to be on its
way back where the site cancels it (#109, #132), `CANCELLED by 0` to be running, and a job of which
Slurm keeps no record likewise; a submission that a busy Slurm refuses is a failed job (#313, #320).
Here a job ends when Slurm says so, or when Slurm answers and has no record of it. Its results are
kept if they are whole.
"""

import asyncio
import re
import shutil
import subprocess
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import snakemake_executor_plugin_slurm as plugin
from snakemake.api import ExecutorPluginRegistry
from snakemake_executor_plugin_slurm import Executor as PluginExecutor
from snakemake_executor_plugin_slurm import SubmittedJobInfo
from snakemake_executor_plugin_slurm.utils import get_job_wildcards, set_gres_string

from cxrgrid.cluster import head_job, patience, refusals, shared_jobs, slurm, waiting
from cxrgrid.cluster.shared_jobs import Shared, members
from cxrgrid.cluster.wording import duration

ENDED = {"BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "TIMEOUT", "REVOKED"}
# Over only if it stays so: Slurm may be about to send the job back to the queue.
DOUBTFUL = {"PREEMPTED", "NODE_FAIL", slurm.LEFT, slurm.HELD}
# Reasons of a pending job that never starts by itself.
HOLDS = {"launch failed requeued held", "JobHoldMaxRequeue", "DependencyNeverSatisfied"}
PAUSES = (5, 300)  # seconds before a refused job is sent again: at first, and at most
LONGEST = 86400  # seconds for which a job is sent again


def install() -> None:
    """Put this executor in the place of the plugin's, whose name and options stay."""
    ExecutorPluginRegistry().plugins["slurm"].executor = Executor
    plugin.set_gres_string = gpus
    plugin.get_submit_command = shared_jobs.submission


def gpus(job: Any) -> str:
    """GPUs in sbatch's words; unlike the plugin's, of kinds with a hyphen as well: a100-40gb."""
    model = str(job.resources.get("gpu_model") or "")
    if re.fullmatch(r"[\w.]+(-[\w.]+)+", model):
        return f" --gpus={model}:{job.resources.get('gpu', 1)}"
    return set_gres_string(job)


class Executor(PluginExecutor):
    """Sends jobs to Slurm and follows them."""

    def __post_init__(self, *arguments: Any, **more: Any) -> None:
        self.since: dict[str, float] = {}  # when a doubtful job was first seen to be so, by id
        self.silent_since, self.told = 0.0, set[str]()  # the latter: reasons to wait
        self.stopping = threading.Event()  # after Ctrl-c nothing is sent any more
        self.ending = threading.Event()  # nor, after SIGTERM, what was refused before
        self.gathering = shared_jobs.Gathering()
        self.sending = threading.local()  # refusal: that a thread's last sbatch met
        self.accounts: dict[str, str] = {}
        with patience.interruptible():
            slurm.must_answer()  # before the questions below wait for it, one after the other
            # A job's CPUs are bounded by the nodes, not by the machine that sends it.
            self.workflow.global_resources["_cores"] = head_job.most_cpus()
            super().__post_init__(*arguments, **more)

    def name_study(self, study: str) -> None:
        """Jobs' names and logs of this run carry its study's name."""
        prefix, _, number = self.run_uuid.rpartition("_")
        self.run_uuid = "_".join(filter(None, (prefix, study, number)))
        self.slurm_logdir = self.slurm_logdir / study

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncGenerator[Any, None]:
        """Report the jobs that have ended, and yield the others; all of them if Slurm is silent."""
        states = await self.states([job.external_jobid for job in active_jobs])
        any_ended = False
        for job in active_jobs:
            end = shared_jobs.own_end(job)
            if not end and states is not None:
                end = self.end(job, states[job.external_jobid])
            if not end:
                yield job
            elif end == "COMPLETED" or await self.whole(job.job):
                self.report_job_success(job)
            else:
                self.fail(job, end)
            any_ended |= bool(end)
        first = self.workflow.executor_settings.init_seconds_before_status_checks
        longer = min(self.next_seconds_between_status_checks + 10, 180)
        self.next_seconds_between_status_checks = first if any_ended or not active_jobs else longer

    async def states(self, numbers: Sequence[str]) -> dict[str, str] | None:
        """State of each job in Slurm's words, `LEFT` or `HELD`; None if Slurm does not answer."""
        if not numbers:
            return {}
        clusters = self._submitted_job_clusters
        where = f"-M {','.join(sorted(clusters))}" if clusters else ""
        rows = await lines(f"squeue -hr {where} --states=all --name {self.run_uuid} -o '%i|%T|%r'")
        self.tell_silence(rows is None)
        if rows is None:
            return None
        waiting.tell(rows, self.told, self.logger)
        found = {number: slurm.HELD if why in HOLDS else state for number, state, why in rows}
        missing = [number for number in numbers if number not in found]
        if missing and shutil.which("sacct"):
            listed = ",".join(missing)
            # An end that accounting has not heard of is none; `CANCELLED by 0` names who.
            told = await lines(f"sacct -nXP -j {listed} -o JobIDRaw,State,End") or []
            known = {number: state.split()[0] for number, state, _ in told if state}
            ends = ENDED | DOUBTFUL | {"COMPLETED"}
            found |= {number: state for number, state in known.items() if state in ends}
        return {number: found.get(number, slurm.LEFT) for number in numbers}

    def tell_silence(self, silent: bool) -> None:
        """Say once that Slurm does not answer, and once that it does again."""
        if silent and not self.silent_since:
            self.silent_since = time.time()
            self.logger.warning("Slurm does not answer (squeue). Jobs go on; it is asked again.")
        elif self.silent_since and not silent:
            away = duration(time.time() - self.silent_since)
            self.logger.info(f"Slurm answers again, after {away}.")
            self.silent_since = 0.0

    def end(self, job: Any, state: str) -> str:
        """The state with which a job has ended; empty while it goes on, or may."""
        number = job.external_jobid
        # Of jobs that share one each may have an end of its own, which is seen a little later.
        if state not in DOUBTFUL and not (state in ENDED and "shared" in job.aux):
            self.since.pop(number, None)
            return state if state in ENDED or state == "COMPLETED" else ""
        now = time.time()
        doubted = now - self.since.setdefault(number, now)
        # As long as a shared disk may take to show what the job has done.
        if doubted < self.workflow.execution_settings.latency_wait:
            return ""
        slurm.cancel([number])  # whatever it is, it is not to run beside the next attempt
        return state

    async def whole(self, job: Any) -> bool:
        """True if a job has made all its files, which lose the mark of its start only then."""
        there = all([await path.exists() for path in job.output])
        return there and not await self.workflow.persistence.incomplete(job)

    def fail(self, job: Any, state: str) -> None:
        """Report a job that has failed, and leave in its log how Slurm says that it ended."""
        log = Path(job.aux["slurm_logfile"])
        if "shared" in job.aux and not shared_jobs.own_end(job):
            slurm.copy_end(job.aux["shared"], log)
        unseen = [slurm.NO_LOG] if state == "FAILED" and not log.exists() else []
        for line in (f"job {job.external_jobid} ended: {state}", *unseen):
            slurm.note(log, line)
        said = f"Slurm job {job.external_jobid} ended as {state}. "
        self.report_job_error(job, msg=said, aux_logs=[str(log)])

    def cancel(self) -> None:
        """End all jobs, and send no more."""
        self.stopping.set()
        self.ending.set()
        super().cancel()

    def cancel_jobs(self, active_jobs: list[Any]) -> None:
        """As the plugin's, each Slurm job once."""
        super().cancel_jobs(list({job.external_jobid: job for job in active_jobs}.values()))

    def run_jobs(self, jobs: list[Any]) -> None:
        """Send jobs; those that may share one when enough have come, or no more come."""
        shared = [job for job in jobs if shared_jobs.most(job) > 1]
        super().run_jobs([job for job in jobs if job not in shared])
        for job in shared:
            self.run_job_pre(job)
            self.gathering.add(job)
        if shared:
            self.send_gathered()
            later = threading.Timer(shared_jobs.PAUSE + 1, self.send_gathered)
            later.daemon = True
            later.start()

    def send_gathered(self) -> None:
        """Let jobs be sent that wait for no others, while Snakemake goes on."""
        for job in self.gathering.ready() if not self.stopping.is_set() else ():
            self._job_submission_executor.submit(self.run_job, job)

    def format_job_exec(self, job: Any) -> str:
        """Command of a Slurm job: Snakemake for one job, `side_by_side` for several."""
        if not isinstance(job, Shared):
            return super().format_job_exec(job)
        # Not by a Snakemake that starts each as a step: all together are one.
        step = self.additional_general_args()
        commands = {
            str(self.logs(one)): self.format_job_exec(one).replace(step, "") for one in job.jobs
        }
        return shared_jobs.command(job, commands, Path(self.tmpdir))

    def run_job(self, job: Any) -> None:
        """Send a job; while Slurm is away or has no room for it, again and again."""
        began, pause = time.monotonic(), PAUSES[0]
        for one in members(job):
            slurm.keep_logs(self.logs(one), one.log)
        refusal, send = "", True
        while not self.stopping.is_set():
            if send:
                self.sending.refusal = ""
                super().run_job(job)
                refusal, self.sending.refusal = self.sending.refusal, None
            if not refusal:
                break
            self.logger.warning(f"Not sent yet, again in {pause} s: {refusals.in_short(refusal)}")
            self.ending.wait(pause)
            pause = min(2 * pause, PAUSES[1])
            send = self.strays_cancelled(job)
            if self.ending.is_set() or time.monotonic() - began > LONGEST:
                self._report_job_error_threadsafe(SubmittedJobInfo(job), refusal)
                return

    def strays_cancelled(self, job: Any) -> bool:
        """Cancel what a send that was said to have failed has put into the queue all the same.

        False until Slurm says that nothing is there: to send the job again might double it.
        """
        name = shared_jobs.comment(members(job))
        rows = slurm.told("squeue", "-h", f"--name={self.run_uuid}", "-o", "%i|%k|%T")
        if rows is None:
            return False
        with self.lock:
            known = {each.external_jobid for each in self.active_jobs}
        found = (row.split("|")[:2] for row in rows)
        strays = [number for number, what in found if what == name and number not in known]
        slurm.cancel(strays)
        return not strays

    def report_job_submission(self, job_info: Any, register_job: bool = True) -> None:
        """As the plugin's; what was said of an earlier refusal is of the past."""
        for each in shared_jobs.apart(job_info):
            (self.logs(each.job) / slurm.REFUSED).unlink(missing_ok=True)
            super().report_job_submission(each, register_job=register_job)

    def _report_job_error_threadsafe(self, job_info: Any, msg: str) -> None:
        """Of a job that was not sent: a refusal that passes is kept for `run_job`, others noted."""
        if getattr(self.sending, "refusal", None) is not None and re.search(refusals.PASSING, msg):
            self.sending.refusal = msg
            return
        for each in shared_jobs.apart(job_info):
            slurm.note(self.logs(each.job) / slurm.REFUSED, f"not sent: {refusals.in_short(msg)}")
            super()._report_job_error_threadsafe(each, msg)

    def logs(self, job: Any) -> Path:
        """Folder of the logs of the Slurm jobs that a job has had."""
        return self.slurm_logdir / f"rule_{job.name}" / get_job_wildcards(job)

    def get_account_arg(self, job: Any) -> Any:
        """As the plugin's, which asks sacctmgr for each job; here once for each account."""
        asked = str(job.resources.get("slurm_account") or "")
        if asked not in self.accounts:
            self.accounts[asked] = next(super().get_account_arg(job))
        yield self.accounts[asked]


async def lines(command: str) -> list[list[str]] | None:
    """Rows of three columns that Slurm prints; None if it does not answer."""
    process = await asyncio.create_subprocess_shell(
        f"exec {command}", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        text, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    found = [line.strip().split("|") for line in text.decode().splitlines()]
    return None if process.returncode else [row for row in found if len(row) == 3]
