"""The chest from the front: PA, with the arms out of the way, or AP, as taken in bed."""

import numpy as np

from cxrgrid.anatomy.body import Body
from cxrgrid.anatomy.chest import Chest
from cxrgrid.anatomy.plane import Pose, chord, edge, lines, noise, plane


def frontal(body: Body, view: str, pose: Pose, size: int) -> Chest:
    """All of it, without findings."""
    rng = np.random.default_rng([body.seed, 100])
    x, y = plane(size, pose)
    # Nobody is drawn with a compass: the whole plane is bent a little, for each in another way.
    x, y = x + 0.02 * noise(rng, size, 5), y + 0.02 * noise(rng, size, 5)
    x = x - np.float32(body.bend) * np.sin(2.5 * y)
    middle = x - np.float32(0.08 * pose.turn)
    side = np.where(x < 0, np.float32(-1), np.float32(1))
    away = np.abs(x)

    dome = np.where(x < 0, *(np.float32(level) for level in body.domes))
    t = (y - body.apex) / (dome - body.apex)
    reach = cage(body, t)
    r = away / reach
    air = lungs(body, x, y, t, r, dome)
    heart, stem = mediastinum(body, view, middle, y)
    open_to_air = 1 - np.maximum(0.88 * heart, 0.95 * stem)
    u = (away - 0.16) / np.maximum(reach - 0.16, 0.02)

    skin = trunk(body, view, x, y)
    tissue = skin + 0.12 * heart + abdomen(body, x, y, dome, rng) * np.minimum(skin, 1)
    tissue = tissue - 0.5 * airway(body, middle, y)
    bone = ribs(body, y, r, rng) + shoulders(body, view, away, y) + spine(body, middle, y)
    chest = Chest(
        body=body, view=view, pose=pose, x=x, y=y, u=u, t=t, side=side,
        air=air * open_to_air, tissue=tissue, 
        bone=bone * np.float32(body.bone) * edge(skin - 0.4, 0.6),
        vessels=vessels(body, pose, size, x, y), opacity=np.zeros_like(x),
    )  # fmt: skip
    chest.fill(0.05 * noise(rng, size, 12) + 0.04 * noise(rng, size, 40))
    return chest


def cage(body: Body, t: np.ndarray) -> np.ndarray:
    """Half width of the thorax at a height; a child's is a bell with straighter sides."""
    rise = np.clip(1 - t, 0, 1) ** np.float32(2.8 + 0.5 * body.child)
    taper = 1 - 0.05 * np.clip(t - 0.8, 0, 0.5) - 0.12 * body.child * np.clip(0.9 - t, 0, 0.9)
    return np.maximum(np.float32(body.width) * (1 - rise) ** np.float32(0.52) * taper, 0.01)


def lungs(body: Body, x, y, t, r, dome) -> np.ndarray:
    """Path through air: rounded at the wall, cut off by the diaphragm, deep in its angles."""
    away = np.abs(x) / np.float32(body.width)
    slope = np.where(away > 0.5, (away - 0.5) ** 2 / 0.25, 0.35 * (away - 0.5) ** 2 / 0.25)
    floor = dome + np.float32(body.curve) * slope
    above = edge(floor - y, 0.02)
    # Behind the dome the lung reaches deeper: the liver's top is not white at once.
    recess = 0.10 * edge(floor + 0.10 - y, 0.15) * edge(1 - r, 0.1)
    thick = np.float32(body.depth) * (0.15 + 0.85 * chord(np.minimum(r, 1)) ** np.float32(0.8))
    top = edge(t - 0.02, 0.10)
    return thick * top * (edge(1 - r, 0.03) * above * (0.72 + 0.28 * np.clip(t, 0, 1)) + recess)


def mediastinum(body: Body, view: str, x, y) -> tuple[np.ndarray, np.ndarray]:
    """Heart and vessels' stem, 1 inside. AP enlarges the heart, and the sitter lies."""
    half = np.float32(body.heart * body.width * (1.1 if view == "AP" else 1.0))
    # A large heart is wide rather than tall.
    tall = half ** np.float32(0.6) * np.float32(0.67)
    cy = max(body.domes) - 0.72 * tall
    # Two thirds lie to the patient's left; the long axis points down there.
    dx, dy = x - 0.36 * half, y - cy
    long, short = dx * 0.77 + dy * 0.64, dy * 0.77 - dx * 0.64
    left = np.hypot(long / (1.12 * half), short / (0.85 * tall))
    right = np.hypot((x + 0.18 * half) / (0.72 * half), (y - cy + 0.05) / (1.0 * tall))
    heart = edge(1 - np.minimum(left, right), 0.16)
    arch = body.apex + 0.46
    knob = np.hypot((x - 0.55 * body.stem) / (0.08 + 0.05 * body.knob), (y - arch) / 0.13)
    # The stem widens to the heart below, on the left by the pulmonary trunk, and to the neck above.
    base = np.clip((y - arch) / (cy - arch), 0, 1)
    flare = 0.06 * base + 0.1 * base * (x > 0) + 0.05 * np.clip((body.apex + 0.2 - y) / 0.3, 0, 1)
    stem = edge(body.stem + flare - np.abs(x), 0.05)
    arch = edge(1 - knob, 0.25) * np.float32(np.clip(1.6 * body.knob, 0, 1))
    return heart, np.maximum(stem, 0.9 * arch)


