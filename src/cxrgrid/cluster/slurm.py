"""Slurm's records of this folder's jobs: the queue, and the ends of finished jobs.

Every question has an answer without Slurm too: nothing.
"""

import contextlib
import glob
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrgrid.cluster import patience
from cxrgrid.io.account import user_name

LOGS = Path("logs/slurm")  # slurm-logdir in profiles/slurm; below it a folder for each study
NAME = "cxrgrid"  # slurm-jobname-prefix in profiles/slurm
OWN = "cxrgrid: "  # begins our own lines in a job's log
REFUSED = "refused.log"  # beside the logs of a job: why Slurm did not take the last one
ANY = "*"  # study of a step that serves all: those of the data
SHARED = "shared"  # folder of the logs of Slurm jobs that several jobs share
END = ".end"  # of the file, beside a job's own log, that says how it ended in a shared one
MUTE: dict[str, float] = {}  # commands that gave no answer, and when one is asked again
NAMES = "_wildcards_"  # between a rule and the wildcards, in a job's name

# What slurmd writes at the end of a job's log, and the cause that it means.
ENDS = {
    r"DUE TO TIME LIMIT": "time limit",
    r"oom.kill|[Oo]ut.[Oo]f.[Mm]emory|(?i:exceeded .*memory limit)": "out of memory",
    r"DUE TO NODE FAILURE|NODE_FAIL": "node failure",
    r"DUE TO PREEMPTION": "preempted",
    r"CANCELLED AT": "cancelled",
}
# What a job's log says that never came to its command: shell and system, before Snakemake.
UNBEGUN = {
    r"^\S*(slurm_script|sh|srun)\b.*\bpython[\w.]*: .*(not found|No such file|[Pp]ermission denied)"
    r"|^\S+python\S*: .*No module named": "no Python environment on the node",
    r"^\S*(slurm_script|sh|srun)\b.*(not found|No such file|[Pp]ermission denied)": "command "
    "missing on the node",
    r"couldn't chdir|could not chdir": "folder not seen by the node",
}
# What Snakemake says in a job's log where the command itself ended well, or could not write.
FAULTS = {
    r"No space left|Errno 28|Disk quota exceeded": "disk full",
    r"Read-only file system": "read-only disk",
    r"MissingOutputException|missing after \d+ seconds|steps \(100%\) done": "output late",
}
# What else Snakemake ends with, of itself and not of the command.
ERROR = {r"^error: |^(?!CalledProcess|Rule|Workflow)\w+(Error|Exception)\b": "error"}
NO_LOG = "the job wrote no log: its node may not see this folder"
LEFT, HELD = "LOST", "HELD"  # states of ours: Slurm has no record, or will not start it again
STATES = {
    LEFT: "lost by Slurm",
    HELD: "held by Slurm",
    "TIMEOUT": "time limit",
    "OUT_OF_MEMORY": "out of memory",
    "NODE_FAIL": "node failure",
    "BOOT_FAIL": "node failure",
    "PREEMPTED": "preempted",
    "CANCELLED": "cancelled",
}


@dataclass(frozen=True)
class Job:
    """A job in the queue. run: its Snakemake's name; what: rule, wildcards; seconds: it has run."""

    number: str
    run: str
    what: str
    state: str
    reason: str
    seconds: float

    def of(self, study: str) -> bool:
        """True if a run of a study has sent it."""
        return self.study == study

    @property
    def study(self) -> str:
        """The study whose run has sent it."""
        return self.run.partition("_")[2].rpartition("_")[0]

    def over(self, folder: Path) -> bool:
        """True if it shares a Slurm job and has ended, while others of it may go on."""
        place = self.what.replace(NAMES, "/", 1)
        return (folder / LOGS / self.study / place / f"{self.number}{END}").exists()


def ask(*command: str) -> list[str]:
    """The lines that a command prints; none where it is not there, fails, or does not answer.

    What has not answered for long is not asked again for as long: each question would cost that.
    """
    return [] if time.monotonic() < MUTE.get(command[0], 0) else told(*command) or []


def told(*command: str) -> list[str] | None:
    """The lines that a command prints; None where it is not there, fails, or does not answer."""
    began = time.monotonic()
    done = patience.run(command)
    if time.monotonic() - began >= patience.PATIENCE:
        MUTE[command[0]] = time.monotonic() + patience.PATIENCE
    return None if done is None or done.returncode else done.stdout.splitlines()


def answers() -> bool:
    """True if Slurm answers at present; an empty queue alone does not tell."""
    done = patience.run(["sinfo", "-h"], patience.LONG)
    return done is not None and not done.returncode


def must_answer() -> None:
    """End a run that cannot know what is in the queue: a cell would be trained twice at once."""
    if not answers():
        sys.exit("error: Slurm does not answer (sinfo); the same command again when it does")


def over(job: str) -> bool:
    """True if Slurm says that a job of mine is no longer in its queue."""
    queued = told("squeue", "-h", "-u", user_name(), "-o", "%A")
    return queued is not None and job not in queued


def queue(folder: Path) -> list[Job]:
    """My jobs that were sent from `folder` and have not ended; also those that share one."""
    return jobs_of(folder, ask(*queue_question()))


def known_queue(folder: Path) -> list[Job] | None:
    """As `queue`; None where there is a Slurm that does not answer."""
    rows = told(*queue_question())
    if rows is None and shutil.which("squeue"):
        return None
    return jobs_of(folder, rows or [])


