"""One-line errors for a user's mistakes, with the nearest valid name."""

import difflib
from typing import Any


class UserError(Exception):
    """A user's mistake, explained in one line: the value, the place, the remedy."""


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
