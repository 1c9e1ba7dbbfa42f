"""Partitions, GPUs, limits and accounts of a Slurm cluster, as its own commands tell them."""

import re
from dataclasses import dataclass, field

from cxrgrid.cluster import slurm
from cxrgrid.io.account import user_name

UNLIMITED = 10**6  # minutes


@dataclass(frozen=True)
class Partition:
    """A partition that is up. minutes: longest time; gpus: most of each kind on one node.

    A kind without a name is "". cpus, memory: of its largest node, MB; preempt: how its jobs
    make room for others, or empty.
    """

    name: str
    default: bool
    minutes: int
    accounts: tuple[str, ...]
    preempt: str
    nodes: int
    cpus: int
    memory: int
    gpus: dict[str, int]

    def takes(self, accounts: list[str]) -> bool:
        """True if jobs of one of these accounts may go there."""
        return "ALL" in self.accounts or not {*accounts}.isdisjoint(self.accounts)


@dataclass(frozen=True)
class Site:
    """A cluster. accounts: mine, the default first; jobs: most in the queue, None if unlimited.

    config: of Slurm, by name.
    """

    partitions: list[Partition]
    accounts: list[str]
    jobs: int | None
    config: dict[str, str] = field(default_factory=dict)

    def partition(self, name: str) -> Partition | None:
        """A partition by its name."""
        return next((each for each in self.partitions if each.name == name), None)

    def default(self) -> Partition | None:
        """Partition of a job that names none."""
        return next((each for each in self.partitions if each.default), None)

    def payer(self, partition: Partition | None) -> str:
        """The account of mine that a partition wants; empty where it takes the default one."""
        if not partition or not self.accounts or partition.takes(self.accounts[:1]):
            return ""
        return next((name for name in self.accounts if partition.takes([name])), "")

    def for_gpus(self, account: str = "", model: str = "") -> Partition | None:
        """The best partition for a training; one that stays rather than one that is taken away."""
        mine = [account] if account else self.accounts
        found = [p for p in self.partitions if p.gpus and p.takes(mine)]
        found = [p for p in found if not model or model in p.gpus]

        def worth(one: Partition) -> tuple:
            return not one.preempt, min(one.minutes, 1440), one.default, one.nodes

        return max(found, key=worth, default=None)


def survey() -> Site:
    """The cluster that this machine sends jobs to; without partitions where no Slurm answers."""
    nodes: dict[str, list[list[str]]] = {}
    for line in slurm.ask("sinfo", "-hN", "-o", "%R|%G|%c|%m"):
        name, *facts = line.split("|")
        nodes.setdefault(name, []).append(facts)
    rows = [facts_of(line) for line in slurm.ask("scontrol", "show", "partition", "-o")]
    rows = [row for row in rows if row.get("State") == "UP"]
    top = max((int(row.get("PriorityTier", 1)) for row in rows), default=1)
    found = [partition(row, nodes.get(row["PartitionName"], []), top) for row in rows]
    config = {}
    for line in slurm.ask("scontrol", "show", "config"):
        name, _, value = line.partition("=")
        config[name.strip()] = value.strip()
    accounts, limits = associations()
    return Site(found, accounts, min(limits, default=None), config)


def facts_of(line: str) -> dict[str, str]:
    """One line of `scontrol show … -o` as names and values."""
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def partition(row: dict[str, str], nodes: list[list[str]], top: int) -> Partition:
    """A partition, from scontrol's row and those of sinfo for its nodes; top: highest tier."""
    mode = row.get("PreemptMode", "OFF")
    lower = int(row.get("PriorityTier", 1)) < top
    most: dict[str, int] = {}
    for gres, _, _ in nodes:
        for kind, number in gpus(gres).items():
            most[kind] = max(number, most.get(kind, 0))
    return Partition(
        name=row["PartitionName"],
        default=row.get("Default") == "YES",
        minutes=minutes(row.get("MaxTime", "UNLIMITED")),
        accounts=tuple(row.get("AllowAccounts", "ALL").split(",")),
        preempt=mode if lower and mode not in ("OFF", "GANG", "DISABLED") else "",
        nodes=len(nodes),
        cpus=max((int(cpus) for _, cpus, _ in nodes if cpus.isdigit()), default=0),
        memory=max((int(memory.strip("+")) for *_, memory in nodes), default=0),
        gpus=most,
    )


def gpus(gres: str) -> dict[str, int]:
    """Number of each kind of GPU in a node's `gpu:a100:4(S:0-1),…`; without a kind, of ""."""
    found: dict[str, int] = {}
    for kind, number in re.findall(r"\bgpu:(?:([^:,(]+):)?(\d+)", gres):
        found[kind] = found.get(kind, 0) + int(number)
    return found


def minutes(text: str) -> int:
    """Minutes of Slurm's `[days-]hours:minutes:seconds`, or `UNLIMITED`."""
    return int(slurm.clock(text) // 60) or UNLIMITED


def associations() -> tuple[list[str], list[int]]:
    """My accounts, the default first, and the limits on my jobs in the queue; none unrecorded."""
    user = f"user={user_name()}"
    rows = slurm.ask("sacctmgr", "-nP", "show", "assoc", user, "format=account,maxsubmitjobs,qos")
    found = [row.split("|") for row in rows if row.count("|") == 2]
    usual = slurm.ask("sacctmgr", "-nP", "show", "user", user_name(), "format=defaultaccount")
    accounts = list(dict.fromkeys([*filter(None, usual), *(row[0] for row in found)]))
    limits = [int(limit) for _, limit, _ in found if limit.isdigit()]
    mine = {name for *_, names in found for name in names.split(",")}
    shown = slurm.ask("sacctmgr", "-nP", "show", "qos", "format=name,maxsubmitjobsperuser")
    of_qos = [row.split("|") for row in shown if row.count("|") == 1]
    limits += [int(limit) for name, limit in of_qos if name in mine and limit.isdigit()]
    return accounts, limits
