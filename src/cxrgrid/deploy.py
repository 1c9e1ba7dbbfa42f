"""Write a folder that runs the workflow as a Snakemake module: Snakefile, config, profiles.

For an installed cxrgrid without a clone. What is there already stays as it is, so that in a folder
made by `snakedeploy deploy-workflow` the profiles are added.

Example:
  python -m cxrgrid.deploy chest       # then: cd chest, edit config/config.yaml, snakemake
"""

import shutil
from pathlib import Path

from cxrgrid.config.shipped import FOLDER
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text

SNAKEFILE = """# cxrgrid's rules with this folder's config; results go to results/ here.
from cxrgrid.config.shipped import SNAKEFILE

if "datasets" not in config:  # another study: snakemake --configfile …

    configfile: "config/config.yaml"


module cxrgrid:
    snakefile:
        str(SNAKEFILE)
    config:
        config


use rule * from cxrgrid
"""
SCHEMA = "workflow/schemas/config.schema.json"


def contents() -> dict[str, str]:
    """Text of each file of the folder, by its path in it."""
    demo = (FOLDER / "config.yaml").read_text("utf-8")
    found = {"workflow/Snakefile": SNAKEFILE}
    found["config/config.yaml"] = demo.replace(f"$schema={SCHEMA}", f"$schema=../{SCHEMA}")
    found[SCHEMA] = (FOLDER / SCHEMA).read_text("utf-8")
    for path in sorted((FOLDER / "profiles").glob("*/config.yaml")):
        found[path.relative_to(FOLDER).as_posix()] = path.read_text("utf-8")
    return found


def deploy(folder: Path) -> list[str]:
    """Write the files that are not there; one line per file."""
    said = []
    for name, text in contents().items():
        path = folder / name
        if path.exists():
            said.append(f"kept   {path}")
            continue
        write_text(path, text)
        said.append(f"wrote  {path}")
    return said


def main(argv: list[str] | None) -> None:
    """Write the folder, and say what to do next."""
    parser = cli.parser("deploy", __doc__)
    parser.add_argument("folder", type=Path, help="the folder; made if it is not there")
    args = parser.parse_args(argv)
    print("\n".join(deploy(args.folder)))
    print(f"\nnext: cd {args.folder}; edit config/config.yaml; snakemake -n, then snakemake")
    if shutil.which("snakemake") is None:
        print("(activate the environment of cxrgrid first: snakemake is not on the PATH)")


if __name__ == "__main__":
    cli.run(main)
