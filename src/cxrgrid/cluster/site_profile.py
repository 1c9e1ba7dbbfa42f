"""A profile of Snakemake for one Slurm cluster, written from its survey and explained."""

import re

from cxrgrid.cluster.site_survey import UNLIMITED, Partition, Site
from cxrgrid.config.shipped import FOLDER

MARK = "# ---- how jobs are sent and watched"  # begins what is the same for all sites
DAY = 1440  # minutes that a training asks for of whose kind none has run
WHERE = 34  # column of comments


def lines(site: Site, gpu: Partition | None, wanted: dict[str, str]) -> list[str]:
    """The site's part of a profile. wanted: what the user names, by the names of the options."""
    cpu = site.partition(wanted.get("partition", "")) or site.default()
    where = wanted.get("partition") or ("" if cpu else next(iter(names(site)), ""))
    asked = {
        "slurm_account": wanted.get("account") or site.payer(cpu),
        "slurm_partition": where,
        "qos": wanted.get("qos", ""),
        "runtime": min(60, cpu.minutes if cpu else 60),
        "mem_mb": min(8000, cpu.memory if cpu and cpu.memory else 8000),
    }
    default = site.default()
    elsewhere = gpu and (not default or gpu.name != default.name or where)
    special = {
        "nodes": 1,
        "slurm_account": "" if wanted.get("account") else site.payer(gpu),
        "slurm_partition": gpu.name if gpu and elsewhere else "",
        "gpu_model": wanted.get("gpu_model", ""),
        "constraint": wanted.get("constraint", ""),
    }
    limit = gpu.minutes if gpu and gpu.minutes < DAY else ""
    threads = min(4, max(1, gpu.cpus // max(1, sum(gpu.gpus.values())))) if gpu else 4
    widest = cpu.cpus if cpu and cpu.cpus else 16
    if cpu and cpu.nodes == 1:  # on which a Snakemake that is a job itself has its two
        widest = max(1, widest - 2)
    return [
        "default-resources:",
        *stated(asked),
        "set-resources:",
        "  explain: &gpu".ljust(WHERE) + "# every job with a GPU",
        *stated(special, 4),
        "  predict: *gpu",
        "  shift: *gpu",
        "  train:",
        "    <<: *gpu",
        """    slurm_extra: "'--signal=USR1@120'"  # a training saves 120 s before its limit""",
        *stated({"runtime": limit}, 4),
        "set-threads:",
        *stated({"train": threads, "pixels": min(16, widest)}),
    ]


def stated(settings: dict[str, str | int], indent: int = 2) -> list[str]:
    """One line for each setting that has a value."""
    return [f"{' ' * indent}{name}: {value}" for name, value in settings.items() if value != ""]


def names(site: Site) -> list[str]:
    """Names of the partitions without GPUs, then of the others."""
    return [p.name for p in sorted(site.partitions, key=lambda p: bool(p.gpus))]


def told(one: Partition) -> str:
    """A partition in words."""
    kinds = ", ".join(f"{n} {kind or 'GPUs'}" for kind, n in one.gpus.items()) or "no GPU"
    longest = "any time" if one.minutes == UNLIMITED else f"at most {one.minutes} min"
    words = [f"{one.nodes} node{'s' * (one.nodes != 1)}", f"{one.cpus} CPUs", kinds, longest]
    words += ["the default"] if one.default else []
    words += [f"its jobs make room for others ({one.preempt})"] if one.preempt else []
    words += [] if "ALL" in one.accounts else [f"for {', '.join(one.accounts)}"]
    return f"{one.name}: {', '.join(words)}"


def facts(site: Site) -> list[str]:
    """The cluster in words, one line each: what its settings mean for a run."""
    config = site.config
    accounting = "none" not in config.get("AccountingStorageType", "none")
    cgroup = "cgroup" in config.get("ProctrackType", "") + config.get("TaskPlugin", "")
    found = [f"partition {told(each)}" for each in site.partitions]
    found += [f"accounts {', '.join(site.accounts)}"] if site.accounts else []
    found += [f"at most {site.jobs} of your jobs in the queue"] if site.jobs else []
    found.append(f"accounting {'is kept' if accounting else 'is not kept (no sacct)'}")
    found.append(f"ended jobs are remembered for {config.get('MinJobAge', 'an unknown time')}")
    found.append(f"memory is {'limited by cgroups' if cgroup else 'not limited by cgroups'}")
    return found


def profile(site: Site, gpu: Partition | None, wanted: dict[str, str]) -> str:
    """Text of the profile's config.yaml."""
    base = (FOLDER / "profiles/slurm/config.yaml").read_text("utf-8")
    shared = base[base.index(MARK) :]
    if site.jobs:
        shared = re.sub(r"^jobs: \d+ ", f"jobs: {min(100, site.jobs)} ", shared, flags=re.M)
    if gpu and gpu.preempt == "CANCEL":
        shared = re.sub(r"^retries: \d+ ", "retries: 10 ", shared, flags=re.M)
    head = ["# Written by `cxrgrid site`; edit it as you like. docs/cluster.md explains each line."]
    head += [f"#   {line}" for line in facts(site)]
    return "\n".join([*head, "", *lines(site, gpu, wanted), "", shared])
