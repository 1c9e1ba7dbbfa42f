"""Files that a report folder must hold before it is read."""

from pathlib import Path

from cxrgrid.config.errors import UserError


def check_files(study: Path, report: Path, names: tuple[str, ...]) -> None:
    """`UserError` with the one command that completes a report, such as one of an early version.

    names: of its CSV files that are read.
    """
    missing = [f"{name}.csv" for name in names if not (report / f"{name}.csv").is_file()]
    if missing:
        raise UserError(
            f"{report}: no {', '.join(missing)}; the command that makes what is missing, without "
            f"a training: snakemake --configfile {study}"
        )
