"""Choice of the tests marked `long` for a run: whole studies, and faults of clusters."""

from collections import Counter

import pytest

TURNS = 10  # after so many turns each long test has run, if its mark says no other number


def chosen(items: list[pytest.Item], asked: str) -> list[pytest.Item]:
    """The tests without the long ones that are not asked for.

    asked: `all`, `none`, or the number of a turn: of each file's long tests every tenth, and of the
    next file those beside them, so that what stands first in the files is spread over the turns.
    Marked `long(turns=6)`, six such tests of a file are one in each turn.
    """
    if asked not in ("all", "none") and not asked.isdecimal():
        raise pytest.UsageError(f"--long {asked}: all, none, or the number of a turn")
    before, kept = Counter(), []
    files = {path: at for at, path in enumerate(dict.fromkeys(item.path for item in items))}
    for item in items:
        long = item.get_closest_marker("long")
        if long is None or asked == "all":
            kept.append(item)
        elif asked.isdecimal():
            turns = long.kwargs.get("turns", TURNS)
            if (before[item.path] + files[item.path] - int(asked)) % turns == 0:
                kept.append(item)
            before[item.path] += 1
    return kept


def by_turns(cases: list, quick: int) -> list:
    """Cases of one parametrised test, of which all after the first `quick` are long ones."""
    apart = [case if isinstance(case, tuple) else (case,) for case in cases[quick:]]
    return cases[:quick] + [pytest.param(*case, marks=pytest.mark.long) for case in apart]
