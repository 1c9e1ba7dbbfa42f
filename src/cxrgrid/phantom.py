"""Draw a cohort of schematic chest radiographs, laid out on disk like a real dataset.

The same settings give the same bytes, and more patients leave the first ones as they are. Nobody's
picture is in it: bodies, findings and films are drawn from random numbers.

Example:
  python -m cxrgrid.phantom '{"adapter": "nih", "patients": 20}' \\
      --out results/phantom
"""

import importlib
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from cxrgrid.anatomy import DRAWN, make_chest
from cxrgrid.anatomy.body import Body, make_body
from cxrgrid.anatomy.plane import Pose
from cxrgrid.config.checks import ADAPTERS, modules
from cxrgrid.config.errors import UserError, known
from cxrgrid.config.preparation import Phantom
from cxrgrid.config.steps import read_step
from cxrgrid.io import cli
from cxrgrid.io.atomic import replacing_folder

WELL = 0.45  # share of images without any finding, as in ChestX-ray14
COARSE = 64  # pixels a side on which boxes are found
TRACE = 0.2  # of the largest change: what is less stands outside of a box
STAYS = 0.6  # chance that a study shows what the one before it showed
# Findings that grow with age, and some that come together: chance of the second beside the first.
OLD = {"Cardiomegaly", "Effusion", "Edema", "Emphysema", "Fibrosis", "Mass", "Hernia"}
BEDRIDDEN = {"Effusion", "Edema", "Consolidation", "Pneumonia", "Pneumothorax"}
TOGETHER = {
    ("Edema", "Effusion"): 0.35,
    ("Edema", "Cardiomegaly"): 0.25,
    ("Effusion", "Atelectasis"): 0.25,
    ("Pneumonia", "Infiltration"): 0.25,
    ("Pneumonia", "Consolidation"): 0.15,
    ("Emphysema", "Pneumothorax"): 0.15,
    ("Mass", "Nodule"): 0.1,
}


def make_cohort(settings: Phantom, plan: dict) -> list[dict]:
    """One row per image: input of adapters' `write`, and the person and findings for `radiograph`.

    plan: an adapter's `PHANTOM`.
    """
    rows = []
    for patient in range(1, settings.patients + 1):
        rng = np.random.default_rng([settings.seed, patient])
        low, high = plan["ages"]
        person = {
            "patient": patient,
            "sex": "M" if rng.random() < 0.55 else "F",
            "age": float(round(low + (high - low) * rng.beta(2, 2))),
            "split": "test" if patient % 5 == 0 else "val" if patient % 20 == 7 else "train",
            "build": int(rng.integers(2**31)),
        }
        rows += make_studies(rng, person, plan)
    return rows


def make_studies(rng: np.random.Generator, person: dict, plan: dict) -> list[dict]:
    """One to four studies of a person; findings come and go."""
    studies, labels = [], {}
    for study in range(min(4, 1 + rng.poisson(plan["images"] - 1))):
        if study == 0 or "findings" in plan and rng.random() > STAYS:
            labels = sample_labels(rng, person, plan)
        labels = {
            label: float(np.clip(severity + (study > 0) * rng.normal(0, 0.15), 0, 1))
            for label, severity in labels.items()
        }
        view = sample_view(rng, labels, plan["views"])
        findings = drawn(labels, plan)
        # Not a label: lines and wires are for whoever lies in bed, whatever the reason.
        if rng.random() < (0.4 if view == "AP" and person["age"] > 15 else 0.08):
            findings["Devices"] = rng.random()
        row = {"study": study, "view": view, "labels": sorted(labels), "findings": findings}
        studies.append({**person, **row, "film": int(rng.integers(2**31))})
    return studies


