"""The command line of every command: `--help` with examples, one-line errors, a quick exit."""

import argparse
import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from cxrgrid.config.errors import UserError


def parser(command: str, doc: str) -> argparse.ArgumentParser:
    """Argument parser of `python -m cxrgrid.<command>`; its help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m cxrgrid.{command}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def resamples(text: str) -> int:
    """Value of `--resamples`: 100 or more, as fewer make no interval."""
    number = int(text)
    if number < 100:
        raise argparse.ArgumentTypeError(f"{number} resamples make no interval; 100 or more do")
    return number


def run(main: Callable[[list[str] | None], None]) -> None:
    """Call `main` and end the process; a `UserError` becomes one line on stderr and status 1."""
    gc.enable()
    gc.freeze()  # what was imported stays: looking through it is never worth the time
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        leave(status(main))
    finally:  # only where something unforeseen was raised
        gc.unfreeze()


def status(main: Callable[[list[str] | None], None]) -> int:
    """Call `main` and return the exit status of its process, 0 for success."""
    try:
        main(None)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
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
