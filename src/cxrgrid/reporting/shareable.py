"""A copy of the report to hand on: without pixels, names of files and patients, and paths.

What the config says in words of its own (title, labels, names of datasets and recipes) stays: read
it before you send the page.
"""

import html
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrgrid.evaluation.wording import many
from cxrgrid.io.account import user_name
from cxrgrid.io.parquet import read_parquet

OUT = "[left out]"
IDS = ("patient", "study")
FILE = re.compile(
    r".+\.(png|jpe?g|jp2|webp|bmp|tiff?|dcm|dicom|nii|npy|csv|tsv|xlsx?|json[l]?|parquet|txt"
    r"|ya?ml|zip|gz|safetensors|pth?|ckpt)",
    re.IGNORECASE,
)
ADDRESS = re.compile(
    r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}"
)  # of a person, or an account on a machine
LOCAL = re.compile(r"(?!https?://|hf[-_]hub:|hf:).*([/\\]|:/)")  # a path, in the config
PLACES = {"root", "file", "files"}  # settings of a config that name files and folders
TELLING = 5  # letters of an id that is no number by chance; shorter ones of digits are told apart
NAMED = re.compile(r",? (namely|such as|first) .*", re.DOTALL)
WORD = re.compile(r"[^\s<>\"'(),;:=&|]+")
FOLDER = re.compile(
    r"(?<![\w.</+-])(?:~|/(?!/))(?:[\w.@+-]+/)*[\w.@+-]*/?(?=[\w.@+-]|/|\b)[\w.@+-]*"
    r"|\b[A-Za-z]:\\[^\s<>\"']+|\\\\[\w.-]+\\[^\s<>\"']*|(?<![\w./])\.\./[\w./@+-]+"
)
WHOLE = re.compile(r"(data:[^\"')]+|<style>.*?</style>|<script>.*?</script>|<[^>]*>)", re.DOTALL)
DOWNLOADS = re.compile(r'<p class="downloads">.*?</p>\n?', re.DOTALL)
TO_CELL = re.compile(r'<a [^>]*href="cells/[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
KEPT = ("<style>", "<script>", "data:", "<path", "<use", "</")  # hold no words of the study
OWN = ("table.parquet", "audit.json", "study.json", "cell.json", "pixels.npy", "model.safetensors")
START = '<main id="main" tabindex="-1">'


@dataclass(frozen=True)
class Names:
    """Names that may not stand in the copy: of images, of patients, of this machine.

    patients: their ids and those of their studies; own: names of the report's own files, which may.
    """

    images: set[str]
    patients: set[str]
    machine: set[str]
    own: frozenset[str] = frozenset()

    def kind(self, word: str) -> str:
        """Kind of a word of the page that may not stand in the copy; else empty.

        Of a path each part is looked at.
        """
        word = word.strip(".!?[]{}#*“”‘’`")
        parts = {word, *re.split(r"[/\\]", word)}
        parts |= {part.rpartition(".")[0] for part in parts if FILE.fullmatch(part)}
        if parts & self.patients:
            return "patient or study id"
        if parts & self.images:
            return "name of an image"
        if ADDRESS.fullmatch(word) or {*parts, *re.split("[.@]", word)} & self.machine:
            return "path or name of this machine"
        file = FILE.fullmatch(word) and not word.startswith(("results/", "//"))
        return "name of a file" if file and word.rpartition("/")[2] not in self.own else ""

    def of_several_words(self) -> dict[str, list[str]]:
        """The names that are no single word of the page, such as `Doe, John`, by their first."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.images | self.patients, key=len, reverse=True):
            if not WORD.fullmatch(name) and (first := WORD.match(text := escaped(name))):
                found.setdefault(first[0], []).append(text)
        return found


def names(folders: Iterable[Path], report: Path) -> Names:
    """The names in each dataset's table.parquet, and of this machine and its user.

    report: folder whose files the page may name.
    """
    images: set[str] = set()
    patients: set[str] = set()
    for folder in folders:
        table = read_parquet(folder / "table.parquet", "image", "patient")[0]
        for path in table["image"].to_pylist():
            last = path.rpartition("/")[2]
            images |= {path, last, last.rpartition(".")[0]} - {""}
        for column in (name for name in IDS if name in table.column_names):
            patients |= {str(one) for one in table[column].to_pylist() if one is not None}
    home = Path(os.environ.get("HOME", "")).name
    machine = {socket.gethostname(), user_name(), home} - {"root", "user"}
    machine |= {name.partition(".")[0] for name in machine}
    telling = {name for name in patients | images if len(name) >= TELLING or not name.isdigit()}
    telling = {name for name in telling if re.search(r"\w", name)}
    own = frozenset({*OWN, *(path.name for path in report.rglob("*"))})
    machine = {name for name in machine if len(name) >= TELLING}
    return Names(images & telling, patients & telling, machine, own)


def escaped(text: str) -> str:
    """A text as the page's template writes it."""
    return html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


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


def config(value: Any, place: bool = False) -> Any:
    """A config without paths and names of files; place: of a setting that names some."""
    if isinstance(value, dict):
        return {name: config(below, place or name in PLACES) for name, below in value.items()}
    if isinstance(value, list):
        return [config(below, place) for below in value]
    return OUT if isinstance(value, str) and value and (place or LOCAL.match(value)) else value


def copy(page: str, known: Names, left: list[str]) -> tuple[str, str]:
    """The page without names, paths and links to files beside it; and what was taken out.

    left: what the page was laid out without.
    """
    page, taken = TO_CELL.sub(r"\1", DOWNLOADS.sub("", page)), Counter()
    longer = known.of_several_words()

    def out(kind: str) -> str:
        taken[kind] += 1
        return OUT

    def word(found: re.Match) -> str:
        kind = known.kind(html.unescape(found[0]))
        return out(kind) if kind else found[0]

    def folder(found: re.Match) -> str:
        short = found[0].startswith("/") and found[0].count("/") < 2
        return found[0] if short else out("path or name of this machine")

    def clean(part: str) -> str:
        for name in named(part, longer):
            part = part.replace(name, out("image or patient, of several words"))
        return WORD.sub(word, FOLDER.sub(folder, part))

    parts = WHOLE.split(page)
    parts[::2] = [clean(part) for part in parts[::2]]
    parts[1::2] = [part if part.startswith(KEPT) else clean(part) for part in parts[1::2]]
    found = [*left, *(f"{kind}: {count:,} times" for kind, count in sorted(taken.items()))]
    said = "; ".join(found) or "nothing, as there was nothing of the kind"
    note = f'<p class="note">A copy to hand on. Left out: {html.escape(said)}.</p>'
    return "".join(parts).replace(START, f"{START}\n{note}", 1), said


def named(part: str, longer: dict[str, list[str]]) -> list[str]:
    """Names of several words that stand in a part of the page."""
    words = {word for word in WORD.findall(part) if word in longer}
    return [name for word in sorted(words) for name in longer[word] if name in part]
