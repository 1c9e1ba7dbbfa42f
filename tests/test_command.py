"""Every command explains itself, and a mistake is one line."""

import subprocess
import sys

import pytest

from test_architecture import LEVELS, level, modules

COMMANDS = sorted(name for name in modules() if level(name) == len(LEVELS))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name):
    done = subprocess.run(
        [sys.executable, "-m", f"cxrgrid.{name}", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert f"python -m cxrgrid.{name} " in done.stdout


def test_a_users_mistake_is_one_line_and_status_one(tmp_path):
    command = [
        sys.executable,
        "-m",
        "cxrgrid.study",
        '{"study": "x"}',
        "--out",
        str(tmp_path / "s"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
