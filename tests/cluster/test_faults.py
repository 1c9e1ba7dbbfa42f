"""Trainings survive the faults of a cluster, and the messages say what happened."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slurm
from chaos import Storm
from sites import QUICK, QUICKLY, SEEDS, STUDY, Site, finish_watched, of, on_cpu, under_way

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
def undisturbed(cluster, tmp_path_factory) -> Site:
    """The study run on this machine without any fault: prepared data, and the true metrics."""
    # Not on the cluster; but its commands answer at once, and the plugin asks them when imported.
    site = Site(tmp_path_factory.mktemp("undisturbed"), cluster.env | {"OMP_NUM_THREADS": "1"})
    site.true = site.metrics()
    return site


@pytest.fixture
def site(cluster, undisturbed, tmp_path) -> Site:
    """A folder with the prepared data, in which no cell is trained; nothing may be left over."""
    site = Site(tmp_path, cluster.env | {"OMP_NUM_THREADS": "1"})
    site.true = undisturbed.true
    for name in ("results/data", ".snakemake"):
        shutil.copytree(undisturbed.folder / name, tmp_path / name)
    yield site
    died = site.kill()
    jobs, trainings = cluster.jobs(), site.trainings()
    if jobs:
        subprocess.run(["scancel", *jobs], env=cluster.env)
        cluster.wait(lambda: not cluster.jobs(), "jobs to end")
    assert died or not (jobs or trainings)


def pid_of(site, seed) -> int:
    return next(pid for pid, each in site.trainings().items() if each == str(seed))


def all_fallen(site, blows) -> bool:
    """Strike each cell, by its seed, that is in mid-training; whether that was the last."""
    for seed in [seed for seed in blows if "epoch 2/" in site.log(seed)]:
        blows.pop(seed)()
    return not blows


def test_cells_die_each_in_its_own_way_and_say_so(site, undisturbed, cluster):
    """Killed, cancelled, disk full, NaN, a broken state: each its reason; then all is repaired."""
    study = of(SEEDS)
    study["recipes"]["wild"] = {"lr": 1e30, "optimizer": "sgd", "epochs": 1, "batch_size": 8}
    # Seeds of their own: by these a process is known here.
    wild = study["grid"] | {"recipes": ["wild"], "seeds": [7, 8]}
    study["grid"] = [study["grid"], wild]
    site.configure(study)
    site.cell(2).mkdir(parents=True)
    (site.cell(2) / ".state.pt.partial").symlink_to("/dev/full")
    broken = Path(str(site.cell(8)).replace("default", "wild")) / "state.pt"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"not a state")
    run = site.train("--retries", "0")
    blows = {0: lambda: os.kill(pid_of(site, 0), signal.SIGKILL)}
    blows[1] = lambda: cluster.ask("scancel", cluster.training("default_1"))
    site.until(lambda: all_fallen(site, blows))
    status, said = site.finish(run)
    assert status != 0
    cells = json.loads(site.status("tiny", "--json"))["tiny"]
    causes = {(cell["recipe"], cell["seed"]): cell["cause"] for cell in cells}
    assert [causes["default", seed] for seed in SEEDS] == ["stopped", "cancelled", "disk full"]
    assert [causes["wild", seed] for seed in (7, 8)] == ["NaN", "error"]
    # The last lines of the run name each, with its reason and its command.
    assert "the loss is not finite in epoch 1" in said and "start afresh with --fresh" in said
    for cell in cells:
        assert cell["state"] == "failed"
        assert f"rerun: {cell['rerun']}" in said
    # One of them by the printed command, which runs nothing else; then the rest.
    status, said = site.finish(site.start(*cells[0]["rerun"].split()[1:-4], "--cores", "1"))
    assert status == 0, said
    assert "going on" in site.log(0) and "1 of 1 job done" in said
    site.configure(STUDY)
    status, said = site.finish(site.train())
    assert status == 0, said
    assert site.answers() == undisturbed.answers()


def test_too_little_memory_asks_for_more_the_next_time(site, undisturbed, cluster):
    site.configure(of([0]))
    status, said = site.finish(site.train("--retries", "0", "--set-resources", "train:mem_mb=200"))
    assert status != 0
    assert "out of memory" in site.status("tiny", "--failed")
    status, said = site.finish(site.train())
    assert status == 0, said
    assert "mem_mb=16000" in site.logged()
    assert site.answers([0]) == undisturbed.answers([0])


def held(pid: int) -> bool:
    """True if a process is still stopped by SIGSTOP, and SIGUSR1 has not come."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    facts = {line.split()[0]: line.split()[1] for line in lines if line.split()[1:]}
    masks = [int(facts[name], 16) for name in ("SigPnd:", "ShdPnd:")]
    return facts["State:"] == "T" and not any(m >> (signal.SIGUSR1 - 1) & 1 for m in masks)


