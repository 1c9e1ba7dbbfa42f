"""`site`: a profile that fits the cluster, whatever its layout; the answers are Slurm's."""

import logging
import re
from pathlib import Path

import pytest
import yaml

from cxrgrid import site
from cxrgrid.cluster import site_survey, slurm
from cxrgrid.config.errors import UserError
from test_architecture import ROOT, RULES

PARTITION = (
    "PartitionName={} AllowGroups=ALL AllowAccounts={} AllowQos=ALL Default={} MaxTime={} "
    "PriorityTier={} PreemptMode={} State={} TotalNodes=2"
)
ROWS = [
    ("cpu", "ALL", "YES", "7-00:00:00", 1, "OFF", "UP"),
    ("gpu", "ALL", "NO", "12:00:00", 10, "OFF", "UP"),
    ("spare", "ALL", "NO", "UNLIMITED", 1, "CANCEL", "UP"),
    ("theirs", "other", "NO", "UNLIMITED", 10, "OFF", "UP"),
    ("old", "ALL", "NO", "UNLIMITED", 10, "OFF", "DOWN"),
]
NODES = ["cpu|(null)|12|6000", "gpu|gpu:a100:4(S:0-1),shard:8|64|500000"]
NODES += ["spare|gpu:a100:4(S:0-1)|64|500000", "spare|gpu:v100-32gb:2|32|200000"]
NODES += ["theirs|gpu:h100:8|96|900000", "old|gpu:2|8|1000"]
CONFIG = ["MinJobAge               = 30 sec", "ProctrackType           = proctrack/cgroup"]
CONFIG += ["AccountingStorageType   = accounting_storage/slurmdbd"]


SAID = {
    "partition": [PARTITION.format(*row) for row in ROWS],
    "config": CONFIG,
    "assoc": ["lab|40|normal,gpu", "lab2||normal"],
    "user": ["lab2"],
    "qos": ["normal|", "gpu|60", "others|2"],
}


def slurm_says(*command: str) -> list[str]:
    """Answers of a Slurm to sinfo, scontrol and sacctmgr."""
    if command[0] == "sacctmgr":
        return SAID[command[3]]
    return NODES if command[0] == "sinfo" else SAID[command[min(2, len(command) - 1)]]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A folder on the login node of a cluster whose default partition has no GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm, "ask", slurm_says)
    monkeypatch.setattr(site, "refusal", lambda command: "")
    return tmp_path


def written(*arguments) -> dict:
    """The profile that the command writes."""
    site.main([*arguments])
    out = arguments[arguments.index("--out") + 1] if "--out" in arguments else "profiles/site"
    return yaml.safe_load(Path(out, "config.yaml").read_text())


def test_gpus_in_another_partition_than_the_default_are_found(cluster):
    found = written()
    assert found["executor"] == "slurm" and found["slurm-logdir"] == "logs/slurm"
    for rule in ("train", "predict", "explain"):
        assert found["set-resources"][rule]["slurm_partition"] == "gpu"
    assert "slurm_partition" not in found["default-resources"]
    assert found["set-resources"]["train"]["runtime"] == 720, "its longest time"
    assert "USR1" in found["set-resources"]["train"]["slurm_extra"]
    assert found["default-resources"]["mem_mb"] == 6000
    # Of the only node's 12: a Snakemake that is a job itself has two.
    assert found["set-threads"]["pixels"] == 10
    assert found["jobs"] == 40, "the least of the limits that hold for me"


