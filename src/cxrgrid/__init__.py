"""Grids of chest X-ray experiments: datasets × backbones × inits × recipes × seeds."""

import gc
import sys

# So it is while `python -m cxrgrid.<command>` finds its module. Looking for garbage among what is
# being imported is a quarter of an import's cost; `command.run` turns it on again.
if sys.argv[0] == "-m":
    gc.disable()
