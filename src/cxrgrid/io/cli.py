"""The command line of every command: `--help` with examples, one-line errors, a quick exit.

A log that receives stdout and stderr begins with the command, as it can be pasted.
"""

import argparse
import atexit
import gc
import logging
import os
import shlex
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cxrgrid.config.errors import UserError
from cxrgrid.io import atomic

TYPED = "CXRGRID_TYPED"  # in the environment: what was typed for `python -m cxrgrid.<name>`
PROMPT = "$ "  # before the command in the first line of a log


def parser(name: str, doc: str) -> argparse.ArgumentParser:
    """Argument parser of `python -m cxrgrid.<name>`; its help is the module's docstring.

    Both name the command as it was started: `cxrgrid <name>` where that was typed.
    """
    typed = os.environ.pop(TYPED, "")
    return argparse.ArgumentParser(
        prog=typed or f"python -m cxrgrid.{name}",
        description=doc.replace("python -m cxrgrid.", "cxrgrid ") if typed else doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def resamples(text: str) -> int:
    """Value of `--resamples`: 100 or more, as fewer make no interval."""
    number = int(text)
    if number < 100:
        raise argparse.ArgumentTypeError(f"{number} resamples make no interval; 100 or more do")
    return number


def minimum(text: str) -> int:
    """Value of `--minimum`: 1 or more images."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is no number of images; 1 or more, please")
    return number


def run(main: Callable[[list[str] | None], None]) -> None:
    """Call `main` and end the process; a `UserError` becomes one line on stderr and status 1."""
    in_utf8()
    for stream in (sys.stdout, sys.stderr):  # a letter that the terminal lacks ends no command
        stream.reconfigure(errors="backslashreplace")
    gc.enable()
    gc.freeze()  # what was imported stays: looking through it is never worth the time
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if logged():
        print(PROMPT + command(main), file=sys.stderr, flush=True)
    try:
        leave(status(main))
    finally:  # only where something unforeseen was raised
        gc.unfreeze()


def in_utf8() -> None:
    """Start the process anew in Python's UTF-8 mode, where the locale has another encoding.

    Names of images and texts are then the same under every locale.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def logged() -> bool:
    """True if stdout and stderr both go to one file, as in a rule: `> {log} 2>&1`."""
    try:
        out, err = os.fstat(1), os.fstat(2)
    except OSError:  # one of them is closed
        return False
    return stat.S_ISREG(out.st_mode) and os.path.samestat(out, err)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name what a training reads: --data, --pool and --weights."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="results/data/{dataset}; with train_on one folder per dataset, the cell's own first",
    )
    parser.add_argument(
        "--pool",
        type=Path,
        help="with train_on: images that are like held-out images, as `pool` writes",
    )
    parser.add_argument(
        "--weights", type=Path, help="the initial weights, if not where the cell's settings say"
    )


def add_recalibration(parser: argparse.ArgumentParser) -> None:
    """Add the flags --calibrate and --platt, which set `calibrate`."""
    parser.add_argument(
        "--calibrate",
        action="store_const",
        const="temperature",
        default="none",
        help="scale by temperature before",
    )
    parser.add_argument(
        "--platt",
        action="store_const",
        const="platt",
        dest="calibrate",
        help="instead: recalibrate by intercept and slope",
    )


def command(main: Callable) -> str:
    """The command that runs `main` in this process, as it can be pasted."""
    spec = main.__globals__.get("__spec__")
    module = ["-m", spec.name] if spec else sys.argv[:1]
    return shlex.join(["python", *module, *sys.argv[1:]])


def status(main: Callable[[list[str] | None], None]) -> int:
    """Call `main` and return the exit status of its process, 0 for success."""
    try:
        main(None)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough: `cxrgrid status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # the system's, or another library's that has it inside
        if not (line := atomic.said(error)):
            raise
        print(f"error: {line}", file=sys.stderr)
        return 1
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    return 0


def leave(code: int) -> None:
    """Exit without destroying the process's objects, which takes a second for torch's alone."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    os._exit(code)