def trunk(body: Body, view: str, x, y) -> np.ndarray:
    """Soft tissue all through: neck, shoulders, trunk, arms beside it in AP, breasts."""
    waist = body.width + body.fat + 0.04
    heights = [-1.2, -1.0, -0.92, -0.86, -0.76, -0.6, -0.4, -0.1, 0.15, 1.2]
    halves = [0.2, 0.22, 0.3, 0.55, 0.92, 1.12, 1.2, 1.06, waist, waist]
    if body.child:
        halves = [0.32, 0.34, 0.36, 0.55, 0.85, 1.0, 1.02, 0.9, waist, waist]
    outline = np.interp(y, heights, halves).astype(np.float32)
    depth = np.interp(y, [-1.0, -0.7, -0.3, 0.3, 1.0], [1.5, 1.9, 3.1, 3.4, 3.5]).astype(np.float32)
    depth = depth + np.float32(2.0 * (body.fat - 0.12))
    thick = depth * chord(np.minimum(np.abs(x) / outline, 1)) ** np.float32(0.95)
    arm = chord(np.minimum(np.abs(np.abs(x) - waist - 0.22 - 0.05 * y) / 0.19, 1))
    if view == "AP":
        thick = np.maximum(thick, 1.7 * arm * edge(y + 0.6, 0.3))
    if body.breast:
        thick = thick + breasts(body, x, y)
    return thick


def breasts(body: Body, x, y) -> np.ndarray:
    """Half round, with a sharp fold below."""
    size = np.float32(0.2 + 0.3 * body.breast)
    distance = np.hypot(
        (np.abs(x) - 0.58 * body.width) / size, (y - 0.12 - 0.25 * body.breast) / size
    )
    upper = np.clip(0.5 + (y - 0.1) / (2 * size), 0, 1)
    return np.float32(0.45 + 1.3 * body.breast) * chord(np.minimum(distance, 1)) ** 0.6 * upper


def abdomen(body: Body, x, y, dome, rng) -> np.ndarray:
    """Liver and bowel below the diaphragm, with gas in the stomach and here and there."""
    below = edge(y - dome - 0.05, 0.3)
    x0, y0 = rng.normal(0.36, 0.06), body.domes[1] + rng.normal(0.19, 0.04)
    rx, ry = abs(rng.normal(0.15, 0.05)) + 0.03, abs(rng.normal(0.07, 0.025)) + 0.02
    gas = chord(np.minimum(np.hypot((x - x0) / rx, (y - y0) / ry), 1))
    for _ in range(rng.poisson(2)):
        place, radius = rng.uniform([-0.5, 0.75], [0.7, 1.0]), rng.uniform(0.04, 0.1, 2)
        far = np.hypot((x - place[0]) / radius[0], (y - place[1]) / radius[1])
        gas = np.maximum(gas, 0.7 * chord(np.minimum(far, 1)))
    return 0.5 * below - np.float32(rng.uniform(0.3, 1.3)) * gas * below


def airway(body: Body, x, y) -> np.ndarray:
    """Trachea and the two main bronchi."""
    fork = body.apex + 0.58
    trachea = chord(np.minimum(np.abs(x + 0.015) / 0.045, 1)) * edge(fork - y, 0.06)
    down = y - fork
    steep = np.where(x < 0, np.float32(0.9), np.float32(1.35))
    bronchi = chord(np.minimum(np.abs(np.abs(x) - steep * down) / 0.04, 1))
    return trachea + 0.7 * bronchi * edge(down, 0.03) * edge(0.2 - down, 0.15)


