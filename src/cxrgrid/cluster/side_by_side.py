"""Runs the jobs that share a Slurm job side by side, each with a log and an end of its own.

The sender (`shared_jobs`) writes their commands to a file, by the folders of their logs. When one
has ended, a file beside its log, 7.end beside 7.log, has its state in Slurm's words; then it is not
run again if Slurm sends the whole job back to its queue.

Example (in a Slurm job; what stands behind the file starts this module once more, as a step of it):
  python -m cxrgrid.cluster.side_by_side FILE srun -n1
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cxrgrid.cluster import slurm
from cxrgrid.config.errors import UserError
from cxrgrid.io import forks
from cxrgrid.io.atomic import write_text
from cxrgrid.io.signals import Stop

# Of Slurm's variables, those that say which job this is; others are settings of the job's that a
# step takes for its own, and that can contradict what the step asks for.
KEPT = ("SLURM_JOB_ID", "SLURM_JOBID", "SLURM_CLUSTER_NAME", "SLURM_SUBMIT_DIR", "SLURM_CONF")
SETTINGS = ("SLURM_", "SRUN_", "SBATCH_")
CGROUPS = Path("/sys/fs/cgroup")
SAVES = 60  # seconds that a training may take to save when it is asked to end
SETTLES = 1  # seconds within which a signal to the whole job has reached all its processes


def step(file: str, words: list[str]) -> None:
    """Become the job's only step: Slurm warns the processes of steps before the time limit."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith(SETTINGS)
    }
    own = [sys.executable, "-m", "cxrgrid.cluster.side_by_side", file]
    os.execvpe(words[0], [*words, *own], env)


def run(file: Path, job: str) -> bool:
    """Run all that have not ended yet; True if they have all ended well. job: Slurm's id."""
    well, running, killed = True, {}, out_of_memory()
    with Stop() as stop, forks.serving() as env:
        for logs, command in json.loads(file.read_bytes()).items():
            log = Path(logs) / f"{job}.log"
            if not log.with_suffix(slurm.END).exists():
                process = start(command, log, env)
                running[process.pid] = process, log
        while running:
            pid, status = os.wait()
            if pid not in running:  # the server of the forks: those go on without it
                continue
            _, log = running.pop(pid)
            end_rest(pid)
            state = "COMPLETED"
            if status:
                time.sleep(SETTLES)
                before, killed = killed, out_of_memory()
                well, state = False, "FAILED" if killed == before else "OUT_OF_MEMORY"
            # Asked to end, all end; what has not finished goes on if Slurm starts the job again.
            if not status or stop.signal != signal.SIGTERM:
                with contextlib.suppress(OSError, UserError):  # a full disk ends no other
                    write_text(log.with_suffix(slurm.END), state)
    return well


def start(command: str, log: Path, env: dict[str, str]) -> subprocess.Popen:
    """Start a command in a session of its own, by which all that it starts is known.

    env: added to the environment.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        out = log.open("a")
    except OSError:  # a full disk: then to the log of all
        out = None
    # Slurm's warning before the time limit is the trainer's; a shell would die of it.
    return subprocess.Popen(
        f"trap '' USR1; {command}",
        shell=True,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        start_new_session=True,
    )


def out_of_memory() -> int:
    """Number of processes of this job that were killed for want of memory; 0 if nothing tells."""
    found = 0
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kind, place = line.split(":", 2)
            files = {"": "memory.events", "memory": "memory/memory.oom_control"}  # of v2, of v1
            folder, _, name = files.get(kind, "").rpartition("/")
            path = CGROUPS / folder / place.lstrip("/") / name
            lines = path.read_text().splitlines() if name and path.is_file() else []
            found += sum(int(text.split()[1]) for text in lines if text.startswith("oom_kill "))
    return found


def end_rest(pid: int) -> None:
    """End what an ended command has left running: the next attempt is to run alone.

    Slurm asks all processes at once to end; a shell does so before its training has saved.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
        until = time.monotonic() + SAVES
        while time.monotonic() < until:
            os.killpg(pid, 0)
            time.sleep(0.05)
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    file, *words = sys.argv[1:]
    if words:
        step(file, words)
    sys.exit(not run(Path(file), os.environ["SLURM_JOB_ID"]))
