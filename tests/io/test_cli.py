"""Every command explains itself, and a mistake is one line."""

import errno
import os
import runpy
import subprocess
import sys

import pytest

from cxrgrid.io import cli
from test_architecture import doors

COMMANDS = sorted(doors())


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_help_shows_an_example(name, monkeypatch, capsys):
    """Run as `python -m` does, but in this process: most commands are long to import."""
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.setattr(cli, "leave", sys.exit)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"cxrgrid.{name}", run_name="__main__")
    assert ended.value.code == 0
    assert f"python -m cxrgrid.{name} " in capsys.readouterr().out


START = """
import atexit, sys
from cxrgrid.io import cli
from cxrgrid.config.errors import UserError

def main(argv):
    atexit.register(print, "and left")
    print("did something")
    {ending}

cli.run(main)
"""


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        ("return", 0, ""),
        ("raise UserError('not so')", 1, "error: not so\n"),
        ("raise KeyboardInterrupt", 130, ""),
        ("sys.exit(143)", 143, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no such cell')", 1, "no such cell\n"),
        ("raise ZeroDivisionError('a bug')", 1, "ZeroDivisionError: a bug\n"),
    ],
)
def test_a_quick_end_loses_nothing(ending, status, said):
    done = subprocess.run(
        [sys.executable, "-c", START.format(ending=ending)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (status, "did something\nand left\n")
    assert done.stderr.endswith(said) and bool(said) == bool(done.stderr)


def test_an_import_in_a_program_of_ones_own_changes_nothing():
    asks = "import cxrgrid.io.parquet, gc; print(gc.isenabled(), gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True)
    assert done.stdout == "True 0\n"


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


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "No space left on device; make room"),
        (errno.EACCES, "Permission denied; give yourself"),
        (errno.EROFS, "Read-only file system; name a folder"),
        (errno.EDQUOT, "Disk quota exceeded; make room"),
        (errno.ENAMETOOLONG, "File name too long; shorten"),
        (errno.EEXIST, "File exists; a file stands where a folder is wanted"),
        (errno.EMFILE, "Too many open files; raise the limit"),
    ],
)
def test_what_the_system_refuses_is_one_line(capsys, number, said):
    def main(argv):
        raise OSError(number, os.strerror(number), "out/x.csv")

    assert cli.status(main) == 1
    assert capsys.readouterr().err.startswith(f"error: out/x.csv: {said}")


def test_an_error_of_no_known_remedy_is_raised(capsys):
    with pytest.raises(ConnectionResetError):
        cli.status(lambda argv: (_ for _ in ()).throw(ConnectionResetError(104, "reset")))


def test_what_the_system_refuses_another_library_is_one_line(capsys):
    words = "unable to open file <a/model.safetensors> in read-only mode: Too many open files (24)"
    assert cli.status(lambda argv: (_ for _ in ()).throw(RuntimeError(words))) == 1
    said = "error: a/model.safetensors: Too many open files; raise the limit: ulimit -n 4096\n"
    assert capsys.readouterr().err == said
