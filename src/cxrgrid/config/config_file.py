"""Faults of config files that YAML hides or tells badly, with the line of each.

YAML takes the last of two equal keys in silence, and Snakemake answers a tab, a text that is not
UTF-8 and an anchor inside itself without a line. Nothing here reads the settings themselves.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from cxrgrid.config.errors import UserError, suggest

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STRICTER = re.compile(r"[\t?]|[|>][-+\d]*#")  # some of it stops Snakemake's loader, not `Loader`
MERGE = "tag:yaml.org,2002:merge"  # `<<`, which may stand in a mapping more than once
# Of YAML's words those that say little, as regular expressions, and plainer ones.
PLAINER = {
    "mapping values are not allowed": "a second `: ` in the line; put its text in quotes",
    "expected ',' or": "a list or a {…} is not closed, or lacks a comma",
    "expected <document start>|did not find expected key|expected <block end>": (
        "the indentation differs from that of the lines above, or a quote is not closed"
    ),
    "could not find expected ':'": "no `: ` after the name of a setting",
    "found undefined alias": "`*` refers to an anchor that is not there; put the text in quotes",
    "cannot start any token": "@, `, % and tabs begin no text; put it in quotes",
    "another document": "a second document after `---`; one file is one study",
}


def check(paths: Iterable[Path | str]) -> None:
    """`UserError` at the first config file that is none, or holds a key twice.

    paths: all that `--configfile` has been given, first to last.
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        if said := fault(path):
            more = "" if path == paths[0] else target(path, paths[0])
            raise UserError(said + more)


def target(path: Path, first: Path) -> str:
    """Remedy where a target stands behind the first config file; empty if the name is a config's.

    Snakemake takes all words behind `--configfile` for config files.
    """
    if path.suffix in (".yaml", ".yml"):
        return ""
    return f"; if it is what you want to make: snakemake --configfile {first} -- {path}"


def fault(path: Path) -> str:
    """Fault of a config file, in one line that names the file and the line; empty if none."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return f"{path}, line {line}: not UTF-8; save the file as UTF-8"
    except OSError as error:
        return f"{path}: {missing(path) or error.strerror}"
    json_text = is_json(text)  # Snakemake reads that first, and else not by libyaml: tabs differ
    try:
        loader = (yaml.SafeLoader if STRICTER.search(text) and not json_text else Loader)(text)
        root = loader.get_single_node()
        if root is None:
            return f"{path}: is empty; config.yaml shows the settings of a study"
        if not isinstance(root, yaml.MappingNode):
            return f"{path}, line {line_of(root)}: no settings (name: value) but {kind(root)}"
        if said := next(hidden(root, (), set()), ""):
            return f"{path}, {said}"
        loader.construct_document(root)  # unknown tags, a list as a name, …
    except yaml.YAMLError as error:
        return "" if json_text else f"{path}, {told(error, text)}"
    except RecursionError:
        return f"{path}: lists or settings within each other by the hundred; write fewer"
    return ""


def missing(path: Path) -> str:
    """That there is no such file, and the nearest name beside it; empty if something is there."""
    if path.exists():
        return ""
    folder = path.parent
    if not folder.is_dir():
        return f"no such file; there is no folder {str(folder)!r}"
    there = sorted(item.name for item in folder.iterdir() if item.suffix in (".yaml", ".yml"))
    return f"no such file; {suggest(path.name, there)}" if there else "no such file"


def is_json(text: str) -> bool:
    """True if the text is a JSON object, which Snakemake tries first and which may hold tabs."""
    with contextlib.suppress(ValueError, RecursionError):
        return isinstance(json.loads(text), dict)
    return False


def told(error: yaml.YAMLError, text: str) -> str:
    """Line and reason of an error of YAML's."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # a control character
        line = text[: getattr(error, "position", 0)].count("\n") + 1
        return f"line {line}: a character that YAML does not allow; delete it"
    context = getattr(error, "context_mark", None)
    opened = "flow" in (error.context or "") and context is not None
    line = (context if opened else mark).line + 1
    lines = text.splitlines()
    there = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in there[: len(there) - len(there.lstrip())]:
        return f"line {mark.line + 1}: begins with a tab; YAML indents with spaces"
    words = error.problem or ""
    plain = next((said for found, said in PLAINER.items() if re.search(found, words)), words)
    return f"line {line}: {plain}"


