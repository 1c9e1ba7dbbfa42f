"""Whole results are kept where disks, clocks or Snakemake's own notes are at fault."""

import asyncio
import os
from types import SimpleNamespace

import pytest
from snakemake.logging import logger

from cxrgrid.cluster import kept_results


class File(str):
    """A file of Snakemake's, as far as it is asked."""

    async def exists_local(self) -> bool:
        return os.path.lexists(self)

    async def mtime_uncached(self, skip_storage: bool) -> SimpleNamespace:
        return SimpleNamespace(local=lambda: os.lstat(self).st_mtime)


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """Warnings of a run."""
    lines = []
    monkeypatch.setattr(logger, "warning", lines.append)
    return lines


def dated(tmp_path, *dates):
    """Two inputs and two results that were changed then; one more of each is not there."""
    paths = [tmp_path / name for name in ("a", "b", "c", "d")]
    for path, date in zip(paths, dates, strict=True):
        path.touch()
        os.utime(path, (date, date))
    files = [File(path) for path in (*paths, tmp_path / "none")]
    job = SimpleNamespace(input=[*files[:2], files[4]], rule=SimpleNamespace(name="train"))
    asyncio.run(kept_results.date_results(None, job, files[2:]))
    return [path.stat().st_mtime for path in paths]


def test_a_result_is_as_young_as_its_youngest_input(tmp_path, said):
    assert dated(tmp_path, 5000, 9000, 5400, 9001) == [5000, 9000, 9000, 9001]
    assert "clocks differ: results of train were 1 h 00 min older" in said[0]


def test_dates_that_fit_stay_and_nothing_is_said(tmp_path, said):
    assert dated(tmp_path, 1, 2, 3, 4) == [1, 2, 3, 4]
    assert not said


def test_what_cannot_be_removed_of_a_failed_job_ends_no_run(monkeypatch, said):
    async def refuses(job, kept):
        raise OSError(30, "Read-only file system", "results/cell.json")

    monkeypatch.setattr(kept_results, "clean_up", refuses)
    asyncio.run(kept_results.remove_results(None, ()))
    assert said == ["results/cell.json: of a failed job, not removed (Read-only file system)"]


def test_an_empty_folder_that_cannot_be_removed_ends_no_run(monkeypatch):
    def refuses(dag):
        raise OSError(30, "Read-only file system", "results/predictions")

    monkeypatch.setattr(kept_results, "clean_folders", refuses)
    kept_results.remove_folders(None)


CASES = {
    "finished": ("train", {"a": 70, "b": 60}, ""),
    "of a module": ("mine_train", {"a": 70, "b": 60}, ""),
    "half": ("train", {"a": 70}, "a"),
    "of the time before": ("train", {"a": 50, "b": 40}, "ab"),
    "begun anew": ("train", {"a": 70, "b": 40}, "ab"),
    "another rule": ("score", {"a": 70, "b": 60}, "ab"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_training_is_finished_when_all_its_files_have_come_since_it_was_sent(
    tmp_path, monkeypatch, case
):
    """Sent at 60, and marked by Snakemake as begun."""
    rule, made, again = CASES[case]
    for name, date in made.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (date, date))
    files = [File(tmp_path / name) for name in "ab"]
    job = SimpleNamespace(output=files, rule=SimpleNamespace(name=rule))

    async def marked(persistence, job):
        return [one for one in job.output if os.path.lexists(one)]

    monkeypatch.setattr(kept_results, "marked", marked)
    marks = SimpleNamespace(_get_key=str, _get_recorded_starttime=lambda key: 60.0)
    found = asyncio.run(kept_results.unfinished(marks, job))
    assert "".join(one[-1] for one in found) == again
