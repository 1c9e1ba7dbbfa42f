"""pixels.parquet: which image has which row of pixels.npy, why one has none, and what is odd."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa

from cxrgrid.data import oddities
from cxrgrid.data.stored_array import open_array

SUSPICIOUS = "suspicious: "  # begins the reason of an image that is readable and set aside
THUMB = 16  # pixels a side, for a look at all images together
SHOWN = 20  # odd images that are named in the log


def odd(
    images: list[str],
    aside: dict[str, str],
    alone: dict[str, str],
    sides: list[tuple[int, int]],
    pixels: Path,
) -> dict[str, str]:
    """Oddities of images, by themselves (`alone`) or compared with the rest of the dataset.

    sides: width and height in the file of each readable image.
    """
    readable = [image for image in images if image not in aside]
    array = open_array(pixels)
    small = [cv2.resize(image, (THUMB, THUMB), interpolation=cv2.INTER_AREA) for image in array]
    found = oddities.of_dataset(np.array(small), np.array(sides).reshape(-1, 2))
    beside = {readable[at]: text for at, text in found.items()}
    return {
        image: "; ".join(one[image] for one in (alone, beside) if image in one)
        for image in readable
        if image in alone or image in beside
    }


def table(
    images: list[str],
    aside: dict[str, str],
    odd: dict[str, str],
    sides: list[tuple[int, int]],
    suspicious: str = "keep",
) -> pa.Table:
    """pixels.parquet: the row of each image in pixels.npy, or why it has none, and what is odd.

    sides: as of `odd`; they become `width` and `height`, null where an image cannot be read.
    """
    readable = np.array([image not in aside for image in images])
    rows = np.where(readable, np.cumsum(readable) - 1, -1)
    reasons = [aside.get(image) for image in images]
    if suspicious == "set_aside":
        rows = np.where([image in odd for image in images], -1, rows)
        reasons = [
            f"{SUSPICIOUS}{odd[i]}" if i in odd else why
            for i, why in zip(images, reasons, strict=True)
        ]
    notes = pa.array([odd.get(image) for image in images], pa.string())
    columns = {"image": images, "row": rows.astype(np.int64)}
    columns |= {"reason": pa.array(reasons, pa.string()), "note": notes}
    known = iter(sides)
    each = [next(known) if there else (None, None) for there in readable]
    for name, of_images in zip(("width", "height"), zip(*each, strict=True), strict=True):
        columns[name] = pa.array(of_images, pa.int32())
    return pa.table(columns)


def with_checksums(table: pa.Table, sums: list[int]) -> pa.Table:
    """pixels.parquet with `crc32`: of each readable image's pixels, null where there are none.

    sums: of the rows of pixels.npy.
    """
    known = iter(sums)
    each = [next(known) if there else None for there in table["width"].is_valid().to_pylist()]
    return table.append_column("crc32", pa.array(each, pa.int64()))


def damaged(files: pd.DataFrame, sums: list[int]) -> list[str]:
    """The images whose pixels are not those that were decoded; none where no checksum is known.

    sums: of the rows of pixels.npy, as it is read now.
    """
    if "crc32" not in files:
        return []
    known = files[(files["row"] >= 0) & (files["row"] < len(sums)) & files["crc32"].notna()]
    now = np.array(sums, np.int64)[known["row"]]
    return list(known.loc[known["crc32"].to_numpy() != now, "image"])


def tell(odd: dict[str, str], suspicious: str) -> None:
    """The images that look odd, by name; the first ones of many."""
    if odd:
        some = "; ".join(f"{image} ({why})" for image, why in list(odd.items())[:SHOWN])
        what = "set aside" if suspicious == "set_aside" else "kept (`suspicious: keep`)"
        more = f"; and {len(odd) - SHOWN:,} more" if len(odd) > SHOWN else ""
        logging.warning(f"{len(odd):,} images look odd, {what}: {some}{more}")


def kept_odd(files: pd.DataFrame) -> pd.DataFrame:
    """`image` and `note` of what looks odd and is kept; a file made before says nothing of it."""
    if "note" not in files:
        return pd.DataFrame(columns=["image", "note"])
    return files.loc[(files["row"] >= 0) & files["note"].notna(), ["image", "note"]]
