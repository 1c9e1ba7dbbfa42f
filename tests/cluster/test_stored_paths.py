"""Files in a storage: as rules name them, as people are told of them, and where they are read."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrgrid.cluster import stored_paths
from cxrgrid.cluster.stored_paths import Storage, fault, here, named, stored_name
from snakemake_logger_plugin_cxrgrid.job import Job

LOG = "results/tiny/study.log"
GROUP = """  + Exception Group Traceback (most recent call last):
  | ExceptionGroup: unhandled errors in a TaskGroup (26 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/x/snakemake_storage_plugin_s3/__init__.py", line 283, in exists
    | botocore.exceptions.NoCredentialsError: Unable to locate credentials

    | snakemake_interface_common.exceptions.WorkflowError: Failed to check existence of s3://b/x.csv

    | NoCredentialsError: Unable to locate credentials
    | and 11 more exceptions
"""
ALONE = """Traceback (most recent call last):
  File "/x/snakemake_storage_plugin_s3/__init__.py", line 169, in __post_init__
botocore.exceptions.PartialCredentialsError: Partial credentials found in env
"""


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """A run whose results lie in a bucket, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Storage, "prefix", "")
    monkeypatch.setattr(Storage, "copies", Storage.copies)
    settings = SimpleNamespace(
        default_storage_provider="gcs",
        default_storage_prefix="gs://bucket/of results/",
        local_storage_prefix=Path(".snakemake/storage"),
    )
    assert stored_paths.use(settings)


def test_a_file_has_the_name_that_its_rule_gives_it_and_one_for_people(bucket):
    for doing in ("send to", "retrieve from", "in"):
        told = f"gs://bucket/of results/{LOG} ({doing} storage)"
        assert (named(told), stored_name(told)) == (LOG, f"gs://bucket/of results/{LOG}")
    for path in ("results/data/ward/phantom", "results/a (in storage", "x (1).log"):
        assert named(path) == stored_name(path) == path


def test_without_a_storage_or_a_prefix_paths_are_what_they_are():
    settings = SimpleNamespace(default_storage_provider=None, default_storage_prefix="/x")
    assert not stored_paths.use(settings) and not Storage.prefix
    settings = SimpleNamespace(default_storage_provider="fs", default_storage_prefix=None)
    assert stored_paths.prefix_of(settings) == ""
    assert named(LOG) == LOG and here(LOG) == Path(LOG)


def test_a_log_is_read_from_the_copy_that_a_job_here_has_left(bucket):
    assert here(LOG) == Path(LOG)
    copy = Path(".snakemake/storage/gcs/bucket/of results", LOG)
    copy.parent.mkdir(parents=True)
    copy.write_text(f"$ python -m cxrgrid.study\nerror: {copy.parent}/x.csv: damaged\n")
    assert here(LOG) == copy and here("results/tiny") == copy.parent
    told = f"gs://bucket/of results/{LOG} (send to storage)"
    record = SimpleNamespace(rule_name="study", output=[told], log=[told], created=0.0)
    job = Job.of(record)
    assert job.study() == "tiny" and job.output == [LOG]
    assert job.reason("pod ended") == "error: gs://bucket/of results/results/tiny/x.csv: damaged"


def test_where_no_log_is_the_engines_own_words_are_the_reason(bucket):
    job = Job("study", {}, [LOG], [LOG], None, 0.0)
    assert job.reason() == "not run"
    said = "Error submitting jobscript (exit code 32):\nFor further error details see the cluster"
    assert job.reason(said) == "Error submitting jobscript (exit code 32)"


def test_a_storage_that_cannot_be_used_is_one_line():
    for text, what in (
        (GROUP, "Failed to check existence of s3://b/x.csv: NoCredentialsError: Unable to locate"),
        (ALONE, "PartialCredentialsError: Partial credentials found in env"),
    ):
        line = fault(text)
        assert what in line and "\n" not in line and line.startswith("error: the storage")
    for text in ("Traceback (most recent call last):\nValueError: x", "no traceback at all"):
        assert fault(text) == ""


def test_a_folder_that_was_not_there_at_first_is_looked_for_anew():
    class Stored:
        _is_dir, subkeys = None, ()

        def exists(self):
            if self._is_dir is None:
                self._is_dir = any(self.subkeys)
            return self._is_dir

    folder = Stored()
    assert not folder.exists()
    stored_paths.see_folders(Stored)
    stored_paths.see_folders(Stored)
    assert not folder.exists()
    folder.subkeys = ("index.html",)
    assert folder.exists()
    folder.subkeys = ()
    assert folder.exists(), "what was there is not looked for again"
