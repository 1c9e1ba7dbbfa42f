"""Jobs that Slurm would refuse, before the first is sent: the setting to blame, the remedy."""

import re
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

from cxrgrid.cluster import head_job, patience, slurm
from cxrgrid.cluster.run_config import profile
from cxrgrid.cluster.site_survey import Partition, Site, survey

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
SUMMED = ("mem_mb", "set-threads: train")  # settings of which cells that share a job ask for all
# What a site may insist on, by a word of its refusal: to blame where no part is.
WANTED = {"account": "slurm_account", "partition": "slurm_partition"}
# Refusals of sbatch that pass: too many jobs of mine in the queue, or a Slurm that is busy or away.
PASSING = (
    r"Max\w*Submit|temporarily unable|[Ss]ocket timed out|[Uu]nable to contact slurm controller"
    r"|Connection (refused|timed out)|Zero Bytes were transmitted|Unexpected message received"
    r"|Resource temporarily unavailable|not in the correct state|Slurm backup controller"
    r"|error message was ''"  # of one that had to be ended, as Slurm was mute
)
PREFIX = r"^(\w+: )?(error: |allocation failure: )?"  # of the line in which sbatch refuses


def check(executor: Any, job: Any, head: str = "") -> None:
    """End with one line that names the setting or what is missing, if Slurm refuses a job.

    head: id of the job in which this Snakemake runs, if it is one.
    """
    try:
        command = request(executor, job)
    except Exception as error:  # the plugin's own checks: account, formats
        sys.exit(f"error: Slurm would refuse rule {job.rule.name}: {' '.join(str(error).split())}")
    said = refusal(command)
    if not said:
        head_job.check(command, job.rule.name, head, profile_file())
        return
    where = f"Slurm refuses the jobs of rule {job.rule.name} ({said})"
    if queues(command):
        print(
            f"warning: Slurm would not start the jobs of rule {job.rule.name} now ({said}): nodes "
            "are down or reserved. They are sent, and wait.",
            file=sys.stderr,
        )
        return
    found = {setting: re.search(part, command) for part, setting in PARTS.items()}
    sent = {setting: part[0] for setting, part in found.items() if part}
    passes = (name for name in sent if not refusal(command.replace(sent[name], "")))
    wanted = (WANTED[word] for word in WANTED if word in said.lower())
    setting = next(chain(passes, wanted), "")
    if not setting:
        sys.exit(f"error: {where}: {command}")
    lacking = {"gpu_model": missing_gpu, "slurm_account": missing_account}.get(setting)
    missing = lacking(command, survey()) if lacking else ""
    together = len(getattr(job, "jobs", ())) > 1 and setting in SUMMED
    change = f"`{setting}` or `cells_per_gpu`" if together else f"`{setting}`"
    remedy = missing or f"change {change} in {profile_file()}"
    sys.exit(f"error: {where}: {remedy} (sent: {sent.get(setting, 'none').strip()})")


def profile_file() -> str:
    """The file in which a user writes what a cluster wants."""
    named = profile(sys.argv)
    folder = named[1] if named and named[1] != "slurm" else "profiles/slurm"
    return folder if Path(folder).is_file() else f"{folder}/config.yaml"


def missing_gpu(command: str, site: Site) -> str:
    """Sentence about GPUs that a job asks for where there are none such; empty of other jobs."""
    here = partition_of(command, site)
    asked = re.search(r"--(?:gpus=|gres=gpu:)([\w.-]*[A-Za-z][\w.-]*)", command)
    model = asked[1] if asked else ""
    if here and (model in here.gpus if model else here.gpus):
        return ""  # then it is another thing that is missing
    what = f"no GPU {model}" if model else "no GPU"
    lacking = f"partition {here.name} has {what}" if here else f"the cluster has {what}"
    there = site.for_gpus(model=model)
    if there:
        kinds = ", ".join(filter(None, there.gpus)) or "some"
        pays = "" if " -A " in command else site.payer(there)
        more = f" and `slurm_account: {pays}`" if pays else ""
        line = (
            f"write `slurm_partition: {there.name}`{more} under `explain: &gpu` in {profile_file()}"
        )
        return f"{lacking}, partition {there.name} has ({kinds}): {line}"
    kinds = sorted({kind for each in site.partitions for kind in each.gpus if kind})
    if model and kinds:
        line = f"change `gpu_model` in {profile_file()}; there are: {', '.join(kinds)}"
        return f"{lacking}: {line}"
    return ""


def missing_account(command: str, site: Site) -> str:
    """Sentence about the account of mine that a job's partition wants; empty if it is another."""
    pays = site.payer(partition_of(command, site))
    if not pays or f" -A {pays} " in command:
        return ""
    place = "explain: &gpu" if re.search("--(gpus|gres)=", command) else "default-resources:"
    return f"write `slurm_account: {pays}` under `{place}` in {profile_file()}"


def partition_of(command: str, site: Site) -> Partition | None:
    """The partition for which a job asks, or gets."""
    named = re.search(r" -p (\S+)", command)
    return site.partition(shlex.split(named[1])[0]) if named else site.default()


def request(executor: Any, job: Any) -> str:
    """The sbatch command with which the plugin would send a job, without the job."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command

    from cxrgrid.cluster.slurm_executor import gpus

    facts = {"run_uuid": executor.run_uuid, "slurm_logfile": "/dev/null", "comment_str": ""}
    facts |= {"account": next(executor.get_account_arg(job))}
    facts |= {"partition": executor.get_partition_arg(job), "workdir": str(Path.cwd())}
    settings = executor.workflow.executor_settings
    return get_submit_command(job, facts, settings=settings) + gpus(job)


def refusal(command: str) -> str:
    """Why Slurm would refuse a job; empty if it would not."""
    done = tried(f"{command} --test-only --wrap true")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return re.sub(PREFIX, "", lines[-1]) if done.returncode and lines else ""


def queues(command: str) -> bool:
    """True if Slurm takes a job all the same: nodes that are drained or reserved will be back.

    `--test-only` speaks of now alone. A job that does nothing is sent, and taken away again; on
    hold it would be taken whatever it asks for.
    """
    done = tried(f"{command} --wrap true")
    slurm.cancel(re.findall(r"\d+", done.stdout)[:1] if done.returncode == 0 else [])
    return done.returncode == 0


def tried(call: str) -> subprocess.CompletedProcess[str]:
    """A call of sbatch when it has ended; ends this process if Slurm does not answer."""
    done = patience.run(call, patience.LONG)
    if done is None:
        sys.exit("error: Slurm does not answer (sbatch); the same command again when it does")
    return done


def in_short(refusal: str) -> str:
    """Sbatch's own words, of those of the plugin about a job that was not sent."""
    said = re.search(r"error message was '(.*?)'\.", refusal, re.S)
    return " ".join((said[1] if said else refusal).split()) or "Slurm does not answer (sbatch)"