def sample_labels(rng: np.random.Generator, person: dict, plan: dict) -> dict[str, float]:
    """Labels that are present, with their severities."""
    if classes := plan.get("classes"):
        shares = np.array([share for share, _ in classes.values()])
        return {str(rng.choice(list(classes), p=shares / shares.sum())): rng.random()}
    if rng.random() < WELL:
        return {}
    names = list(plan["findings"])
    odds = np.array(list(plan["findings"].values())) / (1 - WELL)
    odds = odds * [age_weight(name, person["age"]) for name in names]
    present: set[str] = set()
    while not present:
        present = {name for name, chance in zip(names, odds, strict=True) if rng.random() < chance}
    for (first, second), chance in TOGETHER.items():
        if first in present and second in names and rng.random() < chance:
            present.add(second)
    return {name: rng.random() for name in sorted(present)}


def age_weight(name: str, age: float) -> float:
    """Factor on a finding's probability at an age."""
    old = np.clip((age - 20) / 70, 0, 1)
    if name in OLD:
        return 0.5 + old
    return 1.2 - 0.5 * old if name == "Pneumothorax" else 0.9


def sample_view(rng: np.random.Generator, labels: dict, views: dict[str, float]) -> str:
    """The ill are imaged in bed more often."""
    ill = 1.8 if BEDRIDDEN & labels.keys() else 0.8
    shares = np.array([share * (ill if view == "AP" else 1) for view, share in views.items()])
    return str(rng.choice(list(views), p=shares / shares.sum()))


def drawn(labels: dict[str, float], plan: dict) -> dict[str, float]:
    """Findings drawn for labels: of the same name, unless the adapter says otherwise."""
    if "classes" in plan:
        meant = {label: names for label, (_, names) in plan["classes"].items()}
    else:
        meant = plan.get("drawn", {})
    return {name: labels[label] for label in labels for name in meant.get(label, [label])}


def posed(row: dict) -> tuple[Body, Pose, np.random.Generator]:
    """The person of a row of the cohort, before the film, and what chance is left for the film."""
    rng = np.random.default_rng([row["build"], row["film"]])
    body = make_body(np.random.default_rng(row["build"]), row["age"], row["sex"])
    loose = 1 + 0.5 * (row["view"] == "AP")
    pose = Pose(
        dx=rng.normal(0, 0.025 * loose),
        dy=rng.normal(0, 0.03 * loose),
        zoom=rng.normal(1.0, 0.03 * loose),
        tilt=rng.normal(0, 0.02 * loose),
        turn=rng.normal(0, 0.3 * loose),
    )
    return body, pose, rng


def boxes(row: dict, labels: list[str]) -> dict[str, tuple[float, float, float, float]]:
    """Boxes of a row's labels among `labels`: left, top, right, bottom as shares of the side.

    A box holds what a finding changes of the rays, but for traces.
    """
    labels = [label for label in labels if label in row["findings"]]
    if not labels:
        return {}
    body, pose, _ = posed(row)
    whole = make_chest(body, row["findings"], row["view"], pose, COARSE).attenuation()
    found = {}
    for label in labels:
        rest = {name: how for name, how in row["findings"].items() if name != label}
        change = np.abs(whole - make_chest(body, rest, row["view"], pose, COARSE).attenuation())
        seen = change > TRACE * change.max()
        down, across = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
        corners = (across[0], down[0], across[-1] + 1, down[-1] + 1)
        found[label] = tuple(float(edge) / COARSE for edge in corners)
    return found


def radiograph(row: dict, size: int) -> np.ndarray:
    """The image of a row of the cohort, uint8 [size, size]."""
    body, pose, rng = posed(row)
    # Anatomy holds nothing finer than this; larger films are enlarged, with their own noise.
    chest = make_chest(body, row["findings"], row["view"], pose, min(size, 512))
    return print_film(expose(chest.attenuation(), size, rng, row["view"]), rng, row["view"])


