"""The shape of the house: who may import whom, one name for rule, command, module, test, log."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/cxrgrid"

# Imports go down this list only; what lies flat in the package are the doors, on top.
ROOMS = [
    {"config"},
    {"io"},
    {"data", "anatomy"},
    {"datasets", "models"},
    {"evaluation", "cluster", "drafting"},
    {"comparison", "training"},
    {"inference"},
    {"reporting"},
    {"tables"},
    {"figures"},
]
TORCH_ROOMS = {"models", "training", "inference", "data.loader"}
TORCH_DOORS = {
    "apply",
    "explain",
    "export",
    "find_lr",
    "find_speed",
    "predict",
    "shift",
    "train",
    "weights",
}
# Tests of no one door or room.
OVERALL = {"docs", "architecture", "console", "environments", "machines", "main"}
OVERALL |= {"interrupted", "studies", "workflow"}
# A docstring that begins with one of these has no verb: "What a run says of itself".
QUESTIONS = {"What", "Whether", "Whom", "Where", "How", "Which", "Whose", "Who"}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
HEAVY = {"numpy", "pandas", "pyarrow", "torch", "timm", "matplotlib", "sklearn", "scipy"}
RULES = {
    name: body
    for path in (ROOT / "workflow/rules").glob("*.smk")
    for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.M | re.S)
}


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Each module of the package by its dotted name, without the package itself."""
    paths = {path: path.relative_to(SOURCE).with_suffix("").parts for path in SOURCE.rglob("*.py")}
    names = {
        path: ".".join(part for part in parts if part != "__init__")
        for path, parts in paths.items()
    }
    return {name: ast.parse(path.read_text()) for path, name in names.items() if name}


def imported(tree: ast.AST) -> set[str]:
    """Dotted names that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            names |= {f"{start}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            # Ours alone: what is heavy is imported so where it is seldom needed.
            said = {name.value for name in node.args if is_text(name)}
            names |= {name for name in said if name.startswith("cxrgrid.")}
    return names


def room(name: str) -> str:
    """The room of a module, by its dotted name; a door is a room by itself."""
    return name.split(".")[0]


def floor(name: str) -> int:
    """Position of a module's room in the order; doors are the last."""
    return next((at for at, rooms in enumerate(ROOMS) if room(name) in rooms), len(ROOMS))


def doors() -> dict[str, ast.Module]:
    """The commands."""
    found = {name: tree for name, tree in modules().items() if floor(name) == len(ROOMS)}
    return {name: tree for name, tree in found.items() if name != "__main__"}


def test_every_folder_is_a_room_and_says_what_belongs_there():
    folders = {path.parent.name: path for path in SOURCE.glob("*/__init__.py")}
    assert {path.parent.name for path in SOURCE.glob("*/*.py")} == set().union(*ROOMS)
    assert set(folders) == set().union(*ROOMS)
    for name, path in folders.items():
        lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
        assert len(lines) >= 3, f"{name}: what belongs there and what does not"


def test_imports_only_go_down_and_doors_import_no_doors():
    for name, tree in modules().items():
        found = {dotted for dotted in imported(tree) if dotted.startswith("cxrgrid.")}
        for other in {dotted.removeprefix("cxrgrid.") for dotted in found}:
            assert room(other) == room(name) or floor(other) < floor(name), (
                f"{name} imports {other}"
            )


def test_imports_name_the_room():
    for name, tree in modules().items():
        assert not {dotted for dotted in imported(tree) if dotted.startswith(".")}, name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("def f():\n    from ..comparison.choice import ENTRY", "..comparison.choice.ENTRY"),
        ("importlib.import_module('cxrgrid.comparison')", "cxrgrid.comparison"),
    ],
)
def test_an_import_is_seen_however_it_is_written(line, name):
    assert imported(ast.parse(line)) == {name}


def test_torch_is_imported_in_few_rooms():
    for name, tree in modules().items():
        if {dotted.split(".")[0] for dotted in imported(tree)} & {"torch", "timm", "torchvision"}:
            assert {name, room(name)} & (TORCH_ROOMS | TORCH_DOORS), name


def test_the_config_is_light():
    for name, tree in modules().items():
        if room(name) == "config":
            assert not {dotted.split(".")[0] for dotted in imported(tree)} & HEAVY, name


@pytest.mark.parametrize("rule", sorted(RULES))
def test_rule_is_command_is_module_is_test_is_log(rule):
    assert f"python -m cxrgrid.{rule} " in RULES[rule]
    assert rule in doors()
    assert (ROOT / f"tests/test_{rule}.py").is_file()
    log = re.search(r'log:\s+"([^"]+)"', RULES[rule])
    assert log and re.search(rf"[/.]{rule}(\{{image\}})?\.log$", log[1])
    assert '"""' in RULES[rule], "a rule says what it does"


def test_no_rule_hides_logic():
    text = (ROOT / "workflow/Snakefile").read_text() + "".join(RULES.values())
    assert not re.search(r"\blambda\b|\brun:|\bscript:|\bdef ", text)


def test_every_command_shows_an_example():
    for name, tree in doors().items():
        _, _, example = ast.get_docstring(tree).partition("\nExample")
        assert f"  python -m cxrgrid.{name} " in example, name


