"""The chest from the side, facing the image's left: both lungs lie over each other."""

import numpy as np

from cxrgrid.anatomy.body import Body
from cxrgrid.anatomy.chest import Chest
from cxrgrid.anatomy.plane import Pose, chord, edge, lines, noise, plane


def lateral(body: Body, pose: Pose, size: int) -> Chest:
    """All of it, without findings. `u` runs from the breastbone (0) to the back (1)."""
    rng = np.random.default_rng([body.seed, 101])
    x, y = plane(size, pose)
    x, y = x + 0.02 * noise(rng, size, 5), y + 0.02 * noise(rng, size, 5)
    dome = np.float32(sum(body.domes) / 2)
    t = (y - body.apex) / (dome - body.apex)
    front, back = walls(body, t)
    u = (x - front) / np.maximum(back - front, 0.05)
    heart = hearts(body, x, y, front)
    air = lungs(body, x, y, u, t, dome) * (1 - 0.6 * heart)

    skin = trunk(body, x, y, front, back)
    below = edge(y - dome - 0.05, 0.3) * np.minimum(skin, 1)
    tissue = skin + 0.2 * heart + 0.4 * below
    arch = np.abs(np.hypot((x - 0.1) / 0.2, (y - body.apex - 0.5) / 0.18) - 1)
    tissue = tissue + 0.35 * edge(0.3 - arch, 0.3) * edge(body.apex + 0.5 - y, 0.2)
    trachea = chord(np.minimum(np.abs(x + 0.02 - 0.12 * (y + 0.6)) / 0.05, 1))
    tissue = tissue - 0.5 * trachea * edge(body.apex + 0.55 - y, 0.08)
    bone = spine(x, y, back) + ribs(body, y, u, t)
    return Chest(
        body=body, view="LATERAL", pose=pose, x=x, y=y, u=u, t=t, side=np.ones_like(x), air=air,
        tissue=tissue, bone=bone * np.float32(body.bone), vessels=vessels(body, pose, size, x, y),
        opacity=0.05 * noise(rng, size, 12),
    )  # fmt: skip


def walls(body: Body, t) -> tuple[np.ndarray, np.ndarray]:
    """Front and back border of the lungs, by height."""
    half = np.float32(0.8 * body.width)
    inner = np.clip(t, 0, 1.3)
    front = -half * np.sqrt(np.clip(0.08 + 0.95 * inner - 0.22 * inner**2, 0.01, 1))
    back = half * np.sqrt(np.clip(0.15 + 1.4 * inner - 0.65 * inner**2, 0.01, 1))
    return front, back


def lungs(body: Body, x, y, u, t, dome) -> np.ndarray:
    """Path through air; the diaphragm falls backwards into a deep, sharp angle."""
    floor = dome - 0.04 + np.float32(1.3 * body.curve) * np.clip(x + 0.15, 0, 1) ** 2
    floor = floor + 0.06 * np.clip(-x - 0.2, 0, 1)
    other = floor + 0.05 + 0.02 * x
    above = 0.5 * edge(floor - y, 0.02) + 0.5 * edge(other - y, 0.02)
    across = chord(np.minimum(np.abs(2 * u - 1), 1)) ** np.float32(0.5)
    # Both arms and shoulders lie before the apices.
    return np.float32(1.15 * body.depth) * across * above * edge(t - 0.08, 0.3)


def hearts(body: Body, x, y, front) -> np.ndarray:
    """The heart, on the diaphragm behind the breastbone."""
    half = np.float32(0.85 * body.heart * body.width)
    x0, y0 = -0.5 * body.width + 0.75 * half, max(body.domes) - 0.7 * half
    long, short = (x - x0) * 0.8 + (y - y0) * 0.6, (y - y0) * 0.8 - (x - x0) * 0.6
    return edge(1 - np.hypot(long / (0.9 * half), short / (1.2 * half)), 0.3)


def trunk(body: Body, x, y, front, back) -> np.ndarray:
    """Soft tissue, the raised arms at the top, the breast before the ribs."""
    skin = np.float32(body.fat + 0.07)
    middle, half = (front + back) / 2, (back - front) / 2 + skin
    depth = np.interp(y, [-1, -0.6, 0.2, 1], [2.6, 3.4, 4.2, 4.6]).astype(np.float32)
    thick = depth * chord(np.minimum(np.abs(x - middle) / half, 1)) ** np.float32(0.6)
    arms = 1.7 * edge(-0.62 - y + 0.3 * np.abs(x - 0.05), 0.35) * edge(0.6 - np.abs(x), 0.4)
    size = np.float32(0.2 + 0.3 * body.breast)
    breast = chord(np.minimum(np.hypot((x - front + 0.02) / size, (y - 0.2) / size), 1))
    return thick + arms + np.float32(0.7 * (body.breast > 0)) * breast


def spine(x, y, back) -> np.ndarray:
    """Vertebral bodies, darker downwards in a healthy chest."""
    step = np.float32(0.125)
    place = (y + 0.1 * x) / step
    place = place - np.floor(place) - 0.5
    column = chord(np.minimum(np.abs(x - back + 0.16) / 0.085, 1)) ** np.float32(0.4)
    return column * (0.65 - 0.3 * edge(np.abs(place) - 0.38, 0.1))


def ribs(body: Body, y, u, t) -> np.ndarray:
    """Rings seen from the side: slanted bands, and the breastbone."""
    fall = np.float32(1.2 * body.drop) * (1 - np.clip(u, 0, 1.1))
    phase = (y - body.apex + 0.1 - fall) / np.float32(body.spacing)
    off = np.abs(phase - np.floor(phase) - 0.5) / np.float32(0.27)
    bar = chord(np.minimum(off, 1)) - 0.45 * chord(np.minimum(off * 1.5, 1))
    inside = (
        edge(1.04 - np.abs(2 * u - 1), 0.05) * (phase > 0) * (phase < 10.5) * edge(u - 0.2, 0.2)
    )
    sternum = (
        chord(np.minimum(np.abs(u + 0.03) / 0.035, 1)) * edge(0.75 - t, 0.1) * edge(t - 0.15, 0.1)
    )
    return 0.3 * bar * inside + 0.5 * sternum


def vessels(body: Body, pose: Pose, size: int, x, y) -> np.ndarray:
    """Both lungs' vessels from one hilum behind the heart's base."""
    rng = np.random.default_rng([body.seed, 201])
    hilum = np.array([0.06, (body.apex + body.domes[1]) / 2 + 0.05])
    paths = []
    for angle in np.linspace(0, 2 * np.pi, 26, endpoint=False) + rng.normal(0, 0.1, 26):
        way = np.linspace(0, rng.uniform(0.3, 0.55), 6)[:, None]
        course = angle + rng.normal(0, 1.0) * way
        step = np.concatenate([np.cos(course), np.sin(course)], axis=1)
        paths.append((hilum + way * step, rng.uniform(0.009, 0.02)))
    far = np.hypot((x - hilum[0]) / 0.12, (y - hilum[1]) / 0.14)
    tree = lines(paths, size, pose)
    return np.float32(body.vessels) * (0.22 * tree + 0.4 * np.exp(-far * far))
