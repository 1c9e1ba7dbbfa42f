"""A job as a person knows it: its name, how long it took, what came of it, why it failed."""

import contextlib
import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from logging import LogRecord
from pathlib import Path

from cxrgrid.cluster import progress, slurm, stored_paths, training_progress
from cxrgrid.cluster.wording import duration, failure

LONGEST = 60  # characters of a result
# Options of snakemake that a rerun needs, and how many values each takes.
KEPT = {"--configfile": math.inf, "--configfiles": math.inf, "--config": math.inf, "-C": math.inf}
KEPT |= {"--profile": 1, "--workflow-profile": 1, "--executor": 1, "-e": 1}
KEPT |= {"--snakefile": 1, "-s": 1, "--directory": 1, "-d": 1}


@dataclass(frozen=True)
class Job:
    """A job that has been started, or sent to a cluster. began: seconds since the epoch."""

    rule: str
    wildcards: dict[str, str]
    output: list[str]
    log: list[str]
    benchmark: str | None
    began: float

    @classmethod
    def of(cls, record: LogRecord) -> "Job":
        """The job of a JOB_INFO record, or, as far as it tells, of a JOB_ERROR record."""
        known = vars(record)
        return cls(
            rule=record.rule_name,
            wildcards=dict(known.get("wildcards", {})),
            output=[stored_paths.named(path) for path in record.output],
            log=[stored_paths.named(path) for path in record.log],
            benchmark=stored_paths.named(known.get("benchmark") or "") or None,
            began=record.created,
        )

    @property
    def name(self) -> str:
        """ward/resnet10t/pretrained seed 0: the wildcards, without a recipe that is `default`."""
        parts, more = [], []
        for key, value in self.wildcards.items():
            if key == "fold":
                more += [value.replace("/fold", "fold ")] if value else []
            elif key == "seed":
                more.append(f"{key} {value}")
            elif key == "target" and parts:
                more.append(f"on {value}")
            elif value and (key, value) != ("recipe", "default"):
                parts.append(value)
        return " ".join(["/".join(parts), *more]).strip()

    @property
    def title(self) -> str:
        """Its rule and its name."""
        return f"{self.rule} {self.name}".rstrip()

    def duration(self, now: float) -> str:
        """Time that it took, in words: as its benchmark says, else since it was started or sent."""
        file = stored_paths.here(self.benchmark) if self.benchmark else None
        measured = progress.benchmark(file.parent) if file else 0
        return duration(measured or now - self.began)

    def result(self) -> str:
        """The last line of its log, in which a command says what it has made."""
        lines = []
        with contextlib.suppress(OSError):
            lines = progress.tail(stored_paths.here(self.log[0])) if self.log else []
        last = stored_paths.told_of(lines[-1]) if lines else ""
        return last if len(last) <= LONGEST else f"{last[: LONGEST - 1]}…"

    def reason(self, told: str = "") -> str:
        """Reason of its failure, as its log or Slurm tells; else what the executor has `told`."""
        if not self.log:
            return "it has no log"
        sent = slurm.logs(self.study(), self.rule, list(self.wildcards.values()))
        cause, said = progress.explain(stored_paths.here(self.log[0]), sent)
        if said in (progress.NOT_RUN, progress.AT_START) and told:
            return told.partition("For further error details")[0].strip(" :\n")
        return failure(cause, stored_paths.told_of(said))

    def study(self) -> str:
        """Study whose results it makes; any of data and weights, which serve all."""
        parts = Path(self.output[0]).parts if self.output else ()
        named = parts[1] if parts[:1] == ("results",) else slurm.ANY
        return slurm.ANY if named in ("data", "weights") else named

    def training(self) -> training_progress.TrainingProgress | None:
        """Progress of a training that says so; None of other jobs."""
        if not self.output:
            return None
        return training_progress.read(stored_paths.here(str(Path(self.output[0]).parent)))


def said(logs: Sequence[str]) -> list[str]:
    """The logs that are not empty: a command that never began has none, or has written nothing."""
    found = []
    for log in logs:
        name = stored_paths.stored_name(log)
        with contextlib.suppress(OSError):
            found += [name] if name != log or Path(log).stat().st_size else []
    return found


def in_short(reason: str) -> str:
    """Snakemake's reason to run a job, without the files and values that it lists."""
    parts = re.split(r"; (?=[A-Z])", reason)
    return "; ".join(part.partition(":")[0].lower() for part in parts)


def configs(arguments: list[str]) -> list[str]:
    """Paths of the config files that a command line of snakemake names."""
    found, inside = [], False
    for word in arguments:
        option, assigned, value = word.partition("=")
        if word.startswith("-"):
            inside = option in ("--configfile", "--configfiles")
            found += [value] if inside and assigned else []
        elif inside:
            found.append(word)
    return found


def rerun(output: str, arguments: list[str]) -> str:
    """The command that makes a job's output, with what `arguments` say of config and place."""
    kept, room = [], 0.0
    for word in arguments:
        option, assigned, _ = word.partition("=")
        if word.startswith("-"):
            values = 1.0 if option.startswith(stored_paths.OPTIONS) else KEPT.get(option, 0.0)
            room = 0.0 if assigned else values
            kept += [word] if values else []
        elif room:
            kept.append(word)
            room -= 1
    return shlex.join(["snakemake", output, *kept])
