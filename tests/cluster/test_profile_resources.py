"""An option on the command line changes its own value of the profile, and drops no other."""

import sys
from types import SimpleNamespace

import pytest
from snakemake.cli import parse_set_resources, parse_set_threads

from cxrgrid.cluster import profile_resources

PROFILE = """\
set-resources:
  explain: &gpu {nodes: 1, slurm_partition: gpu}
  train: {<<: *gpu, slurm_extra: "'--signal=USR1@120'"}
set-threads: {train: 4}
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Function: resources and threads by rule, of a run with a profile and these words."""
    (tmp_path / "config.yaml").write_text(PROFILE)

    def resources(*words: str, threads: tuple = ()) -> tuple[dict, dict]:
        line = ["snakemake", "--profile", str(tmp_path)]
        line += ["--set-resources", *words] if words else []
        monkeypatch.setattr(sys, "argv", line + (["--set-threads", *threads] if threads else []))
        settings = SimpleNamespace(
            overwrite_resources=parse_set_resources(words), overwrite_threads={}
        )
        settings.overwrite_threads = parse_set_threads(threads)
        profile_resources.keep(SimpleNamespace(resource_settings=settings))
        rules = settings.overwrite_resources.items()
        found = {rule: {name: one.raw for name, one in each.items()} for rule, each in rules}
        return found, {rule: one.raw for rule, one in settings.overwrite_threads.items()}

    return resources


def test_what_is_not_named_stays(asked):
    found, threads = asked("train:slurm_partition=short", "score:mem_mb=5", threads=("pixels=2",))
    assert found["train"] == {
        "nodes": 1,
        "slurm_partition": "short",
        "slurm_extra": "'--signal=USR1@120'",
    }
    assert found["explain"] == {"nodes": 1, "slurm_partition": "gpu"}
    assert found["score"] == {"mem_mb": 5}
    assert threads == {"train": 4, "pixels": 2}


def test_without_the_option_snakemake_reads_the_profile_itself(asked):
    assert asked() == ({}, {})


def test_without_a_profile_there_is_nothing_to_keep(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["snakemake", "--set-resources", "train:nodes=1"])
    assert profile_resources.entries(sys.argv) == {}
