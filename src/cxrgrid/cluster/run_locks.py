"""Locks of a run on its results, which end with it.

Snakemake's own locks outlive a run that is killed, and each run that ends removes those of all: two
studies in a folder take each other's, and one that starts while another ends finds its folder gone.
Here a run's locks lie beside its file in .snakemake/runs, and hold as long as that does. A run that
finds another in its way waits for its end, which takes a while after Ctrl-c or scancel.
"""

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import snakemake.api  # before the others, which cannot be imported alone
import snakemake.persistence.file

from cxrgrid.cluster import preflight
from cxrgrid.cluster.wording import duration
from cxrgrid.io.atomic import write_text
from cxrgrid.io.locks import hold

# Seconds for which a run waits for the end of another: that may see its jobs out, and then makes
# the report of the cells that are done.
PATIENCE = 600
KINDS = ("input", "output")
Base = snakemake.persistence.PersistenceBase
Files = snakemake.persistence.file.FilePersistence
lock = Base.lock
read = Files._read_locks


def install() -> None:
    """Put these in the places of Snakemake's own, in this process."""
    Base.lock = lock_when_free
    Files._read_locks = read_living
    Files._write_locks = write_own
    Files._delete_locks = delete_own


@contextlib.contextmanager
def lock_when_free(persistence: Any) -> Iterator[None]:
    """Hold the results of a run, once no other holds any of them.

    `SystemExit` with one line if another lives on.
    """
    until, told = time.monotonic() + PATIENCE, False
    while (held := locked(persistence)) is None:
        others = preflight.living()
        if others and time.monotonic() > until:
            sys.exit(f"error: {described(others[0])}; {preflight.remedy(others[0])}")
        if others and not told:
            print(
                f"{described(others[0])}. Waiting for its end, {duration(PATIENCE)} at most; if it "
                f"does not end by itself, {preflight.remedy(others[0])}.",
                file=sys.stderr,
            )
            told = True
        time.sleep(1)
    with contextlib.ExitStack() as stack:
        stack.push(held)
        yield


def locked(persistence: Any) -> contextlib.AbstractContextManager | None:
    """The locks of this run, taken; None as long as another's are in their way.

    The gate is held for the look and the locking alone: of two runs that wait, each tells so, and
    the results of one are made after the other's.
    """
    gate = hold(preflight.RUNS / ".gate")
    if gate is None:  # another looks just now
        return None
    with gate:
        if persistence.locked:
            if preflight.living():
                return None
            preflight.clear_locks()
            persistence.unlock()
        held = lock(persistence)
        held.__enter__()
        return held


def described(run: Path) -> str:
    """A run that is in the way, as the beginning of a sentence."""
    return f"{preflight.described(run)} makes the same results"


def read_living(persistence: Any) -> Iterator[tuple[str, str]]:
    """Each locked file, and how it is used; of Snakemake's own locks, and of the runs that live."""
    with contextlib.suppress(OSError):  # a run that ends just now
        yield from read(persistence)
    for run in preflight.living():
        for kind in KINDS:
            with contextlib.suppress(OSError):
                for line in of(run, kind).read_text("utf-8").splitlines():
                    yield kind, line


def write_own(persistence: Any, kind: str, keys: Iterable[str]) -> None:
    """Lock files for this run."""
    write_text(of(preflight.own(), kind), "".join(f"{key}\n" for key in keys))


def delete_own(persistence: Any) -> None:
    """Free what this run has locked."""
    for kind in KINDS:
        of(preflight.own(), kind).unlink(missing_ok=True)


def of(run: Path, kind: str) -> Path:
    """File beside a run's, with what it has locked."""
    return run.with_suffix(f".{kind}.lock")
