"""Changes of the chest by disease, named as in ChestX-ray14, and a few more.

`CHANGES` alter the body before it is drawn, `LESIONS` the drawn chest; a finding may be in both.
Each takes a severity from 0 (just visible) to 1 and a generator that is the same in every picture
of a person: place and side do not move between studies.
"""

from dataclasses import replace

import numpy as np

from cxrgrid.anatomy.body import Body
from cxrgrid.anatomy.chest import Chest
from cxrgrid.anatomy.plane import edge, noise


def cardiomegaly(body: Body, severity: float, rng) -> Body:
    """A heart wider than half of the thorax."""
    return replace(body, heart=0.52 + 0.12 * severity + 0.3 * (body.heart - 0.43))


def hyperinflation(body: Body, severity: float, rng) -> Body:
    """Low, flat domes, a small heart, few vessels, more air."""
    low = 0.05 + 0.1 * severity
    return replace(
        body,
        domes=(body.domes[0] + low, body.domes[1] + low),
        curve=body.curve * (0.6 - 0.4 * severity),
        depth=body.depth * (1.06 + 0.12 * severity),
        heart=body.heart * (0.95 - 0.12 * severity),
        vessels=body.vessels * (0.8 - 0.4 * severity),
    )


def volume_loss(body: Body, severity: float, rng) -> Body:
    """One dome rises after the lung that has collapsed in part."""
    rise = (0.02 + 0.12 * severity) * (np.arange(2) == rng.integers(2))
    return replace(body, domes=tuple(float(y) for y in np.subtract(body.domes, rise)))


def wide_stem(body: Body, severity: float, rng) -> Body:
    """A wide upper mediastinum."""
    return replace(body, stem=body.stem * (1.3 + 0.6 * severity), knob=body.knob + 0.4)


def effusion(chest: Chest, severity: float, rng) -> None:
    """Fluid fills the angle and climbs the wall as a meniscus; sometimes on both sides."""
    both = rng.random() < 0.2
    first = int(rng.choice([-1, 1]))
    for side in (first, -first) if both else (first,):
        wall = 1.02 - (0.03 + 0.5 * severity) * (1 if side == first else 0.5)
        climb = np.clip(1 - chest.u, 0, 1.2) ** np.float32(1.5)
        level = wall + np.float32(0.30 - 0.2 * severity) * climb
        chest.fill(0.97 * edge(chest.t - level, 0.07), side)


def pneumothorax(chest: Chest, severity: float, rng) -> None:
    """Air outside the lung: darker, without vessels, behind a thin white line; wide at the top."""
    side = int(rng.choice([-1, 1]))
    gap = 0.10 + 0.35 * severity
    wall = 1 - chest.u - gap * (0.35 + 0.65 * np.clip(1.1 - chest.t, 0, 1))
    outside = rounded(wall, chest.t - 0.75 * gap)
    lung = chest.lung(side)
    gone = edge(outside, 0.02) * lung
    chest.vessels = chest.vessels * (1 - gone)
    chest.fill(0.10 * severity * (1 - gone), side)
    chest.opacity = chest.opacity * (1 - gone) - 0.22 * gone
    chest.bone = chest.bone + 0.30 * edge(0.016 - np.abs(outside), 0.02) * lung