def mute(folder: Path) -> bool:
    """True where jobs were sent from `folder` to a Slurm that does not answer now."""
    return (folder / LOGS).is_dir() and known_queue(folder) is None


def queue_question() -> list[str]:
    """The command that prints my jobs, in columns."""
    return ["squeue", "-h", "-u", user_name(), "-o", "%i|%j|%k|%T|%r|%M|%Z"]


def jobs_of(folder: Path, lines: list[str]) -> list[Job]:
    """The jobs of a folder among those that Slurm prints."""
    rows = [line.split("|") for line in lines]
    here = [row for row in rows if len(row) == 7 and Path(row[6]) == folder.resolve()]
    ours = [row for row in here if row[1].startswith(NAME)]
    jobs = [Job(*row[:2], what, *row[3:5], clock(row[5])) for row in ours for what in apart(row[2])]
    return [job for job in jobs if not job.over(folder)]


def apart(names: str) -> list[str]:
    """Each job's `what`, of a comment; jobs that share one are `rule_train_wildcards_a b c`."""
    first, _, others = names.partition(" ")
    rule = first.partition(NAMES)[0]
    return [first, *(f"{rule}{NAMES}{other}" for other in others.split())]


def clock(text: str) -> float:
    """Seconds of Slurm's `[days-][[hours:]minutes:]seconds`; 0 where it says nothing."""
    days, _, rest = text.rpartition("-")
    seconds = 0
    for part in rest.split(":"):
        seconds = seconds * 60 + (int(part) if part.isdigit() else 0)
    return seconds + 86400 * (int(days) if days.isdigit() else 0)


def job_name(rule: str, wildcards: Sequence[str]) -> str:
    """A job's `what`, as Snakemake's plugin writes it into the job's comment."""
    names = named(wildcards)
    return f"rule_{rule}{NAMES}{names}" if names else f"rule_{rule}"


def named(wildcards: Sequence[str]) -> str:
    """The wildcards of a job in the names that Snakemake's plugin gives it."""
    return "_".join(wildcards).replace("/", "_")


def logs(study: str, rule: str, wildcards: Sequence[str]) -> list[Path]:
    """The logs of all jobs that a rule's wildcards have had in a study, the newest job last."""
    found = LOGS.glob(f"{study}/rule_{rule}/{glob.escape(named(wildcards))}/*.log")
    return sorted(found, key=lambda path: (path.name == REFUSED, number(path)))


def number(log: Path) -> int:
    """Id of the job that wrote a log; 0 of none."""
    return int(re.sub(r"\D", "", log.stem) or 0)


def end_of(log: Path) -> list[str]:
    """The last lines of a job's log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return file.read().decode(errors="replace").splitlines()


def ending(log: Path) -> tuple[str, str]:
    """The cause that a job's log names, and the line that does; empty where it names none."""
    lines = end_of(log)
    for line in reversed(lines):
        for pattern, cause in ENDS.items():
            if line.startswith(("slurmstepd", "srun", "slurmd")) and re.search(pattern, line):
                return cause, re.sub(r"^[\w-]+: (error: )?", "", line).strip("* ")
    said = next((line.removeprefix(OWN) for line in reversed(lines) if line.startswith(OWN)), "")
    if said.startswith("not sent: "):
        return "refused by Slurm", said
    cause = "folder not seen by the node" if said == NO_LOG else ""
    cause = cause or STATES.get(said.rpartition(" ")[2], "")
    return cause, said if cause else ""


def fault(log: Path, faults: dict[str, str]) -> tuple[str, str]:
    """Cause in a job's log, and its line; of the last that has any. faults: causes by patterns."""
    for line in reversed(end_of(log)):
        for pattern, cause in faults.items():
            if re.search(pattern, line):
                return cause, f"{cause}: {line.strip().removeprefix('error: ')[:300]}"
    return "", ""


def note(log: Path, text: str) -> None:
    """Add a line of ours to a job's log; a full disk is not its concern."""
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w" if log.name == REFUSED else "a") as file:
            file.write(f"{OWN}{text}\n")


def keep_logs(folder: Path, logs: Sequence[str]) -> None:
    """Copy a command's logs, which it begins anew when it runs again, beside those of its jobs.

    They are named after the last job: 7.train.txt beside 7.log.
    """
    last = max(folder.glob("*.log"), key=number, default=None)
    for log in map(Path, logs if last else ()):
        with contextlib.suppress(OSError):
            if not log.stat().st_size:  # of a command that never began
                continue
            shutil.copyfile(log, folder / f"{last.stem}.{log.stem}.txt")


def copy_end(log: Path, other: Path) -> None:
    """Add the end of one log to another: what Slurm says of a job that several share."""
    with contextlib.suppress(OSError):
        lines = end_of(log)
        with other.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))


def states(numbers: list[str]) -> dict[str, str]:
    """{job number: cause of its end}, from the queue, and from accounting if there is any."""
    if not numbers:
        return {}
    listed = ",".join(numbers)
    lines = ask("sacct", "-nXP", "-j", listed, "-o", "JobID,State")
    lines += ask("squeue", "-h", "--states=all", "-j", listed, "-o", "%i|%T")
    # sacct says who: `CANCELLED by 1000`.
    pairs = (re.split(r"[| ]", line)[:2] for line in lines if "|" in line)
    return {number: STATES[state] for number, state in pairs if state in STATES}


def cancel(numbers: list[str]) -> None:
    """End jobs; Slurm asks them to stop first, and a training saves its state."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if numbers:
            subprocess.run(["scancel", *numbers], capture_output=True, timeout=120)
