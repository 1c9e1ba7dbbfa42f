"""`refusals`: the setting that Slurm refuses is named, and what the cluster has instead."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from cxrgrid.cluster import refusals, site_survey


def test_the_setting_to_blame_is_the_one_without_which_it_passes(monkeypatch):
    command = "sbatch -p main -t 60 --mem 100 --gpus=h100:1 --cpus-per-task=4"
    monkeypatch.setattr(refusals, "request", lambda executor, job: command)
    monkeypatch.setattr(refusals, "refusal", lambda sent: "no" if "--mem" in sent else "")
    job = SimpleNamespace(rule=SimpleNamespace(name="train"))
    with pytest.raises(SystemExit, match=r"rule train \(no\): change `mem_mb` .*sent: --mem 100"):
        refusals.check(None, job)
    shared = SimpleNamespace(rule=job.rule, jobs=[job, job])
    with pytest.raises(SystemExit, match=r"change `mem_mb` or `cells_per_gpu` in"):
        refusals.check(None, shared)
    monkeypatch.setattr(refusals, "refusal", lambda sent: "")
    refusals.check(None, job)


# Stands for a site that enforces accounts, which takes Slurm a database; the words are Slurm's.
SBATCH = """#!/bin/sh
case "$*" in %s) exit 0 ;; esac
echo "allocation failure: Invalid account or account/partition combination specified" >&2
exit 1
"""
ONLY_LAB = '*"-A lab"*'  # passes with this account alone: there is no default
ANY_BUT_NOPE = '*"-A nope"*) ;; *'
ACCOUNTS = [(ONLY_LAB, "-A nope", "-A nope"), (ONLY_LAB, "", "none")]
ACCOUNTS += [(ANY_BUT_NOPE, "-A nope", "-A nope")]


@pytest.mark.parametrize(("passes", "account", "sent"), ACCOUNTS)
def test_an_account_that_is_wrong_or_missing_is_named(tmp_path, monkeypatch, passes, account, sent):
    (tmp_path / "sbatch").write_text(SBATCH % passes)
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    command = f"sbatch {account} -p main -t 60 --mem 100 --gpus=1"
    monkeypatch.setattr(refusals, "request", lambda executor, job: command)
    with pytest.raises(SystemExit) as error:
        refusals.check(None, SimpleNamespace(rule=SimpleNamespace(name="train")))
    said = str(error.value)
    assert "rule train (Invalid account or account/partition" in said and "\n" not in said
    assert f"change `slurm_account` in profiles/slurm/config.yaml (sent: {sent})" in said


def partition(name, default=False, **gpus):
    return site_survey.Partition(name, default, 1440, ("ALL",), "", 2, 8, 64000, gpus)


SITE = site_survey.Site(
    [partition("cpu", default=True), partition("gpu", a100=4), partition("old", v100=2)], [], None
)
GPUS = [
    ("sbatch --gpus=1", "partition cpu has no GPU, partition gpu has (a100)", "gpu"),
    ("sbatch -p cpu --gres=gpu:1", "partition cpu has no GPU, partition gpu has (a100)", "gpu"),
    (
        "sbatch -p gpu --gpus=v100:1",
        "partition gpu has no GPU v100, partition old has (v100)",
        "old",
    ),
    (
        "sbatch -p 'gpu' --gpus=h100:1",
        "no GPU h100: change `gpu_model` in",
        "there are: a100, v100",
    ),
]


@pytest.mark.parametrize(("command", "missing", "remedy"), GPUS)
def test_a_missing_gpu_is_named_with_the_partition_that_has_it(command, missing, remedy):
    said = refusals.missing_gpu(command, SITE)
    assert missing in said and remedy in said and "profiles/slurm/config.yaml" in said
    assert refusals.missing_gpu("sbatch -p gpu --gpus=a100:1", SITE) == "", "another thing is"


def test_the_account_that_a_partition_wants_is_named():
    gpu = replace(partition("gpu", a100=4), accounts=("lab-gpu",))
    site = site_survey.Site([partition("cpu", default=True), gpu], ["lab", "lab-gpu"], None)
    both = "write `slurm_partition: gpu` and `slurm_account: lab-gpu` under `explain: &gpu`"
    assert both in refusals.missing_gpu("sbatch --gpus=1", site)
    said = refusals.missing_account("sbatch -p gpu -A lab --gpus=1", site)
    assert said.startswith(
        "write `slurm_account: lab-gpu` under `explain: &gpu` in profiles/slurm/"
    )
    assert "`default-resources:`" in refusals.missing_account("sbatch -p gpu -t 60", site)
    for command in ("sbatch -p gpu -A lab-gpu --gpus=1", "sbatch -A nope -t 60"):
        assert refusals.missing_account(command, site) == "", "another thing is"


def test_what_is_only_not_there_now_is_sent_and_waits(tmp_path, monkeypatch, capsys):
    """Slurm asked with --test-only refuses what it would queue while nodes are drained."""
    script = 'case "$*" in *--test-only*) echo "allocation failure: not available" >&2; exit 1 ;; '
    (tmp_path / "sbatch").write_text(f"#!/bin/sh\n{script}*) echo 41 ;; esac\n")
    (tmp_path / "scancel").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/cancelled\n')
    for name in ("sbatch", "scancel"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(refusals, "request", lambda executor, job: "sbatch --gpus=1")
    refusals.check(None, SimpleNamespace(rule=SimpleNamespace(name="train")))
    assert "They are sent, and wait" in capsys.readouterr().err
    assert (tmp_path / "cancelled").read_text() == "41\n"
