"""A real Slurm on this machine, for tests: two nodes with two pretended GPUs each.

It lives in a temporary folder, on free ports of the loopback, with its own key and its own commands
(`bin/`, first in PATH). It needs no root, no service manager and nothing in /etc. A watcher kills
whatever was started when its owner ends, however that ends.

Example (a shell in which sbatch, squeue … reach it; it stops with the shell):
  python tests/cluster/slurm.py
"""

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")
CLIENTS = (
    "sbatch",
    "scancel",
    "scontrol",
    "sinfo",
    "squeue",
    "srun",
    "sacct",
    "sacctmgr",
    "sshare",
)
NODES = ("n1", "n2")
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={base}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool-%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd-%n.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=5
MpiDefault=none
SwitchType=switch/none
GresTypes=gpu
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
KillWait=5
OverTimeLimit=0
MinJobAge=300
EnforcePartLimits=ALL
JobRequeue=1
DefMemPerCPU=500
NodeName=DEFAULT CPUs=8 RealMemory=64000 Gres=gpu:a100:2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=DEFAULT Nodes=ALL PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=main Default=YES MaxTime=24:00:00 DefaultTime=00:10:00
PartitionName=short MaxTime=00:30:00 DefaultTime=00:05:00
PartitionName=solo Nodes=n1 MaxTime=24:00:00 DefaultTime=00:10:00
PartitionName=spare PriorityTier=1 PreemptMode=CANCEL MaxTime=24:00:00 DefaultTime=00:10:00
"""


def missing() -> list[str]:
    """Programs of Slurm that this machine lacks."""
    return [name for name in NEEDED if not which(name)]


def which(name: str) -> str | None:
    """Path of a program; daemons lie in folders that are not in every user's PATH."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


