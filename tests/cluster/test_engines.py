"""Other engines than Slurm, and results in a storage: by a qsub of our own, and by a folder."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sites import RECIPE, ROOT, Site, cwd, of

from test_architecture import RULES

PLUGIN = "snakemake_executor_plugin_cluster_generic"
STORAGE = "snakemake_storage_plugin_fs"
CLOUDS = {"kubernetes": {}, "aws-batch": {"JOB_QUEUE": "arn:a", "JOB_ROLE": "arn:b"}}
QSUB = """#!{python}
import os, subprocess, sys
from pathlib import Path
jobs = Path({jobs!r})
number = str(len(list(jobs.glob("*.asked"))) + 1)
(jobs / f"{{number}}.asked").write_text(" ".join(sys.argv[1:-1]))
run = f'sh "{{sys.argv[-1]}}"; echo $? > {{jobs / number}}.ended'
log = (jobs / f"{{number}}.log").open("w")
null = subprocess.DEVNULL
subprocess.Popen(["sh", "-c", run], start_new_session=True, stdout=log, stderr=log, stdin=null)
print(f"{{number}}.server")
"""
QSTAT = """#!{python}
import sys
from pathlib import Path
end = Path({jobs!r}, sys.argv[-1].removesuffix(".server") + ".ended")
if end.is_file() and end.read_text():
    print(f"Job Id: {{sys.argv[-1]}}\\n    job_state = F\\n    Exit_status = {{end.read_text()}}")
else:
    print(f"Job Id: {{sys.argv[-1]}}\\n    job_state = R")