def test_every_command_starts_alike():
    for name in doors():
        text = (SOURCE / f"{name}.py").read_text()
        assert text.endswith('if __name__ == "__main__":\n    cli.run(main)\n'), name
        assert "\ndef main(argv: list[str] | None) -> None:\n" in text, name
        assert f'cli.parser("{name}", __doc__)' in text, name


def test_functions_and_files_are_short():
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 280, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 40, f"{path}: {node.name}"


def test_tests_lie_in_the_rooms_of_what_they_test():
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert tested <= set().union(*ROOMS) | {"gpu"}  # what a real card does
    for path in (ROOT / "tests").glob("test_*.py"):
        name = path.stem.removeprefix("test_")
        assert name in doors() or name in OVERALL, path.name


def test_docstrings_say_what_a_thing_returns_or_does():
    found = []
    for path in [p for name in ("src", "tests", "benchmarks") for p in (ROOT / name).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, DOCUMENTED):
                summary = (ast.get_docstring(node) or "").partition("\n\n")[0]
                firsts = [words.split()[0] for words in re.split(r"[.;:]\s+", summary) if words]
                found += [f"{path.relative_to(ROOT)}: {first} …" for first in {*firsts} & QUESTIONS]
    assert found == []


# Calls that write a file, by the name of the method or function.
WRITERS = {"write_text", "write_bytes", "to_csv", "to_parquet", "to_excel", "to_json", "savefig"}
WRITERS |= {"savez_compressed", "tofile", "copyfile", "copy2", "copytree", "ParquetWriter"}
WRITERS |= {"to_pickle", "to_feather", "memmap"}
WRITERS |= {"save", "save_file", "write_table", "open", "ZipFile", "dump", "savetxt", "savez"}
# What is written to: the file that io.atomic puts in place, or memory.
WHOLE = {"partial", "file", "archive", "whole"}
OTHERWISE = {
    "io.atomic": "the one way itself",
    "data.pixel_arrays": "an array that grows in a hidden file of its own, from which it goes on",
    "io.locks": "an empty file",
    "io.name_locks": "an empty file, and its holder",
    "cluster.slurm": "notes of ours at the end of a job's log",
    "cluster.side_by_side": "a job's log",
    "data.spreadsheets": "a table in memory",
}


def target(call: ast.Call) -> ast.expr | None:
    """The expression that a call writes to; None if it writes nothing, or returns the text."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in WRITERS or (isinstance(call.func, ast.Name) and name.startswith("write_")):
        return None
    if name in ("open", "ZipFile"):
        modes = [a.value for a in (*call.args, *(k.value for k in call.keywords)) if is_text(a)]
        if not any(mode[:1] in ("w", "x", "a") and len(mode) < 4 for mode in modes):
            return None
    method = name in ("write_text", "write_bytes") or (name == "open" and called_on_path(call))
    if method:
        return call.func.value
    return ast.Tuple(call.args) if call.args else None


def is_text(node: ast.expr) -> bool:
    """True for a literal string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def called_on_path(call: ast.Call) -> bool:
    """True for `path.open(…)`, not for `open(path, …)` or a module's open."""
    return isinstance(call.func, ast.Attribute)


def half_written(tree: ast.Module) -> list[str]:
    """Calls of a module that write to a file under its final name."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        to = target(call)
        names = {node.id for node in ast.walk(to) if isinstance(node, ast.Name)} if to else WHOLE
        if not names & WHOLE:
            found.append(ast.unparse(call)[:80])
    return found


def test_every_file_is_put_in_place_whole():
    # Phantoms are put in place with their whole folder.
    own = {name for name in modules() if name.startswith("datasets.")} | OTHERWISE.keys()
    found = {name: half_written(tree) for name, tree in modules().items() if name not in own}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_a_writer_that_leaves_half_a_file_is_seen():
    for line in ("path.write_text(text)", "np.save(out, x)", "open(path, 'w')", "a.to_csv(out)"):
        assert half_written(ast.parse(line))
    for line in ("partial.write_text(text)", "write_text(path, text)", "a.to_csv(index=False)"):
        assert not half_written(ast.parse(line))
    assert not half_written(ast.parse("path.open('rb')"))


def test_no_image_is_opened_but_by_the_decoders_of_the_list():
    """Pillow would start other programs, such as Ghostscript for EPS."""
    assert any(opens_any_image(ast.parse("Image.open(path)")))
    for path in SOURCE.rglob("*.py"):
        assert not any(opens_any_image(ast.parse(path.read_text()))), path.name


def opens_any_image(tree: ast.Module) -> Iterator[bool]:
    """True for each call of `Image.open` without formats."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func).endswith("Image.open"):
            yield "formats" not in {keyword.arg for keyword in call.keywords}


TAKEN = re.compile(r"read_parquet\(([^()]*)\)\[0\](?:\.select\()?\[(\"[^\]]*)\]")


def test_columns_that_are_taken_from_a_table_at_once_are_asked_for():
    """`read_parquet(path, "x")[0]["x"]`: a file without the column is then one line."""
    assert TAKEN.findall('read_parquet(path)[0]["x"]') == [("path", '"x"')]
    for path in SOURCE.rglob("*.py"):
        for asked, taken in TAKEN.findall(path.read_text()):
            words = [set(re.findall(r'"(\w+)"', text)) for text in (taken, asked)]
            assert words[0] <= words[1], f"{path.name}: {taken}"
