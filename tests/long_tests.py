"""Choice of the tests marked `long` for a run: whole studies, and faults of clusters."""

from collections import Counter

import pytest

TURNS = 5  # after so many turns each long test has run


def chosen(items: list[pytest.Item], asked: str) -> list[pytest.Item]:
    """The tests without the long ones that are not asked for.

    asked: `all`, `none`, or the number of a turn: of each file's long tests every fifth, and of the
    next file those beside them, so that what stands first in the files is spread over the turns.
    """
    if asked not in ("all", "none") and not asked.isdecimal():
        raise pytest.UsageError(f"--long {asked}: all, none, or the number of a turn")
    before, kept = Counter(), []
    files = {path: at for at, path in enumerate(dict.fromkeys(item.path for item in items))}
    for item in items:
        long = item.get_closest_marker("long") is not None
        ours = (
            asked.isdecimal() and (before[item.path] + files[item.path] - int(asked)) % TURNS == 0
        )
        before[item.path] += long
        if not long or asked == "all" or ours:
            kept.append(item)
    return kept


def by_turns(cases: list, quick: int) -> list:
    """Cases of one parametrised test, of which all after the first `quick` are long ones."""
    apart = [case if isinstance(case, tuple) else (case,) for case in cases[quick:]]
    return cases[:quick] + [pytest.param(*case, marks=pytest.mark.long) for case in apart]
