"""A copy of the report to hand on: without pixels, names of files and patients, and paths.

What the config says in words of its own (title, labels, names of datasets and recipes) stays: read
it before you send the page.
"""

import html
import json
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrgrid.evaluation.wording import many
from cxrgrid.io.account import user_name
from cxrgrid.io.parquet import read_parquet

OUT = "[left out]"
TELLING = 5  # letters of an id that is no number by chance; shorter ones of digits are told apart
NAMED = re.compile(r",? (namely|such as|first) .*", re.DOTALL)
WORD = re.compile(r"[^\s<>\"'(),;:=&|]+")
FOLDER = re.compile(r"(?<![\w.<:/+=-])(?:~|/)(?:[\w.@+-]+/)*[\w.@+-]*/?(?=[\w.@+-]|/|\b)[\w.@+-]*")
WHOLE = re.compile(r"(data:[^\"')]+|<style>.*?</style>|<script>.*?</script>|<[^>]*>)", re.DOTALL)
DOWNLOADS = re.compile(r'<p class="downloads">.*?</p>\n?', re.DOTALL)
TO_CELL = re.compile(r'<a [^>]*href="cells/[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
START = '<main id="main" tabindex="-1">'


@dataclass(frozen=True)
class Names:
    """Names that may not stand in the copy: of images, of patients, of this machine."""

    images: set[str]
    patients: set[str]
    machine: set[str]

    def has(self, word: str) -> bool:
        """True if a word of the page is one of them, or a path that ends in one."""
        last = word.rstrip(".").rpartition("/")[2]
        known = (self.images, self.patients, self.machine)
        return any(name in each for each in known for name in (word.rstrip("."), last))


def names(folders: Iterable[Path]) -> Names:
    """The names in each dataset's table.parquet, and of this machine and its user."""
    images: set[str] = set()
    patients: set[str] = set()
    for folder in folders:
        table = read_parquet(folder / "table.parquet", "image", "patient")[0]
        for path in table["image"].to_pylist():
            last = path.rpartition("/")[2]
            images |= {path, last, last.rpartition(".")[0]} - {""}
        patients |= set(map(str, table["patient"].to_pylist()))
    home = Path(os.environ.get("HOME", "")).name
    machine = {socket.gethostname(), user_name(), home} - {"root", "user"}
    telling = {name for name in patients | images if len(name) >= TELLING or not name.isdigit()}
    return Names(images & telling, patients & telling, {w for w in machine if len(w) >= TELLING})


def without_names(texts: list[str]) -> list[str]:
    """Sentences without the images and patients that they name at their end."""
    return [NAMED.sub(".", text) for text in texts]


def audits(found: dict[str, dict]) -> dict[str, dict]:
    """Audits whose warnings name nobody."""
    return {
        n: {**audit, "warnings": without_names(audit["warnings"])} for n, audit in found.items()
    }


def words(page: dict[str, Any]) -> dict[str, Any]:
    """The words of the page without pixels and paths; `left` says what is not laid out."""
    pixels = sum(len(card["samples"]) for card in page["cards"])
    maps = len(page["explained"])
    left = [f"example images: {pixels:,}"] * bool(pixels)
    done = sum(page["cells"]["state"] != "missing")
    left += [f"pages of single cells, which show images and name files: {done:,}"] * bool(done)
    left += [f"heat maps of {many(maps, 'dataset')}"] * bool(maps)
    settings = json.dumps(config(json.loads(page["config"])), indent=2)
    clean = {"cards": cards(page["cards"]), "explained": [], "config": settings}
    return page | clean | {"overlap": without_names(page["overlap"]), "left": left}


def cards(found: list[dict]) -> list[dict]:
    """Cards of datasets without pixels, and without where the images lie."""
    return [
        card
        | {"samples": [], "warnings": without_names(card["warnings"])}
        | ({"origin": "The study's own images."} if "own images" in card["origin"] else {})
        for card in found
    ]


def config(value: Any) -> Any:
    """A config without paths."""
    if isinstance(value, dict):
        return {name: config(below) for name, below in value.items()}
    if isinstance(value, list):
        return [config(below) for below in value]
    path = isinstance(value, str) and ("/" in value or os.sep in value) and "://" not in value
    return OUT if path and not value.startswith("hf") else value


def copy(page: str, known: Names, left: list[str]) -> tuple[str, str]:
    """The page without names, paths and links to files beside it; and what was taken out.

    left: what the page was laid out without.
    """
    page = TO_CELL.sub(r"\1", DOWNLOADS.sub("", page))
    counts = {"name of an image": 0, "patient id": 0, "path or name of this machine": 0}

    def word(found: re.Match) -> str:
        if not known.has(html.unescape(found[0])):
            return found[0]
        last = found[0].rstrip(".").rpartition("/")[2]
        kind = "name of an image" if known.images & {last, found[0]} else "patient id"
        kind = "path or name of this machine" if last in known.machine else kind
        counts[kind] += 1
        return OUT

    def folder(found: re.Match) -> str:
        if found[0].count("/") < 2 and found[0] != "~":
            return found[0]
        counts["path or name of this machine"] += 1
        return OUT

    parts = WHOLE.split(page)
    parts[::2] = [WORD.sub(word, FOLDER.sub(folder, part)) for part in parts[::2]]
    parts[1::2] = [attribute_free(part, known) for part in parts[1::2]]
    taken = [*left, *(f"{kind}: {count:,} times" for kind, count in counts.items() if count)]
    said = "; ".join(taken) or "nothing, as there was nothing of the kind"
    note = f'<p class="note">A copy to hand on. Left out: {html.escape(said)}.</p>'
    return "".join(parts).replace(START, f"{START}\n{note}", 1), said


def attribute_free(tag: str, known: Names) -> str:
    """A tag, its texts for screen readers without names; styles, scripts and data as they are."""
    if not tag.startswith("<") or tag.startswith(("<style>", "<script>")):
        return tag
    clean = WORD.sub(lambda found: OUT if known.has(html.unescape(found[0])) else found[0], tag[1:])
    return tag[0] + clean
