"""Resources that the command line sets for a rule, beside those that the profile sets for it.

To Snakemake `--set-resources train:slurm_partition=short` takes the place of all that stands under
`set-resources` in a profile, also of the signal before the time limit. Here it changes that alone.
"""

import sys
from pathlib import Path
from typing import Any

from snakemake.cli import get_profile_dir, parse_set_resources, parse_set_threads
from snakemake.profiles import ProfileConfigFileParser
from snakemake.resources import Resources

from cxrgrid.cluster.run_config import profile


def keep(workflow: Any) -> None:
    """Add what a named profile sets for rules, where the command line sets something else too."""
    words = sys.argv
    if given("--set-resources", words):
        settings, there = workflow.resource_settings, entries(words)
        first = settings.overwrite_resources
        rules = parse_set_resources(there.get("set-resources"))
        for rule in {*rules, *first}:
            both = {**rules.get(rule, {}), **first.get(rule, {})}
            rules[rule] = Resources(both)
        settings.overwrite_resources = rules
    if given("--set-threads", words):
        settings, there = workflow.resource_settings, entries(words)
        threads = parse_set_threads(there.get("set-threads"))
        settings.overwrite_threads = {**threads, **settings.overwrite_threads}


def given(option: str, words: list[str]) -> bool:
    """True if an option stands on a command line."""
    return any(word.partition("=")[0] == option for word in words)


def entries(words: list[str]) -> dict[str, Any]:
    """Entries of the profile that a command line names, as Snakemake reads them; none without."""
    named = profile(words)
    found = get_profile_dir(named[1]) if named else None
    if not found:
        return {}
    with Path(found[1]).open(encoding="utf-8") as file:
        return ProfileConfigFileParser().parse(file)