def kind(node: yaml.Node) -> str:
    """A list or a text, in words."""
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the text {node.value[:40]!r}"


def line_of(node: yaml.Node) -> int:
    """Line of a node, from 1."""
    return node.start_mark.line + 1


def hidden(node: yaml.Node, above: tuple[int, ...], done: set[int]) -> Iterator[str]:
    """Faults that YAML reads without a word: a key twice, an anchor that holds itself.

    above: the nodes that hold this one; done: those that were looked through.
    """
    if id(node) in above:
        yield f"line {line_of(node)}: an anchor (&) whose own text refers to it (*)"
        return
    if id(node) in done:
        return
    done.add(id(node))
    if isinstance(node, yaml.ScalarNode) and not has_value(node):
        yield f"line {line_of(node)}: {node.value[:40]!r} is no date or number; put it in quotes"
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    seen: dict[tuple, int] = {}
    for key, _ in pairs:
        name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else (key.tag, id(key))
        if name in seen and key.tag != MERGE:
            yield f"line {line_of(key)}: a second {key.value!r}, after line {seen[name]}; keep one"
        seen[name] = line_of(key)
    for below in children(node):
        yield from hidden(below, (*above, id(node)), done)


def has_value(node: yaml.ScalarNode) -> bool:
    """False if a text looks like a date or a number, and is none: 2026-13-01."""
    with contextlib.suppress(yaml.YAMLError):  # of a tag, which is told with its line
        try:
            yaml.SafeLoader("").construct_object(node)
        except (ValueError, OverflowError, KeyError, AttributeError):
            return False
    return True


def children(node: yaml.Node) -> list[yaml.Node]:
    """Nodes directly below one."""
    if isinstance(node, yaml.MappingNode):
        return [below for pair in node.value for below in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def located(message: str, paths: Iterable[Path | str]) -> str:
    """A `UserError`'s message, with the file and the line of the setting that it names.

    paths: config files, of which later ones override earlier ones.
    """
    where, _, rest = message.partition(": ")
    asked = re.search(r"\b(?:no \w+|a label) (['\"])(.*?)\1", rest)
    for path in reversed([*paths]):
        with contextlib.suppress(OSError, ValueError, yaml.YAMLError, RecursionError):
            root = yaml.compose(Path(path).read_text("utf-8"), Loader=Loader)
            place, node = descend(root, where.removeprefix("config").lstrip("."))
            inner = named(node, asked[2]) if node is not None and asked else None
            if (found := inner or place) is not None and found is not root:
                return f"{os.path.relpath(path)}, line {line_of(found)}: {message}"
    return message


def descend(
    node: yaml.Node | None, path: str, place: yaml.Node | None = None
) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Key and value at a dotted path such as `overrides[0].set`; names may hold dots themselves.

    place: the key of `node`; of an entry of a list, the entry itself.
    """
    if not path or node is None:
        return place or node, node
    if item := re.match(r"\[(\d+)\]\.?", path):
        below = node.value[int(item[1])] if isinstance(node, yaml.SequenceNode) else None
        return descend(below, path[item.end() :], below)
    for key, below in node.value if isinstance(node, yaml.MappingNode) else []:
        rest = path.removeprefix(str(key.value))
        if rest != path and (not rest or rest[0] in ".["):
            return descend(below, rest.lstrip("."), key)
    return None, None


def named(node: yaml.Node, name: str) -> yaml.Node | None:
    """The key or entry of that name below a node, or else the value; the nearest to it counts.

    A table's path stands before the label that it does not have: which setting names the label is
    not said, but its line is the one to mend.
    """
    level, seen = [node], set()
    while level:
        below = [child for each in level for child in children(each)]
        if found := next((child for child in below if child.value == name), None):
            return found
        level = [*{id(each): each for each in below if id(each) not in seen}.values()]
        seen |= {id(each) for each in level}  # many aliases of one anchor are one
    return None
