"""`cxrgrid` lists the commands by stage; `cxrgrid status …` is `python -m cxrgrid.status …`."""

import ast
import os
import shutil
import signal
import sys
from pathlib import Path

from cxrgrid.config.errors import suggest

# Those of the workflow stand in the order of its rules; a command that is not named is a tool.
STAGES = {
    "start": ("new", "deploy", "site", "status"),
    "data": ("phantom", "index", "pixels", "split", "audit"),
    "train": ("weights", "pool", "train", "predict", "shift", "explain"),
    "evaluate": ("study", "score", "robustness"),
    "report": ("overlap", "collect", "choose", "compare", "table", "figure", "report"),
}
TYPED = "CXRGRID_TYPED"  # in the environment: a command's name for its help (io/cli.py)
OPTIONS = ["--help", "--version"]
USAGE = """usage: cxrgrid COMMAND …           the same as python -m cxrgrid.COMMAND …
       cxrgrid COMMAND --help      what a command makes, from what, with examples
       cxrgrid --version"""


def commands() -> dict[str, Path]:
    """Source file of each command, by name."""
    found = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return {path.stem: path for path in found}


def summary(path: Path) -> str:
    """First line of a module's docstring; the module is not imported."""
    return (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0]


def stages(names: list[str]) -> dict[str, list[str]]:
    """The commands among `names` of each stage, and under `tools` those of none."""
    found = {stage: [name for name in own if name in names] for stage, own in STAGES.items()}
    placed = {name for own in found.values() for name in own}
    return found | {"tools": [name for name in names if name not in placed]}


def overview(width: int) -> str:
    """Usage, and one line of at most `width` characters per command."""
    known = commands()
    lines = [USAGE]
    for stage, names in stages(list(known)).items():
        lines += ["", stage]
        lines += [cut(f"  {name:<11} {summary(known[name])}", width) for name in names]
    return "\n".join(lines)


def cut(line: str, width: int) -> str:
    """The line, or as much of it as fits into `width` characters, ending in an ellipsis."""
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def main() -> None:
    """List the commands, or become the one that is named; status 2 if there is none such."""
    # As other tools: no traceback where the reader of a pipe has seen enough.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h", "help"):
        shown = shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000
        print(overview(shown))
        return
    if name == "--version":
        from importlib.metadata import version

        print(f"cxrgrid {version('cxrgrid')}")
        return
    if name.startswith("-"):
        print(f"error: no option {name}; {suggest(name, OPTIONS)}", file=sys.stderr)
        sys.exit(2)
    command, known = name.replace("-", "_"), list(commands())
    if command not in known:
        print(f"error: no command {name!r}; {suggest(command, known)}", file=sys.stderr)
        sys.exit(2)
    # Replaced, not called: `status` and the cluster's tests know a training by its command line.
    typed = os.environ | {TYPED: f"cxrgrid {name}"}
    os.execve(sys.executable, [sys.executable, "-m", f"cxrgrid.{command}", *arguments], typed)


if __name__ == "__main__":
    main()