"""


@pytest.mark.parametrize("engine", ["lsf", "htcondor", *CLOUDS])
def test_every_rule_that_wants_a_gpu_gets_one_of_an_engine(engine):
    found = yaml.safe_load((ROOT / f"profiles/{engine}/config.yaml").read_text())
    wanting = {name for name, body in RULES.items() if "gpu=1" in body}
    assert wanting == set(found["set-resources"])
    assert len({json.dumps(each) for each in found["set-resources"].values()}) == 1


def test_a_path_of_the_rules_stays_whole_in_the_url_of_a_bucket():
    """Constraints of wildcards are in it, and a URL's path ends at the first of ? and #."""
    files = [ROOT / "workflow/Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    text = "\n".join(path.read_text() for path in files)
    within = re.findall(r"\{\w+,([^{}]+)\}", text)
    blocks = re.findall(r"wildcard_constraints:\n((?: +\w+=\".*\",\n)+)", text)
    beside = re.findall(r"=\"(.*)\",", "".join(blocks))
    assert len(within) >= 6 and len(beside) >= 3
    assert not [each for each in [*within, *beside] if set(each) & {"?", "#"}]


def test_inputs_have_no_constraints_of_wildcards():
    """Snakemake has no use for them, and says so for each rule of a run with a storage."""
    for name, body in RULES.items():
        inputs = body.partition("    input:\n")[2].partition("    output:\n")[0]
        assert not re.search(r"<(data|cell)>|\{\w+,", inputs), name


def test_the_profile_of_aws_batch_asks_for_memory_that_goes_with_its_cpus():
    """By the pairs that the plugin (0.2.1) knows; of other memory it makes the least."""
    known = {8192: {1, 2, 4}, 16384: {2, 4, 8}}
    profile = yaml.safe_load((ROOT / "profiles/aws-batch/config.yaml").read_text())
    wanting = {name for name, body in RULES.items() if "gpu=1" in body or "threads: " in body}
    assert wanting == set(profile["set-threads"])
    for rule, threads in {**dict.fromkeys(RULES, 1), **profile["set-threads"]}.items():
        asked = profile["default-resources"] | profile["set-resources"].get(rule, {})
        assert threads in known[asked["mem_mb"]], rule


def test_the_profile_of_kubernetes_gives_a_gpu_the_limit_that_it_needs():
    """The plugin (0.5.1) sets limits for `scale: 0` alone, and then one of the disk too."""
    profile = yaml.safe_load((ROOT / "profiles/kubernetes/config.yaml").read_text())
    assert profile["set-resources"]["train"]["scale"] == 0
    assert profile["default-resources"]["disk_mb"] >= 10_000


def need(plugin: str) -> None:
    """Skip the test where a plugin of Snakemake is not installed."""
    if not importlib.util.find_spec(plugin):
        pytest.skip(f"{plugin} is not installed")


@pytest.fixture
def site(tmp_path) -> Site:
    """A folder on the login node of a PBS, which is this machine."""
    need(PLUGIN)
    (tmp_path / "site").mkdir()
    (tmp_path / "jobs").mkdir()
    (tmp_path / "bin").mkdir()
    for name, text in (("qsub", QSUB), ("qstat", QSTAT), ("qdel", "#!/bin/sh\n")):
        path = tmp_path / "bin" / name
        path.write_text(text.format(python=sys.executable, jobs=str(tmp_path / "jobs")))
        path.chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return Site(tmp_path / "site", env, of([0]))


def training(site) -> list[int]:
    """Processes that train in the site's folder."""
    commands = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/cmdline")}
    here = {pid: path for pid, path in commands.items() if cwd(pid) == site.folder}
    return [pid for pid, path in here.items() if b"cxrgrid.train\0" in path.read_bytes()]


@pytest.mark.long
@pytest.mark.cluster
def test_a_study_runs_through_qsub_and_a_killed_training_goes_on(site, tmp_path):
    words = ["--profile", "profiles/pbs", "--seconds-between-status-checks", "1"]
    run = site.start(*words, "--set-threads", "train=1", "--retries", "0")
    site.until(lambda: "epoch 2/" in site.log(0))
    (cell,) = json.loads(site.status("tiny", "--json"))["tiny"]
    assert cell["state"] == "running" and cell["epoch"]
    for pid in training(site):
        os.kill(pid, signal.SIGKILL)
    status, said = site.finish(run)
    assert status != 0 and "--profile profiles/pbs" in said
    (cell,) = json.loads(site.status("tiny", "--json"))["tiny"]
    assert (cell["state"], cell["cause"]) == ("failed", "stopped")
    status, said = site.run(*words)
    assert status == 0 and "going on" in site.log(0), said
    assert (site.folder / "results/tiny/report/report.html").is_file()
    asked = [path.read_text() for path in (tmp_path / "jobs").glob("*.asked")]
    assert any("-N train" in each and ":ngpus=1" in each for each in asked)
    assert any("-N pixels" in each and ":ncpus=16:" in each for each in asked)
    assert any("-N score" in each and ":ngpus=0" in each for each in asked)


def lent() -> dict:
    """A study whose cell starts from another dataset's, at a size of its own, and predicts it."""
    study = of([0])
    ward = study["datasets"]["ward"]
    study["datasets"]["atlas"] = ward | {"phantom": ward["phantom"] | {"seed": 2}}
    study["recipes"] = {"default": RECIPE | {"epochs": 2}, "large": {"image": {"size": 48}}}
    study["weights"] = {"taught": {"dataset": "atlas", "recipe": "default", "seed": 0}}
    one = {"backbones": ["test_resnet"], "seeds": [0]}
    study["grid"] = [
        {"datasets": ["atlas"], **one},
        {"datasets": ["ward"], "inits": ["taught"], "recipes": ["large"], **one},
    ]
    return study | {"transfer": ["atlas"]}


@pytest.fixture
def storage(tmp_path) -> list[str]:
    """The words that put results into a folder elsewhere, as Snakemake's storage."""
    need(STORAGE)
    if not shutil.which("rsync"):
        pytest.skip("rsync is not installed")
    return ["--default-storage-provider", "fs", "--default-storage-prefix", f"{tmp_path}/store"]


def plain(folder: Path) -> Site:
    """A folder with the study, on this machine alone."""
    folder.mkdir()
    return Site(folder, os.environ | {"OMP_NUM_THREADS": "1"}, lent())


@pytest.mark.long
@pytest.mark.cluster
def test_results_in_a_storage_are_those_of_the_folder_and_are_not_made_again(tmp_path, storage):
    site, here = plain(tmp_path / "away"), plain(tmp_path / "here")
    status, said = site.run(*storage)
    assert status == 0, said
    made = tmp_path / "store/results/tiny"
    assert (made / "report/report.html").is_file()
    assert not (site.folder / "results/tiny").exists()
    assert "Nothing to be done" in site.run(*storage)[1]
    status, said = here.run()
    assert status == 0, said
    for name in ("metrics.csv", "comparisons.csv", "recommended.csv", "labels.csv"):
        assert (made / "report" / name).read_bytes() == (
            here.folder / "results/tiny/report" / name
        ).read_bytes(), name


@pytest.mark.long
@pytest.mark.cluster
def test_jobs_need_nothing_but_the_storage_and_the_images(tmp_path, storage):
    """Each job in an empty folder: what it reads has come with it, the run's config too."""
    phantom = json.dumps({"adapter": "nih", "patients": 40, "size": 64, "seed": 1})
    draw = [sys.executable, "-m", "cxrgrid.phantom", phantom, "--out", f"{tmp_path}/images"]
    subprocess.run(draw, check=True, stdout=subprocess.DEVNULL)
    study = of([0], epochs=1)
    study["datasets"]["ward"].pop("phantom")
    study["datasets"]["ward"]["root"] = f"{tmp_path}/images"
    study["report"] |= {"explain": "none", "shifts": ["noise"], "figures": ["shifts", "confusion"]}
    (tmp_path / "away").mkdir()
    (tmp_path / "jobs").mkdir()
    site = Site(tmp_path / "away", os.environ | {"APART": f"{tmp_path}/jobs"}, study)
    for name in ("Snakefile", "workflow"):  # what goes to other machines is no link
        (site.folder / name).unlink()
    shutil.copy(ROOT / "Snakefile", site.folder)
    shutil.copytree(ROOT / "workflow", site.folder / "workflow")
    shutil.copytree(ROOT / "envs", site.folder / "envs")
    ours = f"{Path(__file__).parent}/apart:{os.environ.get('PYTHONPATH', '')}"
    words = ["--executor", "apart", "--jobs", "2", "--seconds-between-status-checks", "1"]
    status, said = site.finish(site.start(*words, *storage, PYTHONPATH=ours))
    assert status == 0, said
    assert (tmp_path / "store/results/tiny/report/report.html").is_file()
    assert "in epoch 1 of 1" in said and "local copy" not in said and "constraints" not in said
    (tmp_path / "store/results/tiny/overlap.json").write_text("damaged")
    status, said = site.finish(site.start(*words, *storage, PYTHONPATH=ours))
    assert status == 1 and "rerun: snakemake results/tiny/report/report.html" in said
    assert "failed  report after" in said and "overlap.json: " in said
    assert f"--default-storage-prefix {tmp_path}/store" in said


@pytest.mark.long
@pytest.mark.parametrize("engine", CLOUDS)
def test_a_study_is_planned_with_the_profile_of_a_cloud(tmp_path, storage, engine):
    need(f"snakemake_executor_plugin_{engine.replace('-', '_')}")
    site = plain(tmp_path / "away")
    more = {f"SNAKEMAKE_AWS_BATCH_{name}": value for name, value in CLOUDS[engine].items()}
    status, said = site.finish(
        site.start("-n", "--profile", f"profiles/{engine}", *storage, **more)
    )
    assert status == 0 and "2 cells to train" in said, said
