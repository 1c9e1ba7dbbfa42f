"""A calm console for Snakemake: one line per finished job, the whole's progress, failures.

Snakemake finds it by its name, which profiles/default gives: `logger: [cxrgrid]`. Where a person
asks for more or for less (-p, --verbose, --debug-dag, --quiet), Snakemake prints its own words. The
log file in .snakemake/log holds everything in any case.
"""

import re
import sys
from logging import ERROR, INFO, WARNING, LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from cxrgrid.cluster import stored_paths
from cxrgrid.config import config_file
from cxrgrid.config.errors import UserError
from cxrgrid.evaluation.wording import many
from snakemake_logger_plugin_cxrgrid.job import Job, configs, in_short, rerun, said
from snakemake_logger_plugin_cxrgrid.screen import RED, YELLOW, Screen
from snakemake_logger_plugin_cxrgrid.tally import Tally

# Said at every start, of every job, or of a failure that has a line already.
NOISE = re.compile(
    r"Assuming unrestricted shared|Config file .* is \w+ by additional|Building DAG of jobs"
    r"|Using shell: |Conda environments: ignored|Singularity containers: ignored|Select jobs to"
    r"|Job rate limit reached|Execute \d+ jobs|Group jobs: inactive|Processed \d+ potential jobs"
    r"|Retrieving from storage: |Storing in storage: |Finished (retrieval|upload)\."
    r"|Removing local copy of storage file|Skipped removing non-empty directory"
    r"|Submitted (group )?job \S+ with external jobid|Uploading source archive"
    r"|Removing output files of failed job|SLURM run ID: |Job \d+ has been submitted"
    r"|Waiting at most \d+ seconds for missing files|Exiting because a job execution failed"
    r"|WorkflowError:\nAt least one job did not complete"
    r"|Reasons:\n|Some jobs were triggered by provenance|Rules with provenance triggered"
)
AGAIN = re.compile(r"Trying to restart job (\d+)")
END = re.compile(r"Elapsed time: ")
DRY = re.compile(r"This was a dry-run")


class LogHandler(LogHandlerBase):
    """Receives Snakemake's log records, in a thread of its own, and prints what a person wants."""

    has_filter = True  # its own: none
    has_formatter = True
    needs_rulegraph = False
    writes_to_file = False

    def __post_init__(self) -> None:
        asked = self.common_settings
        more = asked.printshellcmds or asked.verbose or asked.debug_dag
        self.calm = not (more or asked.quiet)
        self.tally = Tally()
        self.fault: str | None = None  # of a config file
        stream = sys.stdout if asked.stdout else sys.stderr
        self.screen = Screen(stream, asked.nocolor, self.tally.status, self.lock)
        self.tells = {LogEvent.ERROR: self.message, None: self.message}
        if asked.dryrun:
            self.tells |= {LogEvent.RUN_INFO: self.table, LogEvent.JOB_INFO: self.planned}
        else:
            self.tells |= {LogEvent.RUN_INFO: self.begin, LogEvent.JOB_INFO: self.started}
            self.tells |= {LogEvent.JOB_FINISHED: self.finished, LogEvent.JOB_ERROR: self.failed}
        if self.calm:
            # The handler of .snakemake/log is made after this one, from the same settings.
            asked.printshellcmds = True

    @property
    def writes_to_stream(self) -> bool:
        """True if this handler speaks; if not, Snakemake adds its own."""
        return self.calm

    def emit(self, record: LogRecord) -> None:
        """Print what a record tells, if anything; an error here ends no run."""
        if record.levelno >= ERROR and self.misread():
            return
        tell = self.tells.get(getattr(record, "event", None))
        if self.calm and tell:
            try:
                tell(record)
            except Exception:
                self.handleError(record)

    def misread(self) -> bool:
        """True if no run began as a config file is at fault; the first time, say what is wrong.

        Snakemake reads `--configfile` before the Snakefile, and has no line number for it.
        """
        if self.fault is None and not self.tally.planned:
            try:
                config_file.check(configs(sys.argv[1:]))
            except UserError as error:
                self.fault = str(error)
                self.screen.say(f"error: {error}", RED)
        return self.fault is not None

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.screen.close()
        super().close()

    def table(self, record: LogRecord) -> None:
        """Of a dry run: its table of jobs, below the jobs; Snakemake tells it above them too."""
        if self.tally.planned:
            self.screen.say(f"\n{record.msg}")
        self.tally.plan(record.stats)

    def planned(self, record: LogRecord) -> None:
        """Of a dry run: a job, and why it would run."""
        job = Job.of(record)
        if job.rule in self.tally.planned:
            self.screen.say(f"{self.tally.named(job)}  {in_short(record.reason)}")

    def begin(self, record: LogRecord) -> None:
        """Jobs that will run, by rule."""
        self.tally.plan(record.stats)
        rules = ", ".join(f"{rule} {count}" for rule, count in self.tally.planned.items())
        self.screen.say(f"{many(sum(self.tally.planned.values()), 'job')}: {rules}")

    def started(self, record: LogRecord) -> None:
        """A job runs, or is sent to the cluster; the last line of a terminal says so."""
        self.tally.start(record.jobid, Job.of(record))
        self.screen.refresh()

    def finished(self, record: LogRecord) -> None:
        """One line: what, its result, how long it took; and to a file the time that is left."""
        job = self.tally.end(record.job_id, record.created)
        if job.rule not in self.tally.planned:  # `all`
            return
        left = [] if self.screen.live else [self.tally.left(record.created)]
        words = [self.tally.named(job), job.result(), job.duration(record.created), *left]
        self.screen.say("  ".join([self.tally.counter(), *filter(None, words)]))

    def failed(self, record: LogRecord) -> None:
        """A failure: why, its logs, and the command that reruns the job."""
        job = self.tally.fail(record.jobid, Job.of(record))
        after, told = job.duration(record.created), getattr(record, "rule_msg", None) or ""
        self.screen.say(f"failed  {job.title} after {after}  {job.reason(told)}", RED)
        for log in said(record.log):
            self.screen.say(f"        log: {log}")
        for output in job.output[:1]:
            self.screen.say(f"        rerun: {rerun(output, sys.argv[1:])}")

    def message(self, record: LogRecord) -> None:
        """Anything else that Snakemake has to say, unless it says so every time."""
        text = record.getMessage()
        text = stored_paths.fault(text) or text
        if again := AGAIN.match(text):
            self.screen.say(f"again   {self.tally.known[int(again[1])].title}")
        elif END.match(text):
            self.screen.say(self.tally.summary(record.created))
        elif DRY.match(text):
            self.screen.say("Nothing was run (-n). With -p as well: each job's files and command.")
        elif not NOISE.match(text) and not of_a_job(record):
            colours = {INFO: 0, WARNING: YELLOW}
            self.screen.say(text, colours.get(record.levelno, RED))


def of_a_job(record: LogRecord) -> bool:
    """True if the record repeats, with its command, a failure that JOB_ERROR tells."""
    return (
        getattr(record, "exception", "") == "RuleException" and "CalledProcessError" in record.msg
    )
