"""Counts and times of a run's jobs, and from these the time that is left."""

import time
from statistics import mean

from cxrgrid.cluster.wording import duration
from cxrgrid.evaluation.wording import many
from snakemake_logger_plugin_cxrgrid.job import Job

SHOWN = 3  # jobs under way that are named, and asked how far they are
WIDE = 48  # characters to which names are padded, at most
DEAREST = "train"  # the rule without whose cost nothing can be said of the whole
EARLY = 0.05  # share of the time to come that a training runs before its estimate counts
LESS = 4  # times that a job of an unknown rule costs less than one of the dearest


class Tally:
    """Jobs planned, under way, done and failed in one run. Times: seconds since the epoch."""

    def __init__(self):
        self.planned: dict[str, int] = {}  # number of jobs, by rule
        self.known: dict[int, Job] = {}  # every job that was started
        self.running: dict[int, Job] = {}
        self.spent: dict[str, list[float]] = {}  # seconds of each job that is done, by rule
        self.broken: set[int] = set()  # failed, and not done since
        self.began = time.time()
        self.width = 0

    def plan(self, stats: dict[str, int]) -> None:
        """Snakemake's table of jobs; the rule `all` makes nothing and does not count."""
        self.planned = {rule: n for rule, n in stats.items() if rule not in ("all", "total")}

    def start(self, number: int, job: Job) -> None:
        """A job is under way."""
        self.known[number] = self.running[number] = job

    def end(self, number: int, now: float) -> Job:
        """A job is done."""
        job = self.known[number]
        self.running.pop(number, None)
        self.broken.discard(number)
        if job.rule in self.planned:
            self.spent.setdefault(job.rule, []).append(now - job.began)
        return job

    def fail(self, number: int, told: Job) -> Job:
        """A job has failed. told: what its failure says of it, for one that never started."""
        self.broken.add(number)
        self.running.pop(number, None)
        return self.known.setdefault(number, told)

    @property
    def done(self) -> int:
        """Number of jobs that are done."""
        return sum(map(len, self.spent.values()))

    def named(self, job: Job) -> str:
        """Rule and name in columns."""
        self.width = min(WIDE, max(self.width, len(job.name)))
        return f"{job.rule:<8} {job.name:<{self.width}}"

    def counter(self) -> str:
        """Number of jobs that are done, of all: ` 3/12`."""
        total = sum(self.planned.values())
        return f"{self.done:>{len(str(total))}}/{total}"

    def waiting(self) -> dict[str, int]:
        """Number of jobs that have not been started, by rule."""
        started = [job.rule for job in self.running.values()]
        started += [self.known[number].rule for number in self.broken - self.running.keys()]
        started += [rule for rule, spent in self.spent.items() for _ in spent]
        return {rule: n - started.count(rule) for rule, n in self.planned.items()}

    def costs(self, now: float) -> dict[str, float]:
        """Seconds of a job by rule: of those done, else as those under way foretell."""
        told: dict[str, list[float]] = {}
        for job in list(self.running.values())[:SHOWN]:
            training = None if job.rule in self.spent else job.training()
            so_far = now - job.began
            if training and training.left is not None and so_far > EARLY * training.left:
                told.setdefault(job.rule, []).append(so_far + training.left)
        return {rule: mean(seconds) for rule, seconds in (told | self.spent).items()}

    def seconds_left(self, now: float) -> float | None:
        """Seconds to come, if as many jobs go on side by side; None before a training can tell."""
        costs = self.costs(now)
        if not costs or (DEAREST in self.planned and DEAREST not in costs):
            return None
        usual = max(costs.values()) / LESS
        running = [(now - job.began, job.rule) for job in self.running.values()]
        work = sum(n * costs.get(rule, usual) for rule, n in self.waiting().items())
        work += sum(max(0.0, costs.get(rule, usual) - so_far) for so_far, rule in running)
        return work / self.side_by_side(now)

    def side_by_side(self, now: float) -> float:
        """Mean number of jobs under way at a time: of trainings since the first of them, if any."""
        jobs = [job for job in self.known.values() if job.rule == DEAREST]
        rules = [DEAREST] if jobs else list(self.planned)
        began = min([job.began for job in jobs], default=self.began)
        busy = sum(sum(self.spent.get(rule, [])) for rule in rules)
        busy += sum(now - job.began for job in self.running.values() if job.rule in rules)
        return max(1.0, busy / max(1.0, now - began))

    def left(self, now: float) -> str:
        """The time that is left, in words; empty where it is not known, or nothing is to come."""
        seconds = self.seconds_left(now)
        if seconds is None or self.done + len(self.broken) >= sum(self.planned.values()):
            return ""
        return f"about {duration(seconds)} left"

    def status(self) -> str:
        """The last line of a terminal while jobs run: progress, time left, what is under way."""
        now, jobs = time.time(), [j for j in self.running.values() if j.rule in self.planned]
        if not jobs:
            return ""
        names = [f"{job.title}{epoch(job)} {duration(now - job.began)}" for job in jobs[:SHOWN]]
        names += [f"{len(jobs) - SHOWN} more"] if len(jobs) > SHOWN else []
        return "  ".join(filter(None, [self.counter(), self.left(now), ", ".join(names)]))

    def summary(self, now: float) -> str:
        """The last words of a run."""
        failed = f", {len(self.broken)} failed" if self.broken else ""
        total, spent = sum(self.planned.values()), duration(now - self.began)
        return f"{self.done} of {many(total, 'job')} done{failed}, in {spent}"


def epoch(job: Job) -> str:
    """Epoch that a training is in, if it says so."""
    told = job.training()
    return f" epoch {told.epoch}/{told.epochs}" if told else ""
