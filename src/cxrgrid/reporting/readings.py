"""Record of the readings of a study's test values: which question stood when, and what was shown.

`results/{study}/readings.jsonl` has one line per reading that shows something new: test values of
configurations that no earlier line has, or the same under another question. It is kept by
`collect`, which never removes a line: Snakemake does not know the file. A record, no proof: who
wants one puts the study file under version control or registers it before the first reading.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from cxrgrid.comparison.effect_rows import primary_metric
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.config.varied import primary
from cxrgrid.evaluation.wording import many
from cxrgrid.io.atomic import write_text

NAME = "readings.jsonl"
EARLIER = "unknown"  # question of a report made before readings were recorded


class Reading(TypedDict):
    """Fields that each line has."""

    date: str
    hash: str
    question: dict[str, Any] | None
    shown: list[str]


def question(grid: Grid) -> dict[str, Any]:
    """The question of a study, as far as test values could have a say in it.

    primary effect, margin, headline metric, and the recipes of which one level is chosen.
    """
    how = grid.study.report
    chosen = sorted({recipe.base for recipe in grid.recipes.values() if recipe.choose})
    found = {"factor": primary(grid), "metric": primary_metric(grid), "margin": how.margin}
    return found | {"headline": how.headline, "choose": chosen}


def digest(asked: dict[str, Any]) -> str:
    """Hash of a question: 12 hexadecimal digits."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def read(path: Path) -> list[dict]:
    """The readings so far, oldest first: `date`, `hash`, `question`, `shown`."""
    lines = path.read_bytes().splitlines() if path.is_file() else []
    try:
        found = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
        msgspec.convert(found, list[Reading])
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged ({error}); mend the line, or move the file away: it then counts the "
            "readings of the test images from now on"
        ) from None
    return found


def record(study: Path, grid: Grid, scored: Iterable[tuple[str, ...]]) -> list[dict]:
    """Add a reading if it shows something new; all readings.

    study: the study's folder; scored: configurations whose test values are shown now.
    """
    path, found = study / NAME, read(study / NAME)
    page = study / "report/report.html"
    if not found and page.is_file():  # a report of before there was a record
        date = datetime.fromtimestamp(page.stat().st_mtime, UTC)
        found = [{"date": stamp(date), "hash": EARLIER, "question": None, "shown": []}]
    asked, shown = question(grid), {name for one in found for name in one["shown"]}
    new = sorted({"/".join(configuration) for configuration in scored} - shown)
    known = any(one["hash"] == digest(asked) for one in found)
    if new or (shown and not known):
        one = {"date": stamp(datetime.now(UTC)), "hash": digest(asked)}
        found.append(one | {"question": asked, "shown": new})
        write_text(path, "".join(json.dumps(each) + "\n" for each in found))
    return found


def stamp(date: datetime) -> str:
    """A date to the minute, in UTC."""
    return date.strftime("%Y-%m-%d %H:%M UTC")


def earlier(readings: list[dict], grid: Grid) -> list[dict]:
    """The readings of before the question was first asked as it is now."""
    own = digest(question(grid))
    asked = [at for at, one in enumerate(readings) if one["hash"] == own]
    return readings[: asked[0]] if asked else readings


def came_after(readings: list[dict], grid: Grid) -> str:
    """That test values had, or may have, been shown before the question was fixed; else empty."""
    before = earlier(readings, grid)
    if not before:
        return ""
    date, shown = before[0]["date"], {name for one in before for name in one["shown"]}
    if not shown:
        return (
            "It is not recorded that the question came before the answer: a report was made on "
            f"{date}, by a version that recorded no question."
        )
    return (
        f"The question came after an answer: test values of {many(len(shown), 'configuration')} "
        f"had been shown, first on {date}, before the primary effect, the margin and the choice "
        "were set as they are now. Its p is that of a question which may have been chosen by its "
        "answer."
    )


def history(readings: list[dict], grid: Grid) -> str:
    """When the question was first answered, and whether it stood before; empty without a record."""
    own = digest(question(grid))
    firsts = [one["date"] for one in readings if one["hash"] == own]
    if not firsts:
        return ""
    before = earlier(readings, grid)
    stood = "set before any test value was shown"
    if before:
        shown = any(one["shown"] for one in before)
        stood = "after test values had been shown" if shown else "set at a time not recorded"
    return f"question {own}, {stood}; first answered on {firsts[0]}"
