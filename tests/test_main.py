"""`cxrgrid`: the commands by stage, the nearest name to a typo, and a start that imports little."""

import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cxrgrid import __main__ as console
from test_architecture import HEAVY, ROOT, RULES, doors


def cxrgrid(*arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    """A finished `python -m cxrgrid`."""
    command = [sys.executable, *options, "-m", "cxrgrid", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_alone_it_lists_every_command_once_with_a_line():
    done = cxrgrid()
    listed = re.findall(r"^  (\w+) +\S.*[.:]$", done.stdout, re.M)
    assert (done.returncode, sorted(listed)) == (0, sorted(doors()))


def test_stages_are_those_of_the_workflow_in_the_order_of_its_rules():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        rules = re.findall(r"^rule (\w+):", path.read_text(), re.M)
        assert list(console.STAGES[path.stem]) == rules
    assert (
        set(RULES) < {name for names in console.STAGES.values() for name in names} <= set(doors())
    )


def test_a_command_of_no_stage_is_a_tool():
    assert console.stages(["train", "invented"])["tools"] == ["invented"]


def test_a_line_fits_a_narrow_terminal():
    commands = console.overview(50).splitlines()[len(console.USAGE.splitlines()) :]
    assert max(map(len, commands)) == 50


def test_little_is_imported_and_the_start_is_quick():
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = cxrgrid(options=("-X", "importtime"))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "cxrgrid" in imported
    assert not imported & (HEAVY | {"msgspec", "yaml", "snakemake"})
    assert min(spent) < 0.2  # seconds of CPU; the least, since others work on the machine too


@pytest.mark.parametrize("typed", ["settings", "settings --manual", "study {} "])
def test_it_is_the_same_as_python_m(typed):
    name, *arguments = typed.split()
    direct = [sys.executable, "-m", f"cxrgrid.{name}", *arguments]
    expected = subprocess.run(direct, capture_output=True, text=True)
    done = cxrgrid(name, *arguments)
    assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout)
    assert done.stderr.split() == expected.stderr.replace("python -m cxrgrid.", "cxrgrid ").split()


def test_a_name_may_have_a_hyphen(monkeypatch):
    called = []
    monkeypatch.setattr(console.os, "execve", lambda *given: called.append(given[1]))
    monkeypatch.setattr(sys, "argv", ["cxrgrid", "find-lr", "x"])
    console.main()
    assert called == [[sys.executable, "-m", "cxrgrid.find_lr", "x"]]


def test_help_names_the_command_as_it_was_typed():
    told = cxrgrid("deploy", "--help").stdout
    direct = subprocess.run(
        [sys.executable, "-m", "cxrgrid.deploy", "--help"], capture_output=True, text=True
    ).stdout
    assert told.startswith("usage: cxrgrid deploy ") and "python -m cxrgrid" not in told
    assert direct.startswith("usage: python -m cxrgrid.deploy ")
    assert told.split() == direct.replace("python -m cxrgrid.", "cxrgrid ").split()


def test_a_typo_gets_the_nearest_name_and_status_2():
    done = cxrgrid("statsu", "--failed")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: no command 'statsu'; did you mean 'status'?\n"


def test_version_and_console_script_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cxrgrid("--version").stdout == f"cxrgrid {project['version']}\n"
    module, _, function = project["scripts"]["cxrgrid"].partition(":")
    assert module == "cxrgrid.__main__" and callable(getattr(console, function))
    assert Path(console.__file__).name == "__main__.py"


def test_a_mistyped_option_gets_the_nearest_one():
    done = cxrgrid("--versoin")
    assert done.returncode == 2
    assert done.stderr == "error: no option --versoin; did you mean '--version'?\n"
