"""A tiny study in a folder of its own, run with a cluster or without one."""

import copy
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import slurm
import yaml

ROOT = Path(__file__).parents[2]
RECIPE = {"epochs": 40, "batch_size": 8, "channels": 1}
STUDY = {
    "study": "tiny",
    "datasets": {
        "ward": {
            "adapter": "nih",
            "phantom": {"patients": 40, "size": 64, "seed": 1},
            "labels": ["Effusion", "Cardiomegaly"],
            "image": {"size": 32},
        }
    },
    "recipes": {"default": RECIPE},
    "report": {"resamples": 100},
    "grid": {"datasets": ["ward"], "backbones": ["test_resnet"], "seeds": [0, 1, 2]},
}
SEEDS = STUDY["grid"]["seeds"]
CELLS = "results/tiny/cells/ward/test_resnet/scratch/default"
# As typed, but for what makes tests quick on two cores.
QUICK = ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10"]
QUICK += ["--set-threads", "train=1"]
QUICKLY = str(Path(__file__).with_name("quick.py"))


def of(seeds, **recipe):
    """The study with some seeds, and other settings of its recipe."""
    study = copy.deepcopy(STUDY)
    study["grid"]["seeds"] = list(seeds)
    study["recipes"]["default"] |= recipe
    return study


class Site:
    """A folder with the workflow, as cloned, and the study; on a cluster or without one."""

    def __init__(self, folder: Path, env: dict[str, str], study: dict = STUDY):
        self.folder, self.env = folder, env
        for name in ("Snakefile", "workflow", "profiles"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "slurm").mkdir()
        (folder / "slurm/config.yaml").write_text(on_cpu((ROOT / "slurm/config.yaml").read_text()))
        self.process: subprocess.Popen | None = None
        self.configure(study)

    def configure(self, study: dict) -> None:
        """Write the study that the next run reads."""
        (self.folder / "study.yaml").write_text(yaml.safe_dump(study))

    def start(self, *arguments: str, **more: str) -> subprocess.Popen:
        """Start snakemake as a user would; SIGINT works on it as from a keyboard."""
        command = [sys.executable, QUICKLY, *arguments, "--configfile", "study.yaml"]
        with (self.folder / "said.txt").open("w") as said:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.env | more,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
        return self.process

    def kill(self) -> bool:
        """True if the last snakemake still ran; it is then ended."""
        if self.process is None:
            return False
        running = self.process.poll() is None
        self.process.kill()
        self.process.wait(60)
        return running

    def train(self, *arguments: str, **more: str) -> subprocess.Popen:
        """Start all trainings on the cluster: the command that every fault repeats."""
        words = ["--profile", "slurm", *QUICK, "--until", "train", "study", *arguments]
        return self.start(*words, **more)

    def run(self, *arguments: str, seconds: float = 900) -> tuple[int, str]:
        """Run snakemake to its end: exit status and what it said."""
        process = self.start(*arguments)
        return self.finish(process, seconds)

    def finish(self, process: subprocess.Popen, seconds: float = 900) -> tuple[int, str]:
        """Wait for a snakemake; kill it and fail if it takes too long."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"snakemake did not end: {self.said()}") from None
        return process.returncode, self.said()

    def said(self) -> str:
        """Output of the last snakemake."""
        return (self.folder / "said.txt").read_text()

    def logged(self) -> str:
        """The last snakemake's whole log, with the resources of each job."""
        logs = sorted((self.folder / ".snakemake/log").glob("*.snakemake.log"))
        return logs[-1].read_text()

    def metrics(self) -> bytes:
        """Score and collect here, without the cluster: metrics.csv."""
        path = "results/tiny/report/metrics.csv"
        status, said = self.run(path, "--cores", "2")
        assert status == 0, said
        return (self.folder / path).read_bytes()

    def cell(self, seed: int) -> Path:
        """A cell's folder."""
        return self.folder / CELLS / f"seed{seed}"

    def log(self, seed: int) -> str:
        """A cell's train.log, empty where there is none."""
        path = self.cell(seed) / "train.log"
        return path.read_text() if path.is_file() else ""

    def status(self, *arguments: str) -> str:
        """Output of `python -m cxrgrid.status`."""
        command = [sys.executable, "-m", "cxrgrid.status", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True
        )
        return done.stdout + done.stderr

    def trainings(self) -> dict[int, str]:
        """Processes that train cells of this folder: the seed of each, by pid."""
        found = slurm.processes(self.env["SLURM_CONF"].removesuffix("/slurm.conf"))
        words = {pid: text.split() for pid, text in found.items()}
        ours = {pid: text for pid, text in words.items() if text[1:3] == ["-m", "cxrgrid.train"]}
        outs = {pid: text[text.index("--out") + 1] for pid, text in ours.items()}
        here = {pid: out for pid, out in outs.items() if cwd(pid) == self.folder}
        return {pid: out.rpartition("seed")[2] for pid, out in here.items()}

    def answers(self, seeds: list[int] = SEEDS) -> dict[str, bytes]:
        """Predictions of the trainings, as bytes."""
        folders = [self.cell(seed) / "predictions" for seed in seeds]
        paths = [folder / f"{name}.parquet" for folder in folders for name in ("val", "ward")]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def until(self, done, seconds: float = 400) -> None:
        """Wait until `done()`."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)


def on_cpu(profile: str) -> str:
    """A profile's text, for a cluster whose GPUs are pretended: torch would find none."""
    assert profile.count("    nodes: 1") == 1
    return profile.replace("    nodes: 1", "    device: cpu\n    nodes: 1")


def cwd(pid: int) -> Path | None:
    """Working folder of a process; None if it has ended."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def under_way(site, seeds=SEEDS, epoch=2) -> None:
    """Wait until cells have a state and train on."""
    site.until(lambda: all(f"epoch {epoch}/" in site.log(seed) for seed in seeds))


def finish_watched(site, run) -> tuple[int, str]:
    """The run's end; no cell has been trained by two processes at once meanwhile."""
    most, end = Counter(), time.monotonic() + 900
    while run.poll() is None and time.monotonic() < end:
        most |= Counter(site.trainings().values())
        time.sleep(0.2)
    assert set(most.values()) <= {1}, most
    return site.finish(run, 1)
