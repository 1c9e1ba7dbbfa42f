"""study.json: the study as it was run, read back by the commands that come after its cells."""

from pathlib import Path

from cxrgrid.config.check_files import ANEW, read_config
from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid


def read_grid(path: str | Path) -> Grid:
    """The grid of a study.json, or of a run's copy of its config; `UserError` with the path."""
    config = read_config(path)
    try:
        return Grid(config)
    except UserError as error:
        raise UserError(
            f"{path}: {error}. If another version of cxrgrid wrote it: {ANEW}"
        ) from None
