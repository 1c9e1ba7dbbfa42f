"""Write the checked config of a study as run, `study.json`, which later commands expand into cells.

Example:
  python -m cxrgrid.study .snakemake/cxrgrid/0123456789abcdef.json --out results/demo/study.json
"""

import json
from pathlib import Path

from cxrgrid.config.errors import UserError
from cxrgrid.config.grid import Grid
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text


def read(text: str) -> dict:
    """A config from its JSON or from the path of a JSON file."""
    try:
        return json.loads(text if text.startswith("{") else Path(text).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"not a config: {error}") from None


def main(argv: list[str] | None) -> None:
    """Check the config once more and write it."""
    parser = cli.parser("study", __doc__)
    parser.add_argument("config", help="a JSON file of the config, or the JSON itself")
    parser.add_argument("--out", type=Path, required=True, help="study.json")
    args = parser.parse_args(argv)
    config = read(args.config)
    Grid(config)
    write_text(args.out, json.dumps(config, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.run(main)
