"""What every command shares: `--help` with examples, and one clear line for a user's mistake."""

import argparse
import logging
import sys
from collections.abc import Callable

from cxrgrid.config import UserError


def parser(command: str, doc: str) -> argparse.ArgumentParser:
    """A parser for `python -m cxrgrid.<command>` whose help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m cxrgrid.{command}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(main: Callable[[list[str] | None], None]) -> None:
    """Call `main`; a `UserError` becomes one line on stderr and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        main(None)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
