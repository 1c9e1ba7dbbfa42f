"""What clusters do to trainings, and what is said of it and done about it."""

import copy
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter

import pytest
import slurm
from sites import STUDY, Site

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="session")
def cluster():
    """A Slurm of two nodes; nothing of it is left at the end."""
    if slurm.missing():
        pytest.skip(f"no Slurm here: {', '.join(slurm.missing())} not found (.ci/run installs it)")
    cluster = slurm.Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.stop()
    assert not slurm.processes(cluster.base)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Site:
    """The study run on this machine without any fault: prepared data, and the true metrics."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    site = Site(tmp_path_factory.mktemp("undisturbed"), env)
    site.true = site.metrics()
    return site


@pytest.fixture
def site(cluster, undisturbed, tmp_path) -> Site:
    """A folder with the prepared data, in which no cell has been trained."""
    site = Site(tmp_path, cluster.env | {"OMP_NUM_THREADS": "1"})
    site.true = undisturbed.true
    for name in ("results/data", ".snakemake"):
        shutil.copytree(undisturbed.folder / name, tmp_path / name)
    yield site
    left = cluster.jobs()
    if left:
        subprocess.run(["scancel", *left], env=cluster.env)
        cluster.wait(lambda: not cluster.jobs(), "jobs to end")


def of(seeds, **recipe):
    """The study with some seeds, and other settings of its recipe."""
    study = copy.deepcopy(STUDY)
    study["grid"]["seeds"] = list(seeds)
    study["recipes"]["default"] |= recipe
    return study


def jobs_of(cluster) -> dict[str, str]:
    """Each running training's job by its seed."""
    lines = cluster.ask("squeue", "-h", "-tR", "-o%i %k").splitlines()
    return {line.rpartition("_")[2]: line.split()[0] for line in lines if "rule_train" in line}


def pid_of(site, seed) -> int:
    return next(pid for pid, each in site.trainings().items() if each == str(seed))


def test_cells_die_each_in_its_own_way_and_say_so(site, cluster):
    """Killed, cancelled, on a full disk: three ends, three reasons, one report."""
    (site.cell(2) / "predictions").mkdir(parents=True)
    (site.cell(2) / "predictions/.val.parquet.partial").symlink_to("/dev/full")
    run = site.train("--retries", "0")
    site.until(lambda: all("epoch 2/" in site.log(seed) for seed in range(2)))
    seen = site.status("tiny")
    assert "running" in seen and "/40  loss " in seen
    job = jobs_of(cluster)["1"]
    os.kill(pid_of(site, 0), signal.SIGKILL)
    subprocess.run(["scancel", job], env=cluster.env, check=True)
    status, said = site.finish(run)
    assert status != 0
    cells = {cell["seed"]: cell for cell in json.loads(site.status("tiny", "--json"))["tiny"]}
    causes = {seed: cell["cause"] for seed, cell in cells.items()}
    assert causes == {0: "stopped", 1: "cancelled", 2: "disk full"}
    # The last lines of the run name each, with its command.
    for cell in cells.values():
        assert cell["state"] == "failed"
        assert f"rerun: {cell['rerun']}" in said


def test_too_little_memory_asks_for_more_the_next_time(site, cluster):
    site.configure(of([0]))
    status, said = site.finish(site.train("--retries", "0", "--set-resources", "train:mem_mb=200"))
    assert status != 0
    assert "out of memory" in site.status("tiny", "--failed")
    run = site.train()
    site.until(cluster.jobs)
    assert "mem_mb=16000" in site.said()
    status, said = site.finish(run)
    assert status == 0, said


def test_snakemake_is_killed_and_the_same_command_trains_nothing_twice_at_once(site, cluster):
    run = site.train()
    site.until(lambda: all("epoch 2/" in site.log(seed) for seed in range(2)))
    run.kill()
    run.wait(120)
    assert cluster.jobs("train")
    run = site.train()
    most = Counter()
    while run.poll() is None:
        most |= Counter(site.trainings().values())
        time.sleep(0.3)
    assert run.returncode == 0, site.said()
    assert set(most.values()) <= {1}, most
    assert "an earlier snakemake left in the queue" in site.said()
    assert site.metrics() == site.true


REFUSED = [
    ("slurm_partition", ["train:slurm_partition=nope"]),
    ("gpu_model", ["train:gpu_model=h100"]),
    ("runtime", ["train:slurm_partition=short", "train:runtime=600"]),
    ("mem_mb", ["train:mem_mb=999999"]),
]


@pytest.mark.parametrize(("setting", "asked"), REFUSED, ids=[name for name, _ in REFUSED])
def test_what_the_cluster_refuses_is_one_line_before_any_job(site, cluster, setting, asked):
    status, said = site.finish(site.train("--set-resources", *asked))
    assert status != 0
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert f"`{setting}`" in line and "rule train" in line
    assert "Traceback" not in said and "submitted" not in said
