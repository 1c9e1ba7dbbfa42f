"""Other engines than Slurm: the profile for PBS by a qsub of our own, with rerun and status."""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import pytest
import yaml
from sites import ROOT, Site, cwd, of

from test_architecture import RULES

PLUGIN = "snakemake_executor_plugin_cluster_generic"
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


@pytest.mark.parametrize("engine", ["lsf", "htcondor"])
def test_every_rule_that_wants_a_gpu_gets_one_of_an_engine(engine):
    found = yaml.safe_load((ROOT / f"profiles/{engine}/config.yaml").read_text())
    wanting = {name for name, body in RULES.items() if "gpu=1" in body}
    assert wanting == set(found["set-resources"])
    assert len({json.dumps(each) for each in found["set-resources"].values()}) == 1


@pytest.fixture
def site(tmp_path) -> Site:
    """A folder on the login node of a PBS, which is this machine."""
    if not importlib.util.find_spec(PLUGIN):
        pytest.skip(f"{PLUGIN} is not installed")
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
    assert any("-N score" in each and ":ngpus=0" in each for each in asked)
