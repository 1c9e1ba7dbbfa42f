"""One-line errors for a user's mistakes, with the nearest valid name."""

import difflib
import errno
import os
import re
from pathlib import Path
from typing import Any

# Answers of the system that say nothing of the file itself, which may be whole.
PASSING = {
    errno.EACCES: "permission denied; ask its owner, or copy it",
    errno.EPERM: "permission denied; ask its owner, or copy it",
    errno.EMFILE: "too many open files; raise the limit: ulimit -n 4096",
    errno.ENFILE: "the machine has too many files open; try again later",
    errno.ENOMEM: "the machine has no memory left; try again with more",
    errno.EIO: "the disk or network drive fails; try again, or look at the disk",
    errno.ESTALE: "the network drive has lost it; run the same command again",
}

# Of these, those that say nothing of what was asked for: to leave it out would lose it.
ELSEWHERE = PASSING.keys() - {errno.EACCES, errno.EPERM}
# The system's answer in the words of safetensors and torch, which do not raise `OSError`.
ANSWER = re.compile(r": ([^:()]+) \((?:os error )?(\d+)\)")

ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")  # of lines, or orders to a terminal


class UserError(Exception):
    """A user's mistake, explained in one line: the value, the place, the remedy.

    What would end the line, in a name of the user's, stands there as `\\n`.
    """

    def __str__(self) -> str:
        return ENDS.sub(lambda found: repr(found[0])[1:-1], super().__str__())


def code_of(error: BaseException) -> int:
    """Number of the system's error, also where another library puts it into words; else 0."""
    words, number = next(iter(ANSWER.findall(str(error))), ("", "0"))
    said = int(number) if words == os.strerror(int(number)) else 0
    return getattr(error, "errno", None) or said


def unread(path: str | Path, error: Exception) -> UserError:
    """The error on a file that the system does not let one read; it may be whole for all that."""
    code = code_of(error)
    if isinstance(error, FileNotFoundError) and Path(path).is_file():  # safetensors says so
        code = errno.EMFILE
    if passing := PASSING.get(code):
        return UserError(f"{path}: {passing}")
    return UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})")


def suggest(name: str, known: list[str] | set[str] | tuple[str, ...]) -> str:
    """`; did you mean …?`, or the list of valid names."""
    alike = {str(each).lower(): each for each in known}
    near = difflib.get_close_matches(str(name).lower(), list(alike), n=1, cutoff=0.5)
    if near:
        return f"did you mean {alike[near[0]]!r}?"
    names = sorted(map(str, known))
    shown = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"known: {shown}" if names else "none is defined"


def known(name: str, names: Any, where: str, what: str) -> None:
    """`UserError` with the nearest valid name unless `name` is one of `names`."""
    if name not in names:
        raise UserError(f"{where}: no {what} {name!r}; {suggest(name, names)}")
