"""Draw the figures that the study asks for, as SVG; same numbers, same bytes.

Each file in src/cxrgrid/figures is a figure; the style of all is src/cxrgrid/style.py.

Example:
  python -m cxrgrid.figure results/demo/study.json --report results/demo/report \\
      --out-dir results/demo/report/figures
"""

import importlib
import io
import logging
from pathlib import Path

import matplotlib

from cxrgrid import command, style
from cxrgrid.frames import Frames, read


def render(name: str, frames: Frames) -> bytes:
    """A figure as SVG; its text stays text."""
    module = importlib.import_module(f"cxrgrid.figures.{name}")
    with matplotlib.rc_context(style.RC):
        file = io.BytesIO()
        module.draw(frames).savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def main(argv: list[str] | None) -> None:
    """Draw each figure to a file."""
    parser = command.parser("figure", __doc__)
    parser.add_argument("study", type=Path, help="study.json")
    parser.add_argument("--report", type=Path, required=True, help="the folder of metrics.csv")
    parser.add_argument("--data", type=Path, help="results/data, if not beside the study")
    parser.add_argument("--out-dir", type=Path, required=True, help="where the figures go")
    args = parser.parse_args(argv)
    frames = read(args.study, args.report, args.data)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name in frames.grid.figures():
        logging.info(f"drawing {name}")
        (args.out_dir / f"{name}.svg").write_bytes(render(name, frames))


if __name__ == "__main__":
    command.run(main)
