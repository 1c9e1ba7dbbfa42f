"""Reasons, as Slurm's squeue names them, for which a job waits and may never start."""

import re
from collections import Counter
from collections.abc import Sequence
from logging import Logger

# Held by somebody, asking for what its partition, quality of service or account never gives,
# nodes that are away, a budget that is used up. Others (Priority, Resources, limits of what may run
# at once) pass when other jobs end.
STAYS = (
    r"JobHeld|^Bad|^Invalid|NotAllowed|PerJob|WallDuration|^Partition(Time|Node)Limit"
    r"|^Partition(Down|Inactive)|Minutes|NotAvail"
)


def tell(rows: Sequence[Sequence[str]], told: set[str], logger: Logger) -> None:
    """Say once of each such reason how many jobs wait for it. rows: id, state, reason.

    told: the reasons that were told before.
    """
    why_of = [why.partition(",")[0] for _, state, why in rows if state == "PENDING"]
    found = Counter(why for why in why_of if re.search(STAYS, why))
    for why, count in found.items():
        if why not in told:
            logger.warning(
                f"{count} {'job waits' if count == 1 else 'jobs wait'} in the queue for {why}, "
                'which may not pass by itself: docs/cluster.md, "While it runs", says what it means'
            )
    told.update(found)
