"""Write a study down as it is run: `study.json`, which the later commands expand into cells.

Example:
  python -m cxrgrid.study "$(yq -o json config.yaml)" --out results/demo/study.json
"""

import json
from pathlib import Path

from cxrgrid.config.grid import Grid
from cxrgrid.io import cli


def main(argv: list[str] | None) -> None:
    """Check the config once more and write it."""
    parser = cli.parser("study", __doc__)
    parser.add_argument("config", help="the config as JSON")
    parser.add_argument("--out", type=Path, required=True, help="study.json")
    args = parser.parse_args(argv)
    config = json.loads(args.config)
    Grid(config)
    args.out.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.run(main)
