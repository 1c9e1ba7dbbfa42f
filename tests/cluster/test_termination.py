"""`termination`: SIGTERM ends a run at any moment."""

import signal
import threading
from types import SimpleNamespace

import pytest

from cxrgrid.cluster import termination


@pytest.fixture
def scheduler(monkeypatch):
    """Snakemake's scheduler, as far as a signal meets it, with its handler for SIGTERM."""
    monkeypatch.setattr(termination.Scheduler, "exit_gracefully", termination.see_jobs_out)
    termination.install()
    ours = termination.Scheduler.__new__(termination.Scheduler)
    ours._executor = SimpleNamespace(ending=threading.Event())
    ours._lock, ours._open_jobs, ours._user_kill = threading.Lock(), threading.Semaphore(0), None
    before = signal.signal(signal.SIGTERM, ours.exit_gracefully)
    yield ours
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("held", ["_lock", "_open_jobs._cond"])
def test_a_signal_while_the_scheduler_holds_its_locks_is_seen_afterwards(scheduler, held):
    """With Snakemake's own handler this waits for ever."""
    lock = scheduler
    for name in held.split("."):
        lock = getattr(lock, name)
    with lock:
        signal.raise_signal(signal.SIGTERM)
        assert not scheduler._open_jobs._value
    assert scheduler._open_jobs.acquire(timeout=10)
    assert scheduler._user_kill == "graceful"
    assert scheduler._executor.ending.wait(10), "jobs that Slurm refuses for now are not waited for"
