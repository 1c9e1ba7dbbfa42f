"""Atomic writing of files, and a one-line error for a full disk."""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cxrgrid.config.errors import UserError, code_of

REMEDIES = {
    errno.EACCES: "give yourself the permission, or name another folder",
    errno.EPERM: "give yourself the permission, or name another folder",
    errno.EROFS: "name a folder on a disk that can be written to",
    errno.ENAMETOOLONG: "shorten the names in the config, or the folder's path",
    errno.EMFILE: "raise the limit: ulimit -n 4096",
    errno.ENFILE: "the machine has too many files open; try again later",
    errno.EIO: "the disk or network drive fails; try again, or name another one",
    errno.ESTALE: "the network drive has lost the file; run the same command again",
    errno.EEXIST: "a file stands where a folder is wanted; move it",
    errno.ENOTDIR: "a file stands where a folder is wanted; move it",
    errno.EISDIR: "a folder stands where a file is wanted; move it",
}
# No space, over the quota, over the limit on a file's size.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; what was written then takes the place of `path` in one step.

    It is on the disk before it is renamed: a stop at any point, also of the machine, leaves the old
    file or the new one. An error leaves the old one; `UserError` if the system refuses to write.
    """
    check_place(path)
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.partial")
    with refusals_named(path, partial):
        try:
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            readable(partial)
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def check_place(path: Path) -> None:
    """`UserError` for a device or pipe, such as /dev/null: a file would take its place."""
    mode = 0
    with suppress(OSError):
        mode = path.stat().st_mode
    special = mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
    if special or path.parent == Path("/dev"):
        raise UserError(f"{path}: is a device or pipe, no place for results; name a file")


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of `path` in one step; nothing stays of half."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    folder = partial / path.name
    try:
        with refusals_named(path, partial):
            make_folder(folder)
            yield folder
            folder.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def refusals_named(path: Path, partial: Path) -> Iterator[None]:
    """`UserError` if the system refuses to write `partial`, or below it, on the way to `path`."""
    try:
        yield
    except BaseException as error:
        code, good = code_of(error), "what was there before is still good"
        if reason := full(error):
            again = "make room and run the same command again"
            raise UserError(
                f"{path}: not written ({reason} on {path.parent}); {good}: {again}"
            ) from None
        named = str(getattr(error, "filename", None) or partial)
        if named.startswith(str(partial)) and code in REMEDIES:
            reason = os.strerror(code)
            raise UserError(f"{path}: not written ({reason}); {good}: {REMEDIES[code]}") from None
        raise


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there.

    On a network drive a new one may be there and not be seen yet: pathlib takes it for a file.
    """
    try:
        path.mkdir()
    except FileExistsError:
        if path.is_file():
            raise
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_folder(path.parent)
        with suppress(FileExistsError):
            path.mkdir()


def write_text(path: Path, text: str) -> None:
    """Write a file of text, whole or not at all: UTF-8, with a line feed at each line's end."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def readable(path: Path) -> None:
    """Set a file's mode as the umask says: safetensors makes it readable for its owner only."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def said(error: BaseException) -> str:
    """One line: the path, the system's refusal and what to do; empty for other errors."""
    inside = re.search("<(.+)>", str(error))  # torch's
    name = getattr(error, "filename", None) or (inside[1] if inside else "a file")
    if reason := full(error):
        return f"{name}: {reason}; make room and run the command again"
    remedy = REMEDIES.get(code_of(error))
    return f"{name}: {os.strerror(code_of(error))}; {remedy}" if remedy else ""


def full(error: BaseException | None) -> str:
    """The system's message if `error`, or its cause, is a full disk; else empty.

    torch hides the system's error behind one of its own.
    """
    while error is not None:
        if code_of(error) in FULL:
            return os.strerror(code_of(error))
        error = error.__cause__ or error.__context__
    return ""