def test_a_partition_that_another_account_pays_for_gets_that_one(cluster, monkeypatch):
    rows = [
        PARTITION.format(*row).replace("AllowAccounts=ALL", "AllowAccounts=lab") for row in ROWS
    ]
    monkeypatch.setitem(SAID, "partition", [PARTITION.format(*ROWS[0]), *rows[1:]])
    found = written()
    assert "slurm_account" not in found["default-resources"], "the default one is taken there"
    assert found["set-resources"]["explain"]["slurm_account"] == "lab"
    assert found["set-resources"]["train"]["slurm_account"] == "lab"
    monkeypatch.setitem(SAID, "partition", rows)
    assert written("--out", "all")["default-resources"]["slurm_account"] == "lab"
    named = written("--out", "named", "--account", "lab2")
    assert named["default-resources"]["slurm_account"] == "lab2"
    assert "slurm_account" not in named["set-resources"]["explain"]


def test_every_rule_that_wants_a_gpu_has_what_stands_in_the_one_place(cluster):
    wanting = {name for name, body in RULES.items() if re.search(r"\bgpu=1", body)}
    unedited = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    for found in (unedited, written()):
        shared = found["set-resources"]["explain"].items()
        assert wanting == set(found["set-resources"])
        assert all(shared <= found["set-resources"][rule].items() for rule in wanting)


def test_all_that_it_found_is_said_in_the_file_and_on_the_screen(cluster, caplog):
    caplog.set_level(logging.INFO)
    written()
    text = (cluster / "profiles/site/config.yaml").read_text()
    for line in (
        "partition spare: 2 nodes, 64 CPUs, 4 a100, 2 v100-32gb, any time, its jobs make room for",
        "partition theirs: 1 node, 96 CPUs, 8 h100, any time, for other",
        "accounts lab2, lab",
        "accounting is kept",
        "ended jobs are remembered for 30 sec",
        "memory is limited by cgroups",
    ):
        assert line in text and line in caplog.text
    assert "partition old" not in text


def test_what_is_named_is_tried_beside_the_profile_that_stays(cluster):
    first = written()
    words = ["--gpu-model", "v100-32gb", "--account", "lab", "--qos", "gpu", "--constraint", "x"]
    found = written(*words, "--out", "profiles/try")
    gpu = found["set-resources"]["explain"]
    assert gpu["slurm_partition"] == "spare" and gpu["gpu_model"] == "v100-32gb"
    assert gpu["constraint"] == "x"
    assert found["retries"] == 10 > first["retries"], "what is cancelled for others comes again"
    assert found["default-resources"]["slurm_account"] == "lab"
    with pytest.raises(UserError, match="profiles/site/config.yaml: is there, and stays"):
        site.main([])
    with pytest.raises(UserError, match="--account: no account 'lab3'; did you mean 'lab'"):
        site.main(["--account", "lab3", "--out", "other"])
    with pytest.raises(UserError, match="--gpu-partition: no partition 'gpus'; did you mean 'gpu'"):
        site.main(["--gpu-partition", "gpus", "--out", "other"])


def test_a_job_as_the_profile_sends_it_is_shown_to_slurm(cluster, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    asked = []
    monkeypatch.setattr(site, "refusal", lambda command: asked.append(command) or "no such thing")
    monkeypatch.setattr(site, "queues", lambda command: "--gpus" in command)
    written("--gpu-model", "a100")
    assert asked == [
        "sbatch -t 60 --mem 6000",
        "sbatch -p gpu -t 720 --mem 6000 --gpus=a100:1",
    ]
    assert "a job without a GPU: REFUSED (no such thing)" in caplog.text
    assert "a job with a GPU: Slurm would let it wait" in caplog.text
    assert "first edit profiles/site/config.yaml" in caplog.text


def test_without_a_slurm_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm, "ask", lambda *command: [])
    with pytest.raises(UserError, match="no Slurm answers here"):
        site.main([])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("gres", "found"),
    [
        ("gpu:a100:4(S:0-1),shard:8", {"a100": 4}),
        ("gpu:2", {"": 2}),
        ("gpu:a100-40gb:1,gpu:a100-40gb:1,gpu:v100:2", {"a100-40gb": 2, "v100": 2}),
        ("(null)", {}),
    ],
)
def test_a_nodes_gpus(gres, found):
    assert site_survey.gpus(gres) == found