def hold(site, seed) -> int:
    """Stop a cell's process in mid-training: Slurm looks at time limits only every 30 s."""
    under_way(site, [seed])
    pid = pid_of(site, seed)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_time_limit_is_seen_coming_and_the_retry_asks_for_more(site, undisturbed, cluster):
    site.configure(of([0]))
    run = site.train()
    pid = hold(site, 0)
    seen = site.status("tiny")
    assert "running" in seen and "/40" in seen
    words = ["update", f"JobId={cluster.training('default_0')}", "TimeLimit=2"]
    subprocess.run(["scontrol", *words], env=cluster.env, check=True)
    site.until(lambda: not held(pid))
    with contextlib.suppress(ProcessLookupError):  # Slurm may have let it go on by itself
        os.kill(pid, signal.SIGCONT)
    site.until(lambda: "stopped by SIGUSR1" in site.log(0))
    status, said = site.finish(run)
    assert status == 0, said
    assert "going on " in site.log(0)
    assert "runtime=30" in site.logged() and "runtime=60" in site.logged()
    assert site.answers([0]) == undisturbed.answers([0])


@pytest.mark.long
def test_a_time_limit_without_a_warning_is_named_and_asks_for_more(site, undisturbed, cluster):
    """No signal before the limit; at it, the training is held, and so cannot save."""
    site.configure(of([0]))
    run = site.train("--retries", "0", "--set-resources", "train:slurm_extra=''")
    hold(site, 0)
    words = ["update", f"JobId={cluster.training('default_0')}", "EndTime=now"]
    subprocess.run(["scontrol", *words], env=cluster.env, check=True)
    status, said = site.finish(run)
    assert status != 0
    assert "time limit: " in said and "DUE TO TIME LIMIT" in said, said
    cluster.wait(lambda: not site.trainings(), "the training to be killed")
    status, said = site.finish(site.train())
    assert status == 0, said
    assert "runtime=60" in site.logged() and "going on after epoch" in site.log(0)
    assert site.answers([0]) == undisturbed.answers([0])


def kept(site) -> list[str]:
    """The logs of trainings that have gone on since."""
    logs = site.folder.glob("logs/slurm/tiny/rule_train/*/*.train.txt")
    return [log.read_text() for log in logs]


@pytest.mark.long
def test_snakemake_is_ended_in_every_way_and_the_same_command_goes_on(site, undisturbed, cluster):
    run = site.train()
    under_way(site)
    run.send_signal(signal.SIGINT)
    status, said = finish_watched(site, run)
    assert status != 0
    cluster.wait(lambda: not cluster.jobs(), "the cancelled jobs")
    run = site.train()
    site.until(lambda: all("going on" in site.log(seed) for seed in SEEDS))
    assert [text.count("epoch 1/") for text in kept(site)] == [1, 1, 1]
    run.kill()
    run.wait(120)
    # Slurm wakes them when it cancels them; else a slow start of Snakemake finds them finished.
    for pid in site.trainings():
        os.kill(pid, signal.SIGSTOP)
    assert cluster.jobs("train")
    run = site.train()
    site.until(lambda: "an earlier snakemake left in the queue" in site.said())
    site.until(lambda: len(site.trainings()) == 3)
    run.send_signal(signal.SIGTERM)
    finish_watched(site, run)
    assert not cluster.jobs()
    status, said = finish_watched(site, site.train())
    assert status == 0, said
    # Of the first run and of the second, which was killed; the third may have ended well.
    assert len(kept(site)) >= 6 and sum("going on" in text for text in kept(site)) >= 3
    assert site.answers() == undisturbed.answers()


