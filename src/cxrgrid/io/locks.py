"""A file that one process holds at a time; the kernel frees it when that process ends, however.

Never stale, unlike a lock that is a file's mere existence. Across machines it holds where the file
system passes flock on (NFS does, Lustre if mounted so); where it does not (`local_lock=flock`, NFS
before Linux 2.6.12), processes of one machine alone see each other, or, without locks, none do.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from cxrgrid.config.errors import UserError
from cxrgrid.io.atomic import make_folder

SHARED = (Path("/run/lock"), Path("/tmp"))  # folders of this machine that all users write to
LOCK = "train.lock"  # in the folder of a cell that is being trained


def hold(path: Path) -> IO[str] | None:
    """The locked open file, until it is closed or the process ends; None if another holds it."""
    make_folder(path.parent)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:  # a file system without locks
        pass
    return file


def claim(folder: Path) -> IO[str]:
    """A cell's folder for this process alone: keep what is returned. `UserError` if it is taken.

    Two trainings of one cell would write over each other's state.
    """
    held = None
    for _ in range(5):  # a second, since `taken` looks by holding it for a moment
        held = held or hold(folder / LOCK)
        if held is None:
            time.sleep(0.2)
    if held is None:
        raise UserError(
            f"{folder}: another process is training this cell; wait for it, or end it first "
            "(python -m cxrgrid.status shows where it runs)"
        )
    return held


def taken(folder: Path) -> bool:
    """True if a process trains the cell of a folder, on any machine whose locks this one sees.

    The file is opened for reading alone: the disk may have turned read-only.
    """
    with suppress(OSError), (folder / LOCK).open() as file:  # none there; no locks there
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def hold_for_all(name: str) -> IO[bytes] | None:
    """A lock of this machine that every user's processes see; None if another process holds it.

    Opened for reading alone, so that one user can lock the file that another has made.
    """
    folder = next(path for path in SHARED if os.access(path, os.W_OK)) / "cxrgrid"
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)  # as /tmp: everybody may add a file, nobody may remove another's
    file = os.fdopen(opened(folder, f"{name}.lock"), "rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def opened(folder: Path, name: str) -> int:
    """Number of an open file of a folder that all users write to; made if it is not there.

    `UserError` where the folder or the file is a link: another user may have put it there.
    """
    at = -1
    try:
        at = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o644, dir_fd=at))
        number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError as error:
        raise UserError(
            f"{folder / name}: no file that can be locked ({error.strerror}); another user may "
            "have put it there: ask them, or an administrator, to remove it"
        ) from None
    finally:
        if at >= 0:
            os.close(at)
    return number
