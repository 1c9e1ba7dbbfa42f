"""Frames that are worked out once for all tables and figures of a report."""

import functools
from collections.abc import Callable

import pandas as pd


def kept(method: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """The method, which works once per object and arguments, and then returns copies.

    Its arguments must have a hash. A copy shares its values until one of the two changes.
    """

    @functools.wraps(method)
    def once(self: object, *given: object) -> pd.DataFrame:
        known = vars(self).setdefault(f"kept {method.__name__}", {})
        if given not in known:
            known[given] = method(self, *given)
        return known[given].copy(deep=False)

    return once
