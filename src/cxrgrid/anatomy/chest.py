"""One chest while it is drawn: maps of what the ray meets, and where in the lung a pixel lies."""

from dataclasses import dataclass

import numpy as np

from cxrgrid.anatomy.body import Body
from cxrgrid.anatomy.plane import Pose, edge, lines, noise

# Weight of the air in the lungs against the tissue that it displaces.
AIR = np.float32(2.7)


@dataclass
class Chest:
    """Maps [size, size], float32; findings change `opacity`, `tissue`, `bone` and `vessels`.

    `u` runs over a lung from 0 (middle) to 1 (chest wall), `t` from 0 (apex) to 1 (dome; the
    angles lie deeper). `side` is -1 in the lung at the image's left, 1 in the other.
    """

    body: Body
    view: str
    pose: Pose
    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    t: np.ndarray
    side: np.ndarray
    air: np.ndarray
    tissue: np.ndarray
    bone: np.ndarray
    vessels: np.ndarray
    opacity: np.ndarray

    @property
    def size(self) -> int:
        return len(self.x)

    def lung(self, side: int) -> np.ndarray:
        """1 over the lung on a side; in a lateral film, over both."""
        return (self.air > 0.02) & ((self.side == side) | (self.view == "LATERAL"))

    def at(self, side: int, u: float, t: float) -> tuple[float, float]:
        """About where a place in a lung lies on the plane."""
        dome = self.body.domes[int(side > 0)]
        y = self.body.apex + t * (dome - self.body.apex)
        if self.view == "LATERAL":
            return (u - 0.5) * 1.1 * self.body.width, y
        reach = self.body.width * (1 - max(0, 1 - t) ** 2.4) ** 0.55
        return side * (0.16 + u * (reach - 0.16)), y

    def fill(self, share: np.ndarray, side: int = 0) -> None:
        """Fluid or cells instead of air: a share of the ray's path through the lung."""
        if side:
            share = share * self.lung(side)
        self.opacity = 1 - (1 - self.opacity) * (1 - np.clip(share, -0.5, 0.98))

    def blob(
        self,
        rng: np.random.Generator,
        place: tuple[float, float],
        radius,
        rough: float,
        soft: float,
    ) -> np.ndarray:
        """An irregular patch: 1 inside, 0 outside; `radius` one number or one for x and one for y.

        rough: how far its border wanders; soft: how slowly it fades, both in radii.
        """
        rx, ry = np.broadcast_to(radius, 2)
        distance = np.hypot((self.x - place[0]) / rx, (self.y - place[1]) / ry)
        if rough:
            cells = int(np.clip(3 / max(rx, ry), 4, 60))
            distance = distance + np.float32(rough) * noise(rng, self.size, cells)
        return edge(1 - distance, soft)

    def draw(self, paths: list[tuple[np.ndarray, float]]) -> np.ndarray:
        """Lines in body coordinates."""
        return lines(paths, self.size, self.pose)

    def attenuation(self) -> np.ndarray:
        """The sum of all maps, at least 0."""
        aerated = self.air * (1 - self.opacity)
        marked = self.vessels * np.clip(self.air * 2, 0, 1) * np.clip(1 - self.opacity, 0, 1)
        return np.maximum(self.tissue + self.bone + marked - AIR * aerated, 0)
