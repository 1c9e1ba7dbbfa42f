"""The shape of the house: who may import whom, one name for rule, command, module, test, log."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/cxrgrid"

# Imports go down this list only.
LEVELS = [
    {"selection"},
    {"preparation"},
    {"recipe"},
    {"settings"},
    {"check"},
    {"check_files", "check_grid", "check_recipe", "check_report", "check_selection"}
    | {"check_transfer"},
    {"config"},
    {"files", "stop"},
    {"command", "data", "disk", "lock", "slurm", "tone"} | {"lungs"},
    {"cost", "dicom", "feed"},
    {
        "anatomy",
        "augment",
        "charts",
        "confusion",
        "datasets",
        "delong",
        "draft",
        "image",
        "lists",
        "metrics",
        "models",
        "objective",
        "papers",
        "policy",
        "predictions",
        "progress",
        "published",
        "sampling",
        "schedule",
        "section",
        "seeds",
        "significance",
        "state",
        "stats",
        "subsets",
        "survey",
        "twins",
    },
    {"ensemble", "explained", "matching", "pointing"},
    {
        "calibration",
        "comparison",
        "filters",
        "frames",
        "guess",
        "launch",
        "monitor",
        "needs",
        "shortcuts",
    },
    {"style", "transfer"},
    {"crossing"},
    {
        "audits",
        "beside",
        "contrasts",
        "figures",
        "findings",
        "history",
        "literature",
        "step",
        "subgroups",
        "versus",
    }
    | {"operating", "rates"},
    {"cards", "evaluation", "pages", "gradcam", "outcomes", "trained"},
    {"embedding", "explanations", "gaps", "links", "model_card", "sinks"},
    {"scoresheet"},
]
TORCH = {"augment", "cost", "feed", "find_lr", "history", "models", "monitor", "objective"}
TORCH |= {"apply", "embedding", "explain", "export", "find_speed", "gradcam", "trained"}
TORCH |= {"predict", "schedule", "state", "step", "train", "weights"}
RULES = {
    name: body
    for path in (ROOT / "workflow/rules").glob("*.smk")
    for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.M | re.S)
}


def modules() -> dict[str, list[ast.AST]]:
    """Each module or folder of the package, with the syntax trees of its files."""
    found: dict[str, list[ast.AST]] = {}
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        found.setdefault(name, []).append(ast.parse(path.read_text()))
    found.pop("__init__")
    return found


def imported(trees: list[ast.AST]) -> set[str]:
    """Dotted names that a module imports, anywhere in it."""
    names = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def level(name: str) -> int:
    """The level of a module; commands stand on top."""
    return next((n for n, names in enumerate(LEVELS) if name in names), len(LEVELS))


def test_imports_only_go_down():
    for name, trees in modules().items():
        below = {
            dotted.split(".")[1] for dotted in imported(trees) if dotted.startswith("cxrgrid.")
        }
        for other in below - {name}:
            assert level(other) < level(name), f"{name} imports {other}"


def test_torch_is_imported_in_few_rooms():
    rooms = {
        name
        for name, trees in modules().items()
        if any(
            dotted.split(".")[0] in ("torch", "timm", "torchvision") for dotted in imported(trees)
        )
    }
    assert rooms <= TORCH


def test_the_config_is_light():
    heavy = {"numpy", "pandas", "pyarrow", "torch", "timm", "matplotlib", "sklearn", "scipy"}
    light = set().union(*LEVELS[: LEVELS.index({"config"}) + 1])
    for name in light:
        assert not {dotted.split(".")[0] for dotted in imported(modules()[name])} & heavy


@pytest.mark.parametrize("rule", sorted(RULES))
def test_rule_is_command_is_module_is_test_is_log(rule):
    assert f"python -m cxrgrid.{rule} " in RULES[rule]
    assert (SOURCE / f"{rule}.py").is_file()
    assert (ROOT / f"tests/test_{rule}.py").is_file()
    log = re.search(r'log:\s+"([^"]+)"', RULES[rule])
    assert log and re.search(rf"[/.]{rule}\.log$", log[1])
    assert '"""' in RULES[rule], "a rule says what it does"


def test_no_rule_hides_logic():
    text = (ROOT / "Snakefile").read_text() + "".join(RULES.values())
    assert not re.search(r"\blambda\b|\brun:|\bscript:|\bdef ", text)


def test_every_command_shows_an_example():
    for name, trees in modules().items():
        if level(name) == len(LEVELS):
            doc = ast.get_docstring(trees[0])
            assert f"python -m cxrgrid.{name} " in doc, name


def test_files_stay_readable():
    for path in SOURCE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 280, path.name