def expose(attenuation: np.ndarray, size: int, rng: np.random.Generator, view: str) -> np.ndarray:
    """Grey levels as float [size, size] in 0..1: rays, scatter, quantum noise, tone curve."""
    bed = view == "AP"
    rays = np.exp(-attenuation * np.float32(np.exp(rng.normal(0, 0.07))))
    rays = rays + np.float32(rng.uniform(0.01, 0.05) + 0.03 * bed) * blur(rays, 8)
    rays = resize(rays, size)
    quanta = rng.standard_normal((size, size), dtype=np.float32)
    # Scanners smooth: neighbouring pixels share half of their noise.
    quanta = quanta + 0.5 * (np.roll(quanta, 1, 0) + np.roll(quanta, 1, 1))
    rays = rays + np.float32(rng.uniform(0.003, 0.012)) * np.sqrt(rays) * quanta
    film = -np.log(np.clip(rays, 0.002, 1))
    film = film - np.float32(rng.uniform(0.0, 0.3)) * (blur(film, 6) - film.mean())
    middle, steep = rng.uniform(1.85, 2.5), rng.uniform(1.2, 1.7)
    grey = 1 - np.exp(-((np.maximum(film, 0) / np.float32(middle)) ** np.float32(steep)))
    return grey * np.float32(rng.uniform(0.84, 0.96)) + np.float32(rng.uniform(0, 0.05))


def blur(image: np.ndarray, cells: int) -> np.ndarray:
    """The image reduced to about `cells` grey levels across."""
    return resize(resize(image, cells), len(image))


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """A float image at another size."""
    if len(image) == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def print_film(grey: np.ndarray, rng: np.random.Generator, view: str) -> np.ndarray:
    """uint8, with the side's letter and, at times, the black border that the collimator left."""
    size = len(grey)
    image = Image.fromarray((np.clip(grey, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    letter = str(rng.choice(["L", "R"]))
    x = rng.uniform(0.88, 0.95) if letter == "L" else rng.uniform(0.05, 0.12)
    height = int(rng.uniform(0.045, 0.065) * size)
    configuration = (x * size, rng.uniform(0.05, 0.2) * size)
    pen.text(
        configuration, letter, fill=int(rng.uniform(200, 255)), font=letters(height), anchor="mm"
    )
    if view == "AP" and rng.random() < 0.3:
        pen.text(
            (configuration[0], configuration[1] + height),
            "AP",
            fill=220,
            font=letters(height // 2),
            anchor="mm",
        )
    if rng.random() < 0.25:
        for side, width in enumerate(rng.uniform(0, 0.03, 4) * size):
            ends = [(0, 0, width, size), (size - width, 0, size, size), (0, 0, size, width)]
            pen.rectangle([*ends, (0, size - width, size, size)][side], fill=int(rng.integers(12)))
    return np.asarray(image)


def letters(height: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(max(6, height))


def check_plan(plan: dict, adapter: str) -> None:
    """`UserError` for an adapter without a phantom, or with one that names what nobody draws."""
    if not plan:
        raise UserError(f"phantom: the adapter {adapter!r} says no PHANTOM; give it a root instead")
    labels = plan.get("classes") or plan["findings"]
    for name in drawn(dict.fromkeys(labels, 0.0), plan):
        known(name, DRAWN, f"{adapter}.PHANTOM", "drawing of")


def main(argv: list[str] | None) -> None:
    """Draw one cohort."""
    parser = cli.parser("phantom", __doc__)
    parser.add_argument("settings", help="JSON: adapter, and patients, seed, size")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    args = parser.parse_args(argv)
    settings = read_step("phantom", args.settings)
    name = settings.adapter
    known(name, modules(ADAPTERS), "phantom.adapter", "adapter")
    adapter = importlib.import_module(f"cxrgrid.datasets.{name}")
    plan = getattr(adapter, "PHANTOM", {})
    check_plan(plan, name)
    if args.out.is_dir() and any(args.out.iterdir()):
        raise UserError(f"{args.out}: is not empty; remove it or choose another --out")
    cohort = make_cohort(settings, plan)
    for row in cohort if "boxed" in plan else []:
        # Readers mark few of many images; here those of every other patient.
        row["boxes"] = boxes(row, plan["boxed"]) if row["patient"] % 2 == 0 else {}
    draw = partial(radiograph, size=settings.size)
    with replacing_folder(args.out) as folder:
        adapter.write(folder, tqdm(cohort, desc="phantom", unit=" films", disable=None), draw)


if __name__ == "__main__":
    cli.run(main)