def as_job(site, *words: str) -> str:
    """Send the command of `site.train` to Slurm: Snakemake is a job itself; its id."""
    command = [sys.executable, QUICKLY, "--profile", "slurm", *QUICK, "--until", "train", "study"]
    line = shlex.join([*command, "--configfile", "study.yaml"])
    words = ["sbatch", "--parsable", "--cpus-per-task=2", "--mem=1G", "-ohead.txt", *words]
    done = subprocess.run(
        [*words, "--wrap", line], cwd=site.folder, env=site.env, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.long
def test_a_snakemake_that_is_a_job_is_cancelled_and_the_same_command_goes_on(
    site, undisturbed, cluster
):
    """At once, while the first sees its jobs out, or is killed: its end is waited for."""
    head = as_job(site)
    under_way(site)
    cluster.ask("scancel", head)
    status, said = finish_watched(site, site.train())
    assert status == 0 and "Traceback" not in said and "cannot be locked" not in said, said
    assert site.answers() == undisturbed.answers()
    assert not list((site.folder / ".snakemake/locks").glob("*"))


@pytest.mark.long
def test_a_snakemake_that_is_a_job_says_what_it_leaves_no_room_for(site, cluster):
    """In a partition of one node with 8 CPUs, all of which `pixels` asks for; then for six."""
    site.configure(of([0], epochs=2))
    profile, head = site.folder / "slurm/config.yaml", site.folder / "head.txt"
    text = profile.read_text().replace("resources:\n", "resources:\n  slurm_partition: solo\n", 1)
    profile.write_text(text)
    (site.folder / "results/data/ward/pixels.npy").unlink()
    job = as_job(site, "-psolo")
    site.until(lambda: head.is_file() and cluster.jobs("pixels"))
    said = head.read_text()
    assert "warning: Slurm would start the jobs of rule pixels at" in said, said
    assert "`set-threads: pixels: 2`" in said and said.count("warning: Slurm would start") == 1
    cluster.ask("scancel", job)
    profile.write_text(text.replace("set-threads:\n", "set-threads:\n  pixels: 6\n"))
    job = as_job(site, "-psolo")
    site.until(lambda: job not in cluster.ask("squeue", "-h", "-o%A").split())
    said = head.read_text()
    assert "would start the jobs" not in said and (site.cell(0) / "model.safetensors").is_file()


@pytest.mark.long
def test_a_lost_node_and_a_restarted_slurm_cost_no_cell(site, undisturbed, cluster):
    """The run ends well by itself: the lost node's jobs are sent again, and go on."""
    run = site.train()
    under_way(site)
    cluster.end("slurmctld")
    cluster.end("n2", signal.SIGKILL)
    cluster.again("slurmctld")
    cluster.again("n2")
    lost = cluster.lose("n1")
    assert lost
    cluster.wait(lambda: "down" in cluster.nodes().get("n1", ""), "the loss to be seen")
    cluster.again("n1")
    status, said = finish_watched(site, run)
    assert status == 0, said
    cluster.wait(lambda: set(cluster.nodes().values()) == {"idle"}, "both nodes")
    assert site.answers() == undisturbed.answers()


@pytest.mark.long
def test_a_slow_results_folder_costs_time_alone(site, undisturbed, cluster):
    """Each request takes a while, files of other machines are seen late; and a job is cancelled."""
    path = f"{Path(__file__).with_name('slow')}:{os.environ.get('PYTHONPATH', '')}"
    run = site.train(PYTHONPATH=path, SLOW_FOLDER=str(site.folder / "results"))
    under_way(site)
    cluster.ask("scancel", cluster.training("default_1"))
    status, said = finish_watched(site, run)
    assert status == 0, said
    assert "for missing files" in site.logged(), "nothing was late"
    assert "going on" in site.log(1)
    assert site.answers() == undisturbed.answers()


@pytest.mark.parametrize(
    "seconds", [15, *(pytest.param(long, marks=pytest.mark.long) for long in (120, 600))]
)
def test_jobs_that_end_while_slurm_is_away_are_known_to_have_ended(
    site, undisturbed, cluster, seconds
):
    """slurmctld alone, without accounting: for a while nobody can be asked."""
    site.configure(of([0, 1]))
    run = site.train("--retries", "0")
    under_way(site, [0, 1])
    cluster.end("slurmctld")
    time.sleep(seconds)
    # Later, if squeue has just begun to wait for an answer.
    site.until(lambda: "Slurm does not answer" in site.said())
    assert run.poll() is None
    cluster.again("slurmctld")
    status, said = finish_watched(site, run)
    assert status == 0, said
    assert "Slurm answers again" in said
    assert site.answers([0, 1]) == undisturbed.answers([0, 1])


@pytest.mark.long
def test_a_job_that_is_cancelled_for_others_is_sent_again(site, undisturbed, cluster):
    site.configure(of([0]))
    run = site.train("--set-resources", "train:slurm_partition=spare")
    under_way(site, [0])
    words = ["sbatch", "-pmain", "-N2", "--gpus-per-node=2", "-o/dev/null", "--wrap=sleep 5"]
    subprocess.run(words, env=cluster.env, check=True, stdout=subprocess.DEVNULL)
    status, said = finish_watched(site, run)
    assert status == 0, said
    assert "preempted" in said and "going on" in site.log(0)
    assert site.answers([0]) == undisturbed.answers([0])


@pytest.mark.long
def test_a_job_that_slurm_has_forgotten_is_sent_again(site, undisturbed, cluster):
    site.configure(of([0]))
    run = site.train()
    under_way(site, [0])
    job = cluster.training("default_0")
    cluster.forget(job)
    cluster.ask("scancel", job)
    status, said = finish_watched(site, run)
    assert status == 0, said
    assert "again   train" in said and "going on" in site.log(0)
    assert site.answers([0]) == undisturbed.answers([0])


def test_a_job_that_slurm_has_no_room_for_is_sent_later(site, cluster):
    site.configure(of([0], epochs=2))
    with cluster.refusing("QOSMaxSubmitJobPerUserLimit"):
        run = site.train("--retries", "0")
        site.until(lambda: "Not sent yet" in site.said())
        site.configure(of([0], epochs=3))  # which is the next run's
    status, said = site.finish(run)
    assert status == 0, said
    assert "QOSMaxSubmitJobPerUserLimit" in said and "failed" not in said
    assert json.loads((site.cell(0) / "cell.json").read_text())["epochs"] == 2
    assert list((site.folder / "logs/slurm/tiny/rule_train").glob("*/*.log"))


def test_a_site_with_gres_alone(site, cluster):
    site.configure(of([0], epochs=2))
    words = ["train:gres=gpu:1", "train:gpu=0", "train:gpus=1"]
    run = site.train("--set-resources", *words)
    site.until(site.trainings)
    environment = Path(f"/proc/{pid_of(site, 0)}/environ").read_bytes().split(b"\0")
    assert b"CUDA_VISIBLE_DEVICES=0" in environment
    asked = cluster.ask("scontrol", "show", "job", cluster.training("default_0"))
    assert "TresPerNode=gres:gpu:1" in asked and "TresPerJob" not in asked
    status, said = site.finish(run)
    assert status == 0, said
    # No account is asked for, and none guessed.
    assert "guess" not in said.lower()


def together(site, *words, seeds=(0, 1, 2, 3)):
    """Start cells that share one job; once all train, the run and the job."""
    site.configure(of(seeds))
    run = site.train("--set-resources", "train:cells_per_gpu=4", *words)
    under_way(site, seeds)
    return run


def sent(site) -> list[str]:
    """Ids of the jobs that were sent for trainings, oldest first."""
    return sorted({log.stem for log in site.folder.glob("logs/slurm/tiny/rule_train/*/*.log")})


def test_one_of_four_cells_in_a_job_dies_alone_and_is_sent_again(site, undisturbed, cluster):
    run = together(site)
    os.kill(pid_of(site, 1), signal.SIGKILL)
    status, said = finish_watched(site, run)
    assert status == 0, said
    assert ["going on" in site.log(seed) for seed in (0, 1, 2, 3)] == [False, True, False, False]
    assert site.answers() == undisturbed.answers()
    shared, alone = sent(site)
    logs = site.folder / "logs/slurm/tiny/rule_train"
    assert len(list(logs.glob(f"*/{shared}.end"))) == 4 and len(list(logs.glob(f"*/{alone}*"))) == 1


@pytest.mark.long
def test_a_shared_job_that_slurm_starts_again_trains_what_had_not_ended(site, undisturbed, cluster):
    run = together(site, "--retries", "0")
    os.kill(pid_of(site, 1), signal.SIGKILL)
    site.until(lambda: "seed1  failed" in site.status("tiny"))
    (job,) = sent(site)
    cluster.ask("scontrol", "requeue", job)
    status, said = finish_watched(site, run)
    assert status != 0 and sent(site) == [job], said
    assert ["going on" in site.log(seed) for seed in (0, 1, 2, 3)] == [True, False, True, True]
    status, said = finish_watched(site, site.train())
    assert status == 0, said
    assert site.answers() == undisturbed.answers()


@pytest.mark.long
def test_a_shared_job_that_is_cancelled_is_sent_again_as_one(site, undisturbed, cluster):
    run = together(site)
    cluster.ask("scancel", *sent(site))
    status, said = finish_watched(site, run)
    assert status == 0, said
    assert len(sent(site)) == 2 and said.count("cancelled") == 4
    assert all("going on" in site.log(seed) for seed in (0, 1, 2, 3))
    assert len(kept(site)) == 4 and all("epoch 2/" in text for text in kept(site))
    assert site.answers() == undisturbed.answers()


@contextlib.contextmanager
def mounted(*words: str):
    """A disk of the test's own: `mount` with these words, of which the last is the folder."""
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", words[-1]], check=True)


@contextlib.contextmanager
def read_only(folder: Path):
    """A folder as on a disk that has turned read-only; files that are open stay so."""
    with mounted("--bind", str(folder), str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield


@pytest.mark.long
def test_results_that_turn_read_only_stop_their_own_cells_alone(site, undisturbed, cluster):
    """Two cells on a disk that turns read-only while they train; the third, elsewhere, goes on."""
    run = site.train("--retries", "0")
    under_way(site)
    with read_only(site.cell(0)), read_only(site.cell(1)):
        status, said = finish_watched(site, run)
        assert status != 0
        assert "read-only disk: " in said and "Traceback" not in said, said
        assert "1 done, 2 failed" in site.status("tiny")
        assert site.answers([2]) == undisturbed.answers([2])
    status, said = finish_watched(site, site.train())
    assert status == 0, said
    assert ["going on" in site.log(seed) for seed in SEEDS] == [True, True, False]
    assert site.answers() == undisturbed.answers()


def fill(disk: Path) -> Path:
    """Write until nothing more goes on a disk; the file that has to go to make room."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"0" * 4096):
            pass
    return ballast


@pytest.mark.long
@pytest.mark.parametrize("place", [".", "results", ".snakemake"])
def test_a_quota_that_is_used_up_costs_no_finished_training(
    site, undisturbed, cluster, tmp_path_factory, place
):
    """All room is gone while two cells train; a third has finished before. Then there is room."""
    disk, folder = tmp_path_factory.mktemp("disk"), site.folder / place
    with mounted("-t", "tmpfs", "-o", "size=200m", "tmpfs", str(disk)):
        shutil.copytree(folder, disk, symlinks=True, dirs_exist_ok=True)
        with mounted("--bind", str(disk), str(folder)):
            site.configure(of([0]))
            status, said = site.finish(site.train())
            assert status == 0, said
            site.configure(STUDY)
            run = site.train("--retries", "0")
            under_way(site, [1, 2])
            ballast = fill(folder)
            status, said = finish_watched(site, run)
            there = {seed: made(site, seed) for seed in SEEDS if made(site, seed)}
            if place == ".snakemake":  # of Snakemake's own notes alone
                assert list(there) == SEEDS, said
            else:
                assert status != 0 and list(there) == [0]
                assert site.status("tiny").count("failed       disk full") == 2
            ballast.unlink()
            status, said = finish_watched(site, site.train())
            assert status == 0, said
            for seed in SEEDS:
                assert there.get(seed, made(site, seed)) == made(site, seed)
                assert ("going on" in site.log(seed)) == (seed not in there)
            assert site.answers() == undisturbed.answers()


def made(site, seed) -> int:
    """When a cell's network was written; 0 if its training has not finished."""
    whole = (site.cell(seed) / "history.parquet").exists()
    return (site.cell(seed) / "model.safetensors").stat().st_mtime_ns if whole else 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("where", "behind"), [("job", "3600"), ("job", "-3600"), ("login", "3600")]
)
def test_a_clock_that_is_an_hour_off_costs_no_finished_training(
    site, undisturbed, cluster, where, behind
):
    """Of the nodes, or of the machine on which Snakemake runs."""
    path = f"{Path(__file__).with_name('slow')}:{os.environ.get('PYTHONPATH', '')}"
    skewed = {"PYTHONPATH": path, "CLOCK_BEHIND": behind, "CLOCK_OF": where}
    status, said = finish_watched(site, site.train("--retries", "0", **skewed))
    assert status == 0, said
    assert site.answers() == undisturbed.answers()
    site.env |= skewed
    assert site.metrics() == undisturbed.true
    status, said = site.run("report", "-n", "--until", "collect")
    assert status == 0 and "train" not in said, said


@pytest.mark.long
def test_a_short_storm_of_faults_changes_no_number(site, cluster):
    Storm(site, cluster, seed=5, faults=4).blow()


def test_the_first_day_with_the_profile_that_site_writes(site, cluster):
    """On a day when all nodes are drained: what Slurm would queue is sent, and waits."""
    site.configure(of([0], epochs=2))
    for out in ("mine", "short"):
        more = ["--gpu-partition", "short"] if out == "short" else []
        words = [sys.executable, "-m", "cxrgrid.site", "--out", out, *more]
        done = subprocess.run(words, cwd=site.folder, env=site.env, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr.count("Slurm would take it") == 2, done.stderr
        profile = site.folder / out / "config.yaml"
        profile.write_text(on_cpu(profile.read_text()))
    drained = "NodeName=n1,n2"
    cluster.ask("scontrol", "update", drained, "State=DRAIN", "Reason=test")
    words = ["--slurm-init-seconds-before-status-checks", "1", "--until", "train", "study"]
    run = site.start("--profile", "./short", *words)
    site.until(lambda: cluster.jobs("train"))
    assert "nodes are down or reserved" in site.said()
    cluster.ask("scontrol", "update", drained, "State=RESUME")
    site.until(lambda: "short" in cluster.ask("squeue", "-h", "-tall", "-o%P"))
    status, said = site.finish(run)
    assert status == 0, said


REFUSED = [
    ("slurm_partition", ["train:slurm_partition=nope"]),
    ("gpu_model", ["train:gpu_model=h100"]),  # and it says which there are
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