def rounded(wall: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Below 0 where both distances are above 0, with a round corner between wall and apex."""
    return np.hypot(np.clip(0.4 - wall, 0, None), np.clip(0.4 - top, 0, None)) - 0.4


def nodule(chest: Chest, severity: float, rng) -> None:
    """A round spot of 1 to 3 cm, not behind the heart; the thorax is about 30 cm wide."""
    t = rng.uniform(0.2, 0.85)
    place = chest.at(int(rng.choice([-1, 1])), rng.uniform(0.2 + 0.45 * t, 0.85), t)
    radius = (0.030 + 0.035 * severity) * chest.body.width / 0.74
    spot = chest.blob(rng, place, radius, 0.08, 0.5)
    chest.fill((0.32 + 0.25 * severity) * spot)


def mass(chest: Chest, severity: float, rng) -> None:
    """A lump of more than 3 cm, with lobes."""
    place = chest.at(int(rng.choice([-1, 1])), rng.uniform(0.2, 0.75), rng.uniform(0.25, 0.8))
    radius = (0.09 + 0.09 * severity) * chest.body.width / 0.74
    chest.fill((0.40 + 0.35 * severity) * chest.blob(rng, place, radius, 0.22, 0.5))


def consolidation(chest: Chest, severity: float, rng) -> None:
    """A lobe's airspace is full; what air is left in its bronchi shows dark in it."""
    side = int(rng.choice([-1, 1]))
    place = chest.at(
        side, rng.uniform(0.3, 0.7), rng.choice([0.3, 0.6, 0.85]) + rng.normal(0, 0.05)
    )
    radius = np.array([0.17, 0.16]) + 0.10 * severity * rng.uniform(0.7, 1.3, 2)
    patch = chest.blob(rng, place, radius, 0.3, 0.7)
    bronchi = np.clip(1.5 * chest.vessels, 0, 1)
    chest.fill((0.38 + 0.45 * severity) * patch * (1 - 0.45 * bronchi), side)
    chest.vessels = chest.vessels * (1 - 0.8 * patch)


def infiltration(chest: Chest, severity: float, rng) -> None:
    """Several ill-defined faint patches."""
    for _ in range(int(rng.integers(2, 5))):
        side = int(rng.choice([-1, 1]))
        place = chest.at(side, rng.uniform(0.1, 0.8), rng.uniform(0.3, 0.95))
        patch = chest.blob(rng, place, rng.uniform(0.10, 0.2, 2), 0.5, 1.3)
        grain = 1 + 0.5 * noise(rng, chest.size, 24)
        chest.fill((0.16 + 0.24 * severity) * patch * grain, side)


def pneumonia(chest: Chest, severity: float, rng) -> None:
    """A patch of one lung's lower half, coarse in itself."""
    side = int(rng.choice([-1, 1]))
    place = chest.at(side, rng.uniform(0.15, 0.6), rng.uniform(0.5, 0.95))
    patch = chest.blob(rng, place, rng.uniform(0.16, 0.28, 2), 0.45, 0.9)
    grain = 1 + 0.35 * noise(rng, chest.size, 32)
    chest.fill((0.28 + 0.35 * severity) * patch * grain, side)


def edema(chest: Chest, severity: float, rng) -> None:
    """Haze around both hila like a bat's wings, full vessels, Kerley's short lines at the wall."""
    height = chest.t - 0.62
    wings = np.exp(-((chest.u / 0.55) ** 2) - (height / 0.33) ** 2)
    grain = 1 + 0.35 * noise(rng, chest.size, 20)
    chest.fill((0.22 + 0.5 * severity) * wings * grain)
    chest.vessels = chest.vessels * np.float32(1.2 + 0.4 * severity)
    paths = []
    for side in (-1, 1):
        for t in np.linspace(0.75, 1.0, 6):
            x, y = chest.at(side, 0.97, t + rng.normal(0, 0.02))
            paths.append((np.array([[x, y], [x - side * 0.09, y]]), 0.006))
    chest.fill((0.15 + 0.25 * severity) * chest.draw(paths))


def atelectasis(chest: Chest, severity: float, rng) -> None:
    """Plates: dense bands across the base, over the dome that has risen."""
    side = 2 * int(rng.integers(2)) - 1
    for _ in range(int(rng.integers(1, 4))):
        x, y = chest.at(side, rng.uniform(0.3, 0.6), rng.uniform(0.68, 0.95))
        slope, half = rng.normal(0, 0.25), rng.uniform(0.12, 0.24)
        line = chest.y - y - slope * (chest.x - x) + 0.3 * (chest.x - x) ** 2
        thick = 0.012 + 0.020 * severity
        plate = edge(thick - np.abs(line), 0.03) * edge(half - np.abs(chest.x - x), 0.06)
        chest.fill((0.25 + 0.35 * severity) * plate, side)
    haze = edge(chest.t - 0.75, 0.5) * (0.06 + 0.18 * severity)
    chest.fill(haze, side)


def fibrosis(chest: Chest, severity: float, rng) -> None:
    """A net of fine lines, most at the bases and near the wall."""
    net = edge(0.12 - np.abs(noise(rng, chest.size, 56)), 0.25)
    net = np.maximum(net, edge(0.10 - np.abs(noise(rng, chest.size, 36)), 0.20))
    where = edge(chest.t - 0.5, 0.7) * (0.35 + 0.65 * edge(chest.u - 0.45, 0.7))
    chest.fill((0.15 + 0.25 * severity) * net * where)


def thickening(chest: Chest, severity: float, rng) -> None:
    """A rind of uneven thickness along one wall, and a cap on the apex."""
    side = int(rng.choice([-1, 1]))
    rind = (0.05 + 0.09 * severity) * (1 + 0.8 * noise(rng, chest.size, 7))
    outside = rounded(1 - chest.u - rind, chest.t - rind)
    chest.fill((0.4 + 0.3 * severity) * edge(outside, 0.05), side)


def hernia(chest: Chest, severity: float, rng) -> None:
    """The stomach behind the heart: a round shadow with a bubble over a level."""
    radius = 0.10 + 0.07 * severity
    x0, y0 = rng.normal(0.06, 0.03), chest.body.domes[1] - 0.75 * radius
    ball = chest.blob(rng, (x0, y0), radius, 0.06, 0.12)
    inside = chest.blob(rng, (x0, y0), 0.82 * radius, 0.05, 0.15)
    gas = inside * edge(y0 + 0.2 * radius - chest.y, 0.02)
    chest.tissue = chest.tissue + 0.35 * ball - (0.9 + 0.3 * severity) * gas
    chest.fill(0.8 * ball)


def interstitial(chest: Chest, severity: float, rng) -> None:
    """Thick-walled bronchi and streaks in both lungs, most around the hila."""
    net = edge(0.16 - np.abs(noise(rng, chest.size, 26)), 0.2)
    near = np.exp(-((chest.u / 0.7) ** 2) - ((chest.t - 0.6) / 0.45) ** 2)
    grain = 0.5 + 0.5 * net + 0.4 * noise(rng, chest.size, 10)
    chest.fill((0.16 + 0.30 * severity) * near * grain)
    chest.vessels = chest.vessels * np.float32(1.25 + 0.6 * severity)


def devices(chest: Chest, severity: float, rng) -> None:
    """A central line or a tube, electrodes and their wires: they mean care, not a disease."""
    way = np.linspace(0, 1, 12)[:, None]
    side = int(rng.choice([-1, 1]))
    start, bend = np.array([side * 0.5, -1.0]), np.array([side * 0.2, -0.6])
    end = np.array([rng.normal(-0.06, 0.02), rng.uniform(-0.1, 0.15)])
    paths = [((1 - way) ** 2 * start + 2 * way * (1 - way) * bend + way**2 * end, 0.009)]
    for _ in range(int(rng.integers(0, 3))):
        x, y = rng.uniform([-0.7, -0.5], [0.7, 0.5])
        wire = np.array([[x, y], [x * 1.2, y + 0.2], [x + rng.normal(0, 0.3), 1.2]])
        knob = np.array([[x - 0.02, y], [x + 0.02, y]])
        paths += [(wire, 0.006), (knob, 0.04)]
    chest.bone = chest.bone + 0.55 * chest.draw(paths)


CHANGES = {
    "Cardiomegaly": cardiomegaly,
    "Emphysema": hyperinflation,
    "Atelectasis": volume_loss,
    "Wide Mediastinum": wide_stem,
}
LESIONS = {
    "Effusion": effusion,
    "Pneumothorax": pneumothorax,
    "Nodule": nodule,
    "Mass": mass,
    "Consolidation": consolidation,
    "Infiltration": infiltration,
    "Pneumonia": pneumonia,
    "Edema": edema,
    "Atelectasis": atelectasis,
    "Fibrosis": fibrosis,
    "Pleural_Thickening": thickening,
    "Hernia": hernia,
    "Interstitial": interstitial,
    "Devices": devices,
}