class Cluster:
    """The cluster: `start`, `stop`, and what tests do to it."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # sockets: short paths
        self.env = os.environ | {"PATH": f"{self.base}/bin:{os.environ['PATH']}"}
        self.env["SLURM_CONF"] = f"{self.base}/slurm.conf"
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> "Cluster":
        """Write the configuration, start the daemons, wait until both nodes are idle."""
        self.watcher = subprocess.Popen(
            [sys.executable, __file__, "--watch", str(self.base)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.write()
        key = self.base / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
        files |= {"seed-file": "seed"}
        options = [f"--{option}={self.base}/munge.{end}" for option, end in files.items()]
        self.spawn("munged", "--foreground", "--force", *options)
        self.wait(lambda: (self.base / "munge.socket").exists(), "munged")
        self.spawn("slurmctld", "-D")
        for node in NODES:
            self.spawn("slurmd", "-D", "-N", node)
        self.wait(lambda: self.nodes() == dict.fromkeys(NODES, "idle"), "nodes")
        return self

    def write(self) -> None:
        """slurm.conf, gres.conf, the pretended GPUs, and the commands that know of them."""
        sockets = [socket.socket() for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in sockets]
        for each in sockets:
            each.close()
        facts = {"host": socket.gethostname().split(".")[0], "user": getpass.getuser()}
        for name in ("state", "bin", *(f"spool-{node}" for node in NODES)):
            (self.base / name).mkdir()
        (self.base / "slurm.conf").write_text(CONF.format(base=self.base, ports=ports, **facts))
        gres = ""
        for node in NODES:
            for gpu in (0, 1):
                # Some device, or Slurm would count the GPU but not say which it is.
                (self.base / f"{node}-gpu{gpu}").symlink_to("/dev/null")
            gres += f"NodeName={node} Name=gpu Type=a100 File={self.base}/{node}-gpu[0-1]\n"
        (self.base / "gres.conf").write_text(gres)
        # Snakemake strips SLURM_* from a job's environment before its inner srun.
        for name in CLIENTS:
            real = f'exec {which(name)} "$@"'
            if name == "squeue":  # which a test can make forget jobs, as a short MinJobAge does
                real = f'touch {self.base}/forgotten; {which(name)} "$@" >{self.base}/q.$$ || exit'
                real += f"; grep -vxf {self.base}/forgotten {self.base}/q.$$; rm {self.base}/q.$$"
            if name == "sbatch":  # which it can make refuse jobs, with a line of Slurm's
                refusal = f"{self.base}/refusal"
                asked = f'case "$*" in *--test-only*) {real} ;; esac'
                real = f"{asked}; if [ -e {refusal} ]; then cat {refusal} >&2; exit 1; fi; {real}"
            script = f"#!/bin/sh\nexport SLURM_CONF={self.base}/slurm.conf\n{real}\n"
            (self.base / "bin" / name).write_text(script)
            (self.base / "bin" / name).chmod(0o755)

    def spawn(self, name: str, *arguments: str) -> None:
        """Start a daemon in the foreground, below this process."""
        key = arguments[-1] if "-N" in arguments else name
        with (self.base / "daemons.log").open("a") as log:
            self.daemons[key] = subprocess.Popen(
                [which(name), *arguments],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, done, what: str, seconds: float = 60) -> None:
        """Until `done()`; `TimeoutError` with the end of the logs if it does not come."""
        until = time.monotonic() + seconds
        while not done():
            dead = [name for name, each in self.daemons.items() if each.poll() is not None]
            if dead or time.monotonic() > until:
                logs = [
                    f"{log.name}:\n{log.read_text()[-2000:]}" for log in self.base.glob("*.log")
                ]
                raise TimeoutError("\n".join([f"waited {seconds} s for {what}", *logs]))
            time.sleep(0.1)

    def ask(self, *command: str) -> str:
        """Output of a Slurm command; empty if it fails."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def nodes(self) -> dict[str, str]:
        """State of each node."""
        return dict(
            line.split() for line in self.ask("sinfo", "-hN", "-pmain", "-o%N %T").splitlines()
        )

    def jobs(self, rule: str = "", states: str = "PENDING,RUNNING,COMPLETING") -> list[str]:
        """Ids of jobs, of a rule if named, oldest first."""
        lines = self.ask("squeue", "-h", "-o%i %k", "-S", "i", f"--states={states}").splitlines()
        return [line.split()[0] for line in lines if f"rule_{rule}" in line]

    def training(self, cell: str) -> str:
        """The id of the running job that trains a cell, by the end of its name: `default_0`."""
        lines = self.ask("squeue", "-h", "-tR", "-o%i %k").splitlines()
        # The wildcard of the fold stands before the seed, and is empty: `default__0`.
        ours = [line for line in lines if line.replace("__", "_").endswith(f"_{cell}")]
        return ours[0].split()[0] if ours else ""

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """End a daemon: `slurmctld`, or a node's slurmd by the node's name. Jobs go on."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(number)
        daemon.wait(60)

    def again(self, name: str) -> None:
        """Start an ended daemon again."""
        self.spawn(*(("slurmd", "-D", "-N", name) if name in NODES else (name, "-D")))

    def forget(self, job: str) -> None:
        """Slurm knows nothing of a job any more, as after `MinJobAge`."""
        with (self.base / "forgotten").open("a") as file:
            file.write(f"{job}[| ].*\n")

    @contextlib.contextmanager
    def refusing(self, line: str) -> Iterator[None]:
        """Jobs are refused with a line of sbatch's, but not where it is asked with --test-only."""
        refusal = self.base / "refusal"
        refusal.write_text(f"sbatch: error: {line}\n")
        yield
        refusal.unlink()

    def lose(self, node: str) -> list[str]:
        """A node loses its power: its daemon and all that runs on it are gone; the jobs it had."""
        lost = self.ask("squeue", "-h", "-tR", "-o%i", f"-w{node}").split()
        self.end(node, signal.SIGKILL)
        marks = [f"SLURM_JOB_ID={number}".encode() for number in lost]
        titles = tuple(f"slurmstepd: [{number}." for number in lost)
        for number, title in processes(self.base).items():
            with contextlib.suppress(OSError):
                own = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
                if title.startswith(titles) or any(mark in own for mark in marks):
                    os.kill(number, signal.SIGKILL)
        return lost

    def stop(self) -> None:
        """Everything ends: daemons, jobs, what jobs started; the folder goes."""
        with contextlib.suppress(OSError):
            self.watcher.stdin.close()
        self.watcher.wait(60)


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """A cluster that stops with the block; where Slurm is not installed one line says so."""
    if missing():
        sys.exit(f"no Slurm here: {', '.join(missing())} not found; see .ci/run for the packages")
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def processes(base: Path | str) -> dict[int, str]:
    """Processes of the cluster and its users, but for this one: each has its folder in PATH."""
    mark, found = f"{base}/bin:".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes():
                text = (
                    (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                if text:  # not one that has ended and waits for its parent
                    found[int(folder.name)] = text
    return found


def watch(base: Path) -> None:
    """Wait for the owner's end; then kill what bears the cluster's mark, and remove its folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.read()
    for _ in range(50):
        found = processes(base)
        for number in found:
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        if not found:
            break
        time.sleep(0.1)
    if not os.environ.get("KEEP"):
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    if "--watch" in sys.argv:
        watch(Path(sys.argv[-1]))
    else:
        with running() as cluster:
            subprocess.run([os.environ.get("SHELL", "sh")], env=cluster.env)
