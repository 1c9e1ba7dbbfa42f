"""`head_job`: a Snakemake that is a Slurm job itself leaves room for the jobs that it sends."""

import pytest

from cxrgrid.cluster import head_job


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Function that puts commands of Slurm, which print a text, first in the path."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def put(**texts: str) -> None:
        for name, text in texts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)

    return put


NODES = [("n1|16\\nn2|16", 16), ("n1|16", 14), ("n1|16\\nn2|8", 14), ("n1|2", 1)]


@pytest.mark.parametrize(("nodes", "most"), NODES)
def test_jobs_are_bounded_by_what_the_nodes_have_besides_this_job(
    commands, monkeypatch, nodes, most
):
    commands(sinfo=f"printf '{nodes}\\n'")
    names = {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1", "SLURM_CPUS_ON_NODE": "2"}
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert head_job.most_cpus() == max(int(row.split("|")[1]) for row in nodes.split("\\n"))
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert head_job.most_cpus() == most


def test_without_slurm_nothing_bounds_them(commands):
    commands(sinfo="exit 1")
    assert head_job.most_cpus() == 2**31


STARTS = [
    ("2026-01-01T09:00:00", "2026-01-01T10:00:00", ""),
    ("2026-01-01T10:00:00", "2026-01-01T10:00:00", "rule pixels at 2026-01-01T10:00:00"),
    ("2026-01-01T10:00:00", "NONE", ""),
    ("3026-01-01T10:00:00", "NONE", "rule pixels at 3026"),
]


@pytest.mark.parametrize(("start", "end", "told"), STARTS)
def test_jobs_that_start_only_when_this_one_has_ended_are_told(commands, capsys, start, end, told):
    commands(sbatch=f"echo 'sbatch: Job 9 to start at {start} using 16' >&2", squeue=f"echo {end}")
    head_job.check("sbatch -p cpu", "pixels", "", "profiles/site/config.yaml")
    assert not capsys.readouterr().err, "this snakemake is no job"
    head_job.check("sbatch -p cpu", "pixels", "7", "profiles/site/config.yaml")
    said = capsys.readouterr().err
    assert bool(said) == bool(told) and told in said
    assert not told or ("`set-threads: pixels: 2`" in said and "profiles/site" in said)
