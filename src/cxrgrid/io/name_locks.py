"""A lock that is a file's existence, for file systems on which flock does not reach others.

The holder's file, `train.lock.held`, is made by O_CREAT|O_EXCL, which network drives keep apart; it
says who holds it, and is touched while that process lives. Of a process of this machine it is known
whether it lives, whatever the clocks say. One of another machine, or of before a restart, is gone
after 15 minutes without a sign of life, by the clock of the disk, and another minute in which it is
watched: that clock may have jumped. Should it come back, it finds its file taken, and ends.
"""

import errno
import os
import socket
import sys
import threading
import time
import weakref
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}  # answers of flock
MOUNTS = Path("/proc/self/mountinfo")
PROCESSES = Path("/proc")
LOCAL = ("nolock", "localflock", "local_lock=flock", "local_lock=all")  # options of a mount
BEAT = 30  # seconds between two signs of life
GONE = 900  # seconds without one, after which a process of another machine has ended


class Held(TextIOWrapper):
    """An open file whose name is held until it is closed, or the process ends.

    local: the same file, locked for other processes of this machine, or None.
    """

    local: IO[str] | None = None

    def hold(self, path: Path, owner: str) -> None:
        """Give signs of life from now on."""
        over = threading.Event()
        self.release = weakref.finalize(self, release, path, owner, over)
        threading.Thread(target=beat, args=(path, owner, over), daemon=True).start()

    def close(self) -> None:
        """Let go of the name."""
        if hasattr(self, "release"):
            self.release()
        if self.local:
            self.local.close()
        super().close()


def within_machine(folder: Path) -> bool:
    """True if flock on a folder's file system is one that other machines do not see."""
    try:
        device = folder.stat().st_dev
        lines = MOUNTS.read_text("utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    found = [line for line in lines if line.split()[2:3] == [number]]
    return any(option in line.split()[-1].split(",") for line in found for option in LOCAL)


def hold(path: Path) -> Held | None:
    """The open file, whose name is held; None if another process holds it."""
    name, pid = held_name(path), str(os.getpid())
    owner = f"{machine()} {pid} {started(pid)}-{os.urandom(8).hex()}"
    for _ in range(2):  # again once what a gone process held is removed
        with suppress(FileExistsError):
            write_holder(name, owner)
            file = Held(path.open("ab+"), "utf-8")
            file.hold(name, owner)
            return file
        if not removed(name):
            return None
    return None


def write_holder(name: Path, owner: str) -> None:
    """Make a holder's file, unless there is one; `OSError` with its name leaves none."""
    number = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        os.write(number, owner.encode())
    except OSError as error:  # a full disk: who could not be asked for would hold it all the same
        name.unlink()
        raise OSError(error.errno, error.strerror, str(name)) from None
    finally:
        os.close(number)


def taken(path: Path) -> bool:
    """True if a process that is not gone holds the name of a file."""
    return not gone(held_name(path))


def holder(path: Path) -> str:
    """Process that holds the name of a file, and when it is free; empty if there is none."""
    owner = owner_of(held_name(path)).split()
    if not owner:
        return ""
    host, free = owner[0].partition("/")[0], f"{GONE // 60} minutes after its last sign of life"
    return f" (process {owner[-2:][0]} of {host}; should that have failed, the cell is free {free})"


def held_name(path: Path) -> Path:
    """The file whose existence holds a path."""
    return path.with_name(f"{path.name}.held")


def machine() -> str:
    """Name of this machine, of its start, and of its space of process numbers.

    Names alone may be those of several machines; a container has process numbers of its own.
    """
    start = space = ""
    with suppress(OSError):
        start = (PROCESSES / "sys/kernel/random/boot_id").read_text().strip()
        space = (PROCESSES / "self/ns/pid").readlink()
    return f"{socket.gethostname()}/{start}/{space}"


def owner_of(name: Path) -> str:
    """Machine, process and token in a holder's file; empty if there is none."""
    try:
        return name.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def gone(name: Path) -> bool:
    """True if the process that holds a name has ended, or gives no sign of life any more."""
    if not name.exists():
        return True
    lives = living(owner_of(name))
    if lives is not None:
        return not lives
    try:
        return clock(name.parent) - name.stat().st_mtime > GONE
    except FileNotFoundError:
        return True


def living(owner: str) -> bool | None:
    """True if the process that a holder's file names lives; None if this machine cannot know."""
    name, number, token = owner.split() if len(owner.split()) == 3 else ("", "", "")
    if name != machine():
        return None
    try:
        os.kill(int(number), 0)
    except PermissionError:  # another user's
        pass
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    then, now = token.partition("-")[0], started(number)
    return then == now if then and now else None  # another user's may be hidden


def started(number: str) -> str:
    """Time at which a process was started, in ticks; empty if that is not to be seen."""
    try:
        words = (PROCESSES / number / "stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    state, *others = words.rpartition(")")[2].split()
    return "ended" if state in "ZX" else others[18]


def clock(folder: Path) -> float:
    """Now, by the clock of the disk; by this machine's where the disk cannot be written to."""
    path = folder / f".clock-{socket.gethostname()}-{os.getpid()}"
    try:
        path.touch()
        return path.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            path.unlink()


def removed(name: Path) -> bool:
    """Remove what a gone process holds; False if it is not gone, or another came first."""
    owner = owner_of(name)
    if not gone(name) or (living(owner) is None and touched(name)):
        return False
    aside = name.with_name(f".{name.name}-{os.urandom(8).hex()}")
    try:
        name.rename(aside)  # one of several that see it succeeds
    except FileNotFoundError:
        return True
    other = owner_of(aside) != owner  # of one that came between
    if other:
        with suppress(FileExistsError):
            os.link(aside, name)
    aside.unlink()
    return not other


def touched(name: Path) -> bool:
    """True if a holder of another machine gives a sign of life while it is watched.

    By the clock of the disk it has given none for long, but that may have been set anew just now.
    """
    print(
        f"{name.with_suffix('')}: its holder gave no sign of life for {GONE // 60} minutes; "
        f"watching for another {2 * BEAT} seconds",
        file=sys.stderr,
    )
    with suppress(OSError):
        before, until = name.stat().st_mtime, time.monotonic() + 2 * BEAT
        while time.monotonic() < until:
            time.sleep(min(1, BEAT))
            owner_of(name)  # a network drive shows the times of a file anew that is opened
            if name.stat().st_mtime != before:
                return True
    return False


def beat(name: Path, owner: str, over: threading.Event) -> None:
    """Touch a holder's file until it lets go; end the process if another has taken over."""
    while not over.wait(BEAT):
        try:
            if owner_of(name) not in (owner, "") and not over.is_set():
                print(
                    f"error: {name.with_suffix('')}: taken over by another process, as this one "
                    f"gave no sign of life for {GONE // 60} minutes",
                    file=sys.stderr,
                )
                os._exit(1)  # at once: the files are the other's by now
            os.utime(name)
        except OSError:  # a shared disk that is away for a while, or a folder that was removed
            continue


def release(name: Path, owner: str, over: threading.Event) -> None:
    """Remove a holder's file; not in a fork, nor if another process has taken over."""
    over.set()
    with suppress(OSError):
        if owner.split()[1] == str(os.getpid()) and owner_of(name) == owner:
            name.unlink()
