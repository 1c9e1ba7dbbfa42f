"""Look at the Slurm cluster, and write a profile with which Snakemake sends jobs to it.

Reads partitions, GPUs, limits and accounts, and asks Slurm whether it would take such jobs. What it
guesses wrongly can be named. Never writes over a file: a second name is a second try.

Examples:
  python -m cxrgrid.site                             # writes profiles/site/config.yaml
  python -m cxrgrid.site --gpu-partition short --out profiles/try
  snakemake --profile profiles/site -n
"""

import logging
import shlex
from pathlib import Path

import yaml

from cxrgrid.cluster.refusals import queues, refusal
from cxrgrid.cluster.site_profile import facts, profile
from cxrgrid.cluster.site_survey import Partition, Site, survey
from cxrgrid.config.errors import UserError, known
from cxrgrid.io import cli
from cxrgrid.io.atomic import write_text

NAMED = {
    "account": "who pays",
    "partition": "the queue for jobs without a GPU",
    "gpu_partition": "the queue for jobs with a GPU",
    "gpu_model": "which kind of GPU",
    "qos": "quality of service",
    "constraint": "a feature that the nodes with GPUs must have",
}


def chosen(site: Site, wanted: dict[str, str]) -> Partition | None:
    """The partition for jobs with a GPU; `UserError` where a name is none of the cluster's."""
    partitions = [each.name for each in site.partitions]
    for option in ("partition", "gpu_partition"):
        if option in wanted:
            known(wanted[option], partitions, f"--{option.replace('_', '-')}", "partition")
    if "account" in wanted and site.accounts:
        known(wanted["account"], site.accounts, "--account", "account")
    model = wanted.get("gpu_model", "")
    kinds = sorted({kind for each in site.partitions for kind in each.gpus if kind})
    if model:
        known(model, kinds, "--gpu-model", "GPU")
    return site.partition(wanted.get("gpu_partition", "")) or site.for_gpus(
        wanted.get("account", ""), model
    )


def request(text: str, rule: str, gpus: str) -> str:
    """An sbatch command such as a job of a rule sends, by a profile's text."""
    read = yaml.safe_load(text)
    asked = read["default-resources"] | read["set-resources"].get(rule, {})
    options = {"slurm_account": "-A", "slurm_partition": "-p", "qos": "-q", "constraint": "-C"}
    options |= {"runtime": "-t", "mem_mb": "--mem"}
    words = [
        f"{options[name]} {shlex.quote(str(asked[name]))}" for name in options if name in asked
    ]
    model = f"{asked['gpu_model']}:" if "gpu_model" in asked else ""
    return " ".join(["sbatch", *words, *([f"--gpus={model}{gpus}"] if gpus else [])])


def answer(command: str) -> str:
    """Slurm's answer to a job, in words; the job is not run."""
    said = refusal(command)
    if not said:
        return "Slurm would take it"
    if queues(command):
        return f"Slurm would let it wait: nodes are down or reserved ({said})"
    return f"REFUSED ({said})"


def main(argv: list[str] | None) -> None:
    parser = cli.parser("site", __doc__)
    for name, what in NAMED.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="NAME", help=what)
    parser.add_argument(
        "--out", type=Path, default=Path("profiles/site"), help="default: %(default)s"
    )
    args = parser.parse_args(argv)
    file = args.out / "config.yaml"
    if file.exists():
        raise UserError(f"{file}: is there, and stays; move it, or name another folder with --out")
    site = survey()
    if not site.partitions:
        raise UserError("no Slurm answers here (sinfo, scontrol); run this on a login node")
    wanted = {name: value for name in NAMED if (value := getattr(args, name))}
    gpu = chosen(site, wanted)
    text = profile(site, gpu, wanted)
    write_text(file, text)
    for line in facts(site):
        logging.info(line)
    logging.info(f"wrote {file}: jobs with a GPU go to {gpu.name if gpu else 'no partition'}")
    told = [
        f"a job {what}: {answer(request(text, rule, gpus))}"
        for what, rule, gpus in (("without a GPU", "score", ""), ("with a GPU", "train", "1"))
    ]
    if any("REFUSED" in line for line in told):
        told.append(f"first edit {file}, or name what is missing: cxrgrid site --help")
    for line in told:
        logging.info(line)
    logging.info(f"next: snakemake --profile {args.out} -n")


if __name__ == "__main__":
    cli.run(main)
