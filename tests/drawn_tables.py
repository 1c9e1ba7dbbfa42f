"""Twelve patients' images, a table on them in some form, and what `new` makes of both."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from cxrgrid import new
from cxrgrid.drafting import layouts

# Twelve patients with two images each; the odd ones have an effusion, every third a mass.
PEOPLE = [(f"p{n:02}_{m}", n) for n in range(12) for m in (1, 2)]
EFFUSION = {name: n % 2 for name, n in PEOPLE}
MASS = {name: int(n % 3 == 0) for name, n in PEOPLE}


def rows(image="img/{}.png", separator=",", **columns) -> str:
    """A table with a row for each image; each column is a function of name and patient."""
    lines = [separator.join(["image", *columns])]
    for name, n in PEOPLE:
        fields = [str(make(name, n)) for make in columns.values()]
        lines.append(separator.join([image.format(name), *fields]))
    return "\n".join(lines) + "\n"


def patient(_, n):
    return f"p{n:02}"


def effusion(name, _):
    return EFFUSION[name]


def mass(name, _):
    return MASS[name]


def word(yes, no):
    return lambda name, _: yes if EFFUSION[name] else no


def named(separator, nothing="No Finding", form="{}"):
    """The findings of an image in one field."""

    def field(name, _):
        found = ["Effusion"] * EFFUSION[name] + ["Mass"] * MASS[name] or [nothing]
        return f'"{form.format(separator.join(found))}"'

    return field


PLAIN = {"patient": patient, "Effusion": effusion, "Mass": mass}
KINDS = word("ill", "well")


def lay(root: Path, data, file="labels.csv") -> Path:
    """The images, and the table beside them."""
    for name, n in PEOPLE:
        film(root / f"img/{name}.png", n)
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_bytes(data.encode() if isinstance(data, str) else data)
    return root


def film(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16) + np.uint8(shade)).save(path)


def drafted(path, *more) -> tuple[dict, pd.DataFrame]:
    """The dataset that `new` writes, and its images as `index` will read them."""
    new.main([str(path), *more])
    [written] = Path("studies").glob("*.yaml")
    [entry] = yaml.safe_load(written.read_text())["datasets"].values()
    return entry, layouts.read(entry, "mine")


def stems(frame: pd.DataFrame) -> list[str]:
    return [Path(image).stem for image in frame["image"]]


def found_in(name) -> list[str]:
    """Findings of an image."""
    return ["Effusion"] * EFFUSION[name] + ["Mass"] * MASS[name]


def listed(name, _):
    """Findings of an image as a list in a cell."""
    return f'"{[label for label, of in (("Effusion", EFFUSION), ("Mass", MASS)) if of[name]]}"'
