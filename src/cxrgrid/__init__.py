"""Grids of chest X-ray experiments: datasets × backbones × inits × recipes × seeds.

`cxrgrid.load("results/demo")` gives a study's results as data frames.
"""

import gc
import os
import sys
from typing import Any

__all__ = ["load"]

# So it is while `python -m cxrgrid.<command>` finds its module. Looking for garbage among what is
# being imported is a quarter of an import's cost; `command.run` turns it on again.
if sys.argv[0] == "-m":
    gc.disable()
    # A notebook names a backend for whatever it starts, which need not be installed here; and each
    # figure sets its own style.
    os.environ |= {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    if "CXRGRID_FORKS" in os.environ:  # in a job of several: one has done the imports for all
        from cxrgrid.io import forks

        forks.hand_over(sys.orig_argv[-len(sys.argv) :])


def load(results: Any) -> Any:
    """Results of a study as data frames: cells, scores, history, comparisons, predictions.

    results: the folder results/{study}, or its study.json. docs/use.md, cxrgrid.reporting.loaded.
    """
    from cxrgrid.reporting import loaded

    return loaded.load(results)
