"""Words of a run that are no settings of the study: `max_cells` and `reread`, given by --config."""

from typing import Any

from cxrgrid.config.errors import UserError, known

MOST_CELLS = 2_000
ALL, NONE = "all", "none"  # as `reread`: every dataset that has changed, or not one


def limit(value: Any) -> int:
    """`max_cells` of a command line as a number; `UserError` if it is none."""
    if not str(value).isdigit() or int(value) < 1:
        raise UserError(f"max_cells: a whole number above 0, please, not {value!r}")
    return int(value)


class Reread:
    """Datasets that are read again once they have changed, as `reread` says.

    value: of a command line: names of datasets, `all` or `none`; without a name, what no training
    rests on is read again. `UserError` for a name that no dataset has.
    """

    def __init__(self, value: Any, datasets: list[str]):
        given = value.split(",") if isinstance(value, str) else value
        if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
            raise UserError(f"reread: names of datasets, all or none, please, not {value!r}")
        self.names = [name.strip() for name in given if name.strip()]
        for name in self.names:
            known(name, [*datasets, ALL, NONE], "reread", "dataset")

    def asked(self, name: str) -> bool:
        """True if a dataset is to be read again even if trainings rest on it."""
        return name in self.names or ALL in self.names

    def wanted(self, name: str, trained: int) -> bool:
        """True if a dataset is to be read again; trained: number of cells that rest on it."""
        return self.asked(name) if self.names else not trained
