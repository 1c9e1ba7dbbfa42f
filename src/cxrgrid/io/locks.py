"""A file that one process holds at a time; the kernel frees it when that process ends, however.

Never stale, unlike a lock that is a file's mere existence. Across machines it holds where the file
system passes flock on (NFS does, Lustre if mounted so). Where it does not (mounted with `nolock`,
`local_lock=flock` or `localflock`), or has no locks, the name is held as well: `name_locks`.
"""

import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from cxrgrid.config.errors import UserError
from cxrgrid.io import name_locks
from cxrgrid.io.atomic import make_folder

# Folders of this machine that all users write to.
SHARED = (Path("/run/lock"), Path("/tmp"), Path("/dev/shm"))
LOCK = "train.lock"  # in the folder of a cell that is being trained


def hold(path: Path) -> IO[str] | None:
    """The locked open file, until it is closed or the process ends; None if another holds it."""
    make_folder(path.parent)
    file = path.open("a+")
    locked = lock(file, fcntl.LOCK_EX)
    if locked and not name_locks.within_machine(path.parent):
        return file
    named = name_locks.hold(path) if locked is not False else None
    if named and locked:
        named.local = file
    else:
        file.close()
    return named


def lock(file: IO, kind: int) -> bool | None:
    """True if a file could be locked, False if another holds it, None where there are no locks.

    `OSError` with the file's name for other answers of the system.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in name_locks.NO_LOCKS:
            return None
        file.close()
        raise OSError(error.errno, error.strerror, file.name) from None
    return True


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
            f"{folder}: another process is training this cell{name_locks.holder(folder / LOCK)}; "
            "wait for it, or end it first (python -m cxrgrid.status shows where it runs)"
        )
    return held


def taken(folder: Path) -> bool:
    """True if a process trains the cell of a folder, on any machine whose locks this one sees.

    The file is opened for reading alone: the disk may have turned read-only.
    """
    path = folder / LOCK
    with suppress(OSError), path.open() as file:  # none there; a disk that is away
        return lock(file, fcntl.LOCK_SH) is False or name_locks.taken(path)
    return False


def hold_for_all(name: str) -> IO[bytes] | None:
    """A lock of this machine that every user's processes see; None if another process holds it.

    Opened for reading alone, so that one user can lock the file that another has made. In the first
    of the folders that all users write to and whose file system has locks. `UserError` where none
    is such, or where another user stands in the way.
    """
    for place in filter(for_all, SHARED):
        file = os.fdopen(opened(made_for_all(place / "cxrgrid"), f"{name}.lock"), "rb")
        locked = lock(file, fcntl.LOCK_EX)
        if locked:
            return file
        file.close()
        if locked is False:
            return None
    places = ", ".join(map(str, SHARED))
    raise UserError(f"{places}: no file can be locked there; have one of them on a local disk")


def for_all(place: Path) -> bool:
    """True for a folder that every user may write to: all users then choose the same one."""
    try:
        return bool(place.stat().st_mode & stat.S_IWOTH) and os.access(place, os.W_OK)
    except OSError:
        return False


def made_for_all(folder: Path) -> Path:
    """The folder; made, if need be, as /tmp is: all may add a file, none may remove another's.

    With that mode from the first: other users would else meet one that is closed to them.
    """
    mask = os.umask(0)
    try:
        with suppress(FileExistsError):
            folder.mkdir(0o1777)
    finally:
        os.umask(mask)
    return folder


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
