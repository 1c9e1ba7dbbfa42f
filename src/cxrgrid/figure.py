"""Draw the figures that the study asks for, as SVG and PDF; same numbers, same bytes.

Each file in src/cxrgrid/figures is a figure; the style of all is cxrgrid.reporting.figure_style.

Example:
  python -m cxrgrid.figure results/demo/study.json --report results/demo/report \\
      --out-dir results/demo/report/figures
"""

import importlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxrgrid.evaluation.wording import many
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_bytes
from cxrgrid.reporting import figure_style
from cxrgrid.reporting.results import Frames, read

# What matplotlib would else write of itself and of the time.
METADATA = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def render(name: str, frames: Frames) -> dict[str, bytes]:
    """A figure as `svg` and `pdf`; its text stays text."""
    module = importlib.import_module(f"cxrgrid.figures.{name}")
    drawn = {}
    with figure_style.applied(), without_glyphs(name):
        figure = figure_style.shorten_names(module.draw(frames), set(frames.metrics["label"]))
        figure_style.as_plain_text(figure)
        for kind, metadata in METADATA.items():
            file = io.BytesIO()
            figure.savefig(file, format=kind, metadata=metadata)
            drawn[kind] = file.getvalue()
    return drawn


@contextmanager
def without_glyphs(name: str) -> Iterator[None]:
    """Context in which letters that the font of all figures lacks are told in one line."""
    with warnings.catch_warnings(record=True) as told:
        yield
    found = [re.match(r"Glyph (\d+) ", str(each.message)) for each in told]
    for each in (each for each, glyph in zip(told, found, strict=True) if not glyph):
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if lacking := "".join(
        chr(number) for number in sorted({int(glyph[1]) for glyph in found if glyph})
    ):
        logging.info(f"{name}.pdf has boxes for {lacking}: DejaVu Sans lacks them; see {name}.svg")


def main(argv: list[str] | None) -> None:
    """Draw each figure to its files."""
    parser = cli.parser("figure", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--report", type=Path, required=True, help="the folder of metrics.csv")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--out-dir", type=Path, required=True, help="folder of the figures")
    args = parser.parse_args(argv)
    frames = read(args.study, args.report, args.data)
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # says of each font what it left out
    for name in frames.grid.figures():
        logging.info(f"drawing {name}")
        for kind, drawn in render(name, frames).items():
            write_bytes(args.out_dir / f"{name}.{kind}", drawn)
    logging.info(many(len(frames.grid.figures()), "figure"))


if __name__ == "__main__":
    cli.run(main)
