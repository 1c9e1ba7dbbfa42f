"""Datasets at a glance: images of each class, and the size of the files."""

import pandas as pd

from cxrgrid.comparison.effect_rows import ALL
from cxrgrid.evaluation.wording import whole
from cxrgrid.reporting.results import Frames

TEXTS = ["dataset", "images of each class"]
COLUMNS = ["dataset", "of", "label", "images", "positives", "width", "height"]
COLUMNS += ["least_width", "most_width", "least_height", "most_height", "measured", "pixels"]
PART = "datasets"
CAPTION = (
    "Images with each class, over all splits, in the order of the labels; an image with several "
    "findings counts for each. Size of the files: width × height in pixels, median (smallest to "
    "largest side); input: as the models read them."
)


def build(frames: Frames) -> pd.DataFrame:
    """One row per dataset and label: positives, and the sizes of the dataset's files."""
    sums = frames.counts.groupby(["dataset", "label"], sort=False)
    table = sums[["images", "positives"]].sum().reset_index()
    sizes = pd.DataFrame([native(*part) for part in frames.sides.groupby("dataset", sort=False)])
    sizes = sizes if len(sizes) else pd.DataFrame({"dataset": pd.Series(dtype=object)})
    table = table.merge(sizes, on="dataset", how="left").rename(columns={"dataset": "of"})
    pixels = {
        name: str(facts.get("image", {}).get("size", "")) for name, facts in frames.facts.items()
    }
    return table.assign(dataset=ALL, pixels=table["of"].map(pixels)).reindex(columns=COLUMNS)


def native(name: str, sides: pd.DataFrame) -> dict:
    """Median, least and greatest sides of a dataset's files."""
    found = {"dataset": name, "measured": sides["images"].sum()}
    for side in ("width", "height"):
        values = sides.sort_values(side)
        middle = values["images"].cumsum().searchsorted(values["images"].sum() / 2)
        found[side] = values[side].iloc[middle]
        found |= {f"least_{side}": values[side].min(), f"most_{side}": values[side].max()}
    return found


def show(rows: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """One row per dataset."""
    shown = []
    for name, part in rows.groupby("of", sort=False):
        first = part.iloc[0]
        width, _, height = first["pixels"].partition("x")
        shown.append(
            {
                "dataset": name,
                "images": whole(first["images"]),
                "classes": whole(len(part)),
                "images of each class": "; ".join(
                    f"{row.label} {whole(row.positives)}" for row in part.itertuples()
                ),
                "file size (pixels)": measured(first),
                "input (pixels)": f"{width} × {height or width}" if width else "–",
            }
        )
    return pd.DataFrame(shown)


def measured(row: pd.Series) -> str:
    """Width by height of a dataset's files; a dash where they are not recorded."""
    if pd.isna(row["width"]):
        return "–"
    text = f"{whole(row['width'])} × {whole(row['height'])}"
    least = min(row["least_width"], row["least_height"])
    most = max(row["most_width"], row["most_height"])
    alike = all(row[f"least_{side}"] == row[f"most_{side}"] for side in ("width", "height"))
    return text if alike else f"{text} ({whole(least)}–{whole(most)})"


def notes(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """Datasets of which the size of the files is not known."""
    names = list(dict.fromkeys(rows.loc[rows["width"].isna(), "of"]))
    said = "the version of cxrgrid that decoded the images did not record the size of the files."
    return [f"{', '.join(names)}: {said}"] if names else []
