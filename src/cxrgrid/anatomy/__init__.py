"""Schematic chests as maps of attenuation: how much each ray is weakened, before any film.

`make_chest(…).attenuation()` adds up path lengths of soft tissue, air and bone; one unit is about
5 cm of water. On the plane x and y run from -1 to 1, y downwards, seen as a radiograph is:
the patient's left is at positive x. A child's and an adult's thorax both fill the plane.
"""

import zlib

import numpy as np

from cxrgrid.anatomy.body import Body, make_body
from cxrgrid.anatomy.chest import Chest
from cxrgrid.anatomy.findings import CHANGES, LESIONS
from cxrgrid.anatomy.frontal import frontal
from cxrgrid.anatomy.lateral import lateral
from cxrgrid.anatomy.plane import Pose

DRAWN = sorted({*CHANGES, *LESIONS})

__all__ = ["DRAWN", "Body", "Chest", "Pose", "make_body", "make_chest"]


def make_chest(body: Body, findings: dict[str, float], view: str, pose: Pose, size: int) -> Chest:
    """The chest of a person with some of `DRAWN` at severities from 0 (just visible) to 1.

    A finding stands at the same place in every picture of a person, whatever others there are.
    """

    def rng(name: str) -> np.random.Generator:
        return np.random.default_rng([body.seed, zlib.crc32(name.encode())])

    for name in sorted(CHANGES.keys() & findings.keys()):
        body = CHANGES[name](body, findings[name], rng(name))
    chest = lateral(body, pose, size) if view == "LATERAL" else frontal(body, view, pose, size)
    for name in sorted(LESIONS.keys() & findings.keys()):
        LESIONS[name](chest, findings[name], rng(name))
    return chest
