"""A storm of faults over a small grid on a real Slurm; it must end as if there had been none.

The same snakemake command is given until it ends well; as long as faults are left, the grid is then
trained anew from nothing. Each time `metrics.csv` must be that of an undisturbed run, no cell may
be trained by two processes at once, and at the end nothing may be left. The seed decides which
faults come, and when.

Example:
  python tests/cluster/chaos.py --seed 1 --faults 20
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import slurm
from sites import Site

TIRES = 30  # runs without a good end


class Storm:
    """Faults that befall a site and its cluster; each method is one, and says what it did.

    A fault that finds nothing to befall returns an empty text, and does not count.
    """

    KINDS = (
        "training_killed",
        "training_stopped",
        "job_cancelled",
        "time_limit",
        "disk_full",
        "slurmd_killed",
        "node_lost",
        "slurmctld_restarted",
        "slurmctld_away",
        "job_forgotten",
        "snakemake_interrupted",
        "snakemake_terminated",
        "snakemake_killed",
    )

    def __init__(self, site: Site, cluster: slurm.Cluster, seed: int, faults: int):
        self.site, self.cluster, self.chance = site, cluster, random.Random(seed)
        # Each kind comes before any comes again.
        rounds = -(-faults // len(self.KINDS))
        kinds = [self.chance.sample(self.KINDS, len(self.KINDS)) for _ in range(rounds)]
        self.left = [kind for each in kinds for kind in each][:faults]
        self.began = time.monotonic()

    def blow(self) -> None:
        """Runs and faults in turn, until no fault is left and the last run has ended well."""
        runs = 0
        while True:
            ended = self.run()
            runs += 1
            self.say(f"snakemake ended with {ended}")
            if ended == 0:
                same = self.site.metrics() == self.site.true
                self.say("metrics.csv is " + ("that of an undisturbed run" if same else "ANOTHER"))
                assert same, self.site.folder
                if not self.left:
                    break
                shutil.rmtree(self.site.folder / "results/tiny")
                shutil.rmtree(self.site.folder / "logs")
                runs = 0
            assert runs < TIRES, self.site.said()
        self.cluster.wait(lambda: not self.cluster.jobs(), "the last jobs to leave")
        assert not self.site.trainings()

    def run(self) -> int:
        """One snakemake, and what befalls it; its exit status."""
        process = self.site.train()
        due = time.monotonic() + self.chance.uniform(1, 6)
        until = time.monotonic() + 400
        while process.poll() is None:
            assert time.monotonic() < until, self.site.said()
            trained = list(self.site.trainings().values())
            assert len(trained) == len(set(trained)), f"trained twice at once: {trained}"
            if self.left and trained and time.monotonic() > due:
                done = getattr(self, self.left[0])()
                if done:
                    self.say(f"{self.left.pop(0).replace('_', ' ')}: {done}")
                due = time.monotonic() + self.chance.uniform(1, 6)
            time.sleep(0.2)
        return process.returncode

    def say(self, text: str) -> None:
        """A line of the story."""
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def training(self) -> tuple[int, str]:
        """A process that trains, and its cell's seed."""
        found = sorted(self.site.trainings().items())
        return self.chance.choice(found) if found else (0, "")

    def hit(self, number: int, pid: int, what: str) -> str:
        """Send a signal, if there is still somebody to get it."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return ""
        return what

    def training_killed(self) -> str:
        pid, seed = self.training()
        return pid and self.hit(signal.SIGKILL, pid, f"seed {seed}")

    def training_stopped(self) -> str:
        pid, seed = self.training()
        return pid and self.hit(signal.SIGTERM, pid, f"seed {seed}")

    def job(self) -> tuple[str, str]:
        """A job that trains, and its cell's seed."""
        _, seed = self.training()
        return self.cluster.training(f"default_{seed}"), seed

    def job_cancelled(self) -> str:
        job, seed = self.job()
        if job:
            subprocess.run(["scancel", job], env=self.cluster.env)
        return job and f"job {job}, seed {seed}"

    def time_limit(self) -> str:
        job, seed = self.job()
        command = ["scontrol", "update", f"JobId={job}", "TimeLimit=2"]
        done = job and subprocess.run(command, env=self.cluster.env).returncode == 0
        return f"job {job}, seed {seed}" if done else ""

    def disk_full(self) -> str:
        _, seed = self.training()
        if not seed:
            return ""
        partial = self.site.cell(int(seed)) / ".state.pt.partial"
        partial.unlink(missing_ok=True)
        partial.symlink_to("/dev/full")
        return f"seed {seed}"

    def slurmd_killed(self) -> str:
        node = self.chance.choice(slurm.NODES)
        self.cluster.end(node, signal.SIGKILL)
        self.cluster.again(node)
        return node

    def node_lost(self) -> str:
        node = self.chance.choice(slurm.NODES)
        lost = self.cluster.lose(node)
        down = self.chance.random() < 0.5  # or it is back before anybody has noticed
        if down:
            self.cluster.wait(lambda: "down" in self.cluster.nodes().get(node, ""), "the loss")
        self.cluster.again(node)
        return f"{node} with jobs {', '.join(lost) or 'none'}" + (", seen to be down" * down)

    def slurmctld_restarted(self) -> str:
        self.cluster.end("slurmctld")
        time.sleep(self.chance.uniform(0, 3))
        self.cluster.again("slurmctld")
        return "it was away for a moment"

    def slurmctld_away(self) -> str:
        seconds = self.chance.uniform(10, 25)
        self.cluster.end("slurmctld")
        time.sleep(seconds)
        self.cluster.again("slurmctld")
        return f"for {seconds:.0f} s nobody could be asked"

    def job_forgotten(self) -> str:
        job, seed = self.job()
        if job:
            self.cluster.forget(job)
            subprocess.run(["scancel", job], env=self.cluster.env)
        return job and f"job {job}, seed {seed}, cancelled and forgotten"

    def snakemake_interrupted(self) -> str:
        return self.hit(signal.SIGINT, self.site.process.pid, "as by Ctrl-c")

    def snakemake_terminated(self) -> str:
        return self.hit(signal.SIGTERM, self.site.process.pid, "SIGTERM")

    def snakemake_killed(self) -> str:
        return self.hit(signal.SIGKILL, self.site.process.pid, "SIGKILL")


def main() -> None:
    """Start a cluster, run the study undisturbed, then the storm."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, slurm.running() as cluster:
        (Path(name) / "storm").mkdir()
        site = Site(Path(name) / "storm", cluster.env | {"OMP_NUM_THREADS": "1"})
        site.true = site.metrics()
        shutil.rmtree(site.folder / "results/tiny")
        Storm(site, cluster, args.seed, args.faults).blow()
    left = slurm.processes(cluster.base)
    print(f"{args.faults} faults, seed {args.seed}; left over: {left or 'nothing'}")
    sys.exit(bool(left))


if __name__ == "__main__":
    main()