def ribs(body: Body, y, r, rng) -> np.ndarray:
    """Twelve rings around the cage, each a helix from the spine down to its front end."""
    # A ray meets each ring twice: at the angle phi behind, at pi - phi in front.
    inside = np.minimum(r, 1)
    depth = chord(inside)
    wall = edge(1.03 - r, 0.04) / np.sqrt(depth * depth + np.float32(0.3))
    jitter = rng.normal(0, 0.06, 16).astype(np.float32)
    total = np.zeros_like(y)
    for cosine, strength in ((depth, 0.40), (-depth, 0.30)):
        fall = np.float32(body.drop / 2) * (1 - cosine)
        phase = (y - np.float32(body.apex - 0.06) - fall) / np.float32(body.spacing)
        ring = np.clip(phase.astype(np.int32), 0, 15)
        off = np.abs(phase - ring - 0.5 + jitter[ring]) / np.float32(0.27)
        bar = chord(np.minimum(off, 1)) - 0.45 * chord(np.minimum(off * 1.5, 1))
        if strength < 0.35:  # In front ribs end in cartilage, which does not show.
            bar = bar * edge(r - 0.55, 0.12)
        total += np.float32(strength) * bar * (phase > 0) * (phase < 11.5)
    return total * wall


def shoulders(body: Body, view: str, away, y) -> np.ndarray:
    """Clavicles, shoulder blades (over the lungs in AP) and the heads of the arm bones."""
    run = np.clip((away - 0.08) / 0.75, 0, 1)
    lift = 0.1 if view == "AP" else 0.02
    arc = body.apex + 0.17 - lift - 0.17 * run + 0.04 * np.sin(2 * np.pi * run)
    bar = np.minimum(np.abs(y - arc) / (0.034 - 0.008 * body.child), 1)
    clavicle = (
        (chord(bar) - 0.4 * chord(np.minimum(bar * 1.6, 1)))
        * edge(away - 0.07, 0.03)
        * edge(0.88 - away, 0.05)
    )
    inner = (0.66 if view == "AP" else 0.8) + 0.12 * (y + 0.4) ** 2
    outer = 1.0 - 0.32 * (y + 0.5)
    plate = edge(away - inner, 0.015) * edge(outer - away, 0.03) * edge(y + 0.62, 0.05)
    plate = plate * edge(0.16 - y, 0.1)
    rim = edge(0.02 - np.abs(away - inner), 0.02) * plate
    head = chord(np.minimum(np.hypot(away - 1.0, y + 0.58) / 0.14, 1))
    shaft = chord(np.minimum(np.abs(away - 1.08 - 0.05 * y) / 0.055, 1)) * edge(y + 0.5, 0.1)
    return 0.55 * clavicle + 0.20 * plate + 0.22 * rim + 0.6 * np.maximum(head, shaft)


def spine(body: Body, x, y) -> np.ndarray:
    """Vertebrae with the discs between them, their pedicles as pairs of rings."""
    step = np.float32(0.115 + 0.015 * (1 - body.child))
    rank = y / step
    place = rank - np.floor(rank) - 0.5
    half = np.float32(0.075)
    column = chord(np.minimum(np.abs(x) / (half + 0.012 * np.abs(place)), 1)) ** np.float32(0.5)
    disc = edge(np.abs(place) - 0.4, 0.1)
    pedicle = np.hypot((np.abs(x) - 0.045) / 0.018, place / 0.17)
    ring = edge(1 - np.abs(pedicle - 0.8) * 3, 0.5)
    return column * (0.75 - 0.22 * disc) + 0.12 * ring


def vessels(body: Body, pose: Pose, size: int, x, y) -> np.ndarray:
    """Arteries and veins that branch out from each hilum, and the hila themselves."""
    rng = np.random.default_rng([body.seed, 200])
    paths, hila = [], 0.0
    for side in (-1, 1):
        hilum = np.array([side * 0.2, (body.apex + body.domes[1]) / 2 + 0.10 - 0.03 * side])
        paths += branches(rng, hilum, side)
        far = np.hypot((x - hilum[0]) / 0.09, (y - hilum[1]) / 0.14)
        hila = hila + 0.35 * np.exp(-far * far)
    tree = lines(paths, size, pose)
    return np.float32(body.vessels) * ((0.30 - 0.08 * body.child) * tree + hila)


def branches(rng: np.random.Generator, hilum: np.ndarray, side: int) -> list:
    """Lines from one hilum outwards, thinner towards the wall; each forks twice."""
    paths = []
    for angle in np.linspace(-1.5, 1.5, 13) + rng.normal(0, 0.12, 13):
        length, bend = rng.uniform(0.35, 0.65), rng.normal(0, 0.5)
        for turn, start, end, width in (
            (0.0, 0.0, 0.3, 0.024), (0.0, 0.3, 0.6, 0.014), (0.0, 0.6, 1.0, 0.007),
            (0.5, 0.25, 0.85, 0.010), (-0.5, 0.4, 0.95, 0.007),
        ):  # fmt: skip
            way = np.linspace(start, end, 6)
            fork = turn * rng.uniform(0.5, 1.2) * (way - start) / way.clip(0.1)
            course = angle + bend * way**2 + fork
            step = np.stack([side * np.cos(course), np.sin(course)], axis=-1)
            paths.append((hilum + length * way[:, None] * step, width))
    return paths
