"""The build of a person, drawn at random by age and sex."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Body:
    """Measures on the plane, where the film's half side is 1; pairs are (image left, right)."""

    seed: int
    child: float  # 0 adult .. 1 infant
    width: float  # half of the inner thorax
    apex: float  # y of the lungs' top
    domes: tuple[float, float]  # y of the diaphragm's highest points
    curve: float  # how far the diaphragm falls towards its angles
    depth: float  # of the lungs, along the ray
    heart: float  # its width in that of the thorax, on a PA film
    stem: float  # half width of the upper mediastinum
    knob: float  # aortic arch
    fat: float  # soft tissue around the cage
    breast: float
    spacing: float  # between ribs
    drop: float  # from a rib's head to its front end
    bone: float  # mineral
    vessels: float  # how marked they are
    bend: float  # of the spine to a side


def make_body(rng: np.random.Generator, age: float, sex: str) -> Body:
    """A person without findings."""
    child = float(np.clip((14 - age) / 13, 0, 1))
    old = float(np.clip((age - 30) / 60, 0, 1))
    male = sex == "M"
    dome = rng.normal(0.44, 0.045) - 0.03 * child
    fat = abs(rng.normal(0.09, 0.05)) * (1 - 0.6 * child) + 0.05
    return Body(
        seed=int(rng.integers(2**31)),
        child=child,
        width=float(np.clip(rng.normal(0.74 + 0.03 * male - 0.04 * child, 0.04), 0.6, 0.86)),
        apex=rng.normal(-0.74, 0.03) + 0.02 * child,
        domes=(dome - rng.uniform(0.02, 0.07), dome),
        curve=float(np.clip(rng.normal(0.27, 0.05), 0.12, 0.4)),
        depth=rng.normal(1.0, 0.07) + 0.03 * male,
        heart=float(np.clip(rng.normal(0.43 + 0.02 * old + 0.05 * child, 0.022), 0.36, 0.485)),
        stem=abs(rng.normal(0.115, 0.015)) + child * abs(rng.normal(0.06, 0.05)) + 0.02 * old,
        knob=(0.35 + 0.5 * old + rng.normal(0, 0.12)) * (1 - child),
        fat=fat,
        breast=0.0 if male or child > 0.2 else float(np.clip(rng.normal(0.3, 0.14), 0.05, 0.6)),
        spacing=rng.normal(0.148, 0.008) - 0.008 * child,
        drop=rng.normal(0.42, 0.05) - 0.14 * child,
        bone=rng.normal(1.0, 0.12) - 0.3 * old * (not male) + 0.2 * child,
        vessels=rng.normal(1.0, 0.15),
        bend=rng.normal(0, 0.02 + 0.03 * old),
    )
