"""Grey levels of a DICOM film as a screen would show them: modality, window or table, padding.

Tables are applied here and not by pydicom, which wraps those of 8 bits at 256 entries and refuses
those of 9 or 12; a window goes up with the rescaled values, whatever the sign of the slope. Tested
against dcmtk's rendering.
"""

from collections.abc import Callable, Iterator

import numpy as np

from cxrgrid.data import decode_memory, grey_levels

MIDDLE = (5, 95)  # percentiles between which a window has to show something,
LEAST = 0.1  # namely this share of their range
MOST_OVERLAY = 0.25  # of the image that an overlay may cover
WINDOW = ["PhotometricInterpretation", "BitsStored", "PixelRepresentation", "VOILUTFunction"]
WINDOW += ["RescaleIntercept", "RescaleSlope", "ModalityLUTSequence"]


def eight_bit(pixels: np.ndarray, film, sixteen_bit: str) -> tuple[np.ndarray, str]:
    """uint8 [H, W], bright where the patient absorbs, and a remark if its window does not fit.

    Levels of at most 8 bits without a window stay as they are; padding becomes black.
    """
    inverted = is_inverted(film)
    levels, counts, pixels = tabled(pixels)
    outside = padding(levels, film)
    if not np.isfinite(levels).all():
        levels = numbers(levels)
    rescaled = modality(levels, film)
    counts[outside] = 0
    table, remark = None, ""
    if sixteen_bit == "voi":
        table, remark = first_that_fits(film, rescaled, counts)
    if table is None and is_byte(levels, film) and np.array_equal(rescaled, levels):
        table = levels.astype(np.uint8)
    if table is None:
        whole = sixteen_bit == "full" or not counts.any()
        bounds = (0, 0) if whole else grey_levels.percentiles(rescaled, counts)
        there = rescaled[counts > 0] if counts.any() else rescaled
        table = grey_levels.scaled(rescaled, *bounds, there)
    table = np.where(outside, 0, 255 - table if inverted else table).astype(np.uint8)
    return grey_levels.lookup(table, pixels), remark


def tabled(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The levels of an image, how many pixels have each, and pixels as `grey_levels.lookup` takes.

    Of values too far apart for a table of all between, those that occur: pixels are then places.
    """
    floats = pixels.dtype.kind == "f"
    lowest, highest = (0, grey_levels.TABLE) if floats else (int(pixels.min()), int(pixels.max()))
    if highest - lowest < grey_levels.TABLE:
        levels = np.arange(lowest, highest + 1)
        return levels, grey_levels.histogram(pixels, lowest, len(levels)), pixels
    levels = np.unique(pixels)
    wanted = pixels.size * (3 * pixels.itemsize + 4) + len(levels) * decode_memory.LEVEL
    decode_memory.check(pixels.shape[::-1], f"{len(levels):,} levels of", wanted)
    places = np.empty(pixels.shape, np.int32)
    for rows in grey_levels.row_strips(*pixels.shape[::-1]):
        places[rows] = np.searchsorted(levels, pixels[rows])
    counts = grey_levels.histogram(places, 0, len(levels))
    return levels.astype(float if floats else np.int64), counts, places


def numbers(levels: np.ndarray) -> np.ndarray:
    """The levels, with the lowest number in place of what is none."""
    finite = np.isfinite(levels)
    if not finite.any():
        raise ValueError("no pixel is a number")
    return np.where(finite, levels, levels[finite].min())


def is_byte(levels: np.ndarray, film) -> bool:
    """True for grey levels of at most 8 bits, in one byte or in two."""
    stored = int(film.get("BitsStored") or film.get("BitsAllocated") or 16)
    return stored <= 8 and levels[0] >= 0 and levels[-1] <= 255


def is_inverted(film) -> bool:
    """True if high values are dark, by presentation LUT shape, else photometric interpretation."""
    shape = str(film.get("PresentationLUTShape") or "").strip().upper()
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return film.PhotometricInterpretation == "MONOCHROME1"


def within_bits(decode: Callable, film) -> np.ndarray:
    """Stored values of a film, without the overlays that old films keep in upper bits.

    pydicom cuts values off at `BitsStored`, which some headers put too low: many values above it
    are grey levels, a few are an overlay.
    """
    stored, allocated = int(film.get("BitsStored") or 0), int(film.get("BitsAllocated") or 0)
    packed = film.file_meta.TransferSyntaxUID.is_compressed
    if packed or film.get("PixelRepresentation") or not 0 < stored < allocated == 16:
        return decode(film)
    high = int(film.get("HighBit") or stored - 1)
    film.BitsStored, film.HighBit = allocated, allocated - 1
    pixels = decode(film)
    film.BitsStored, film.HighBit = stored, high
    below = high + 1 - stored  # bits below the stored ones
    if 0 < below <= allocated - stored and not (pixels & (2**below - 1)).any():
        return pixels >> below
    return pixels & (2**stored - 1) if (pixels > 2**stored - 1).mean() < MOST_OVERLAY else pixels


def padding(levels: np.ndarray, film) -> np.ndarray:
    """Mask of the stored levels that are padding around the image."""
    if levels.dtype.kind == "f":
        return float_padding(levels, film)
    value = film.get("PixelPaddingValue")
    if value is None:
        return np.zeros(len(levels), bool)
    limit = film.get("PixelPaddingRangeLimit")
    below = 2**16 if levels[0] < 0 else 0  # of signed levels, written as unsigned
    ends = [int(value), int(value if limit is None else limit)]
    ends = sorted(end - below if below and end >= 2**15 else end for end in ends)
    return (levels >= ends[0]) & (levels <= ends[1])


def float_padding(levels: np.ndarray, film) -> np.ndarray:
    """Mask of levels that are no numbers, or that the file calls padding."""
    outside = ~np.isfinite(levels)
    for kind in ("Float", "DoubleFloat"):
        if (value := film.get(f"{kind}PixelPaddingValue")) is not None:
            limit = film.get(f"{kind}PixelPaddingRangeLimit")
            low, high = sorted((float(value), float(value if limit is None else limit)))
            outside |= (levels >= low) & (levels <= high)
    return outside


def modality(levels: np.ndarray, film) -> np.ndarray:
    """Values of stored levels, by the modality table or by slope and intercept."""
    if film.get("ModalityLUTSequence"):
        return through_table(levels, film.ModalityLUTSequence[0], film)[0]
    slope, intercept = film.get("RescaleSlope"), film.get("RescaleIntercept")
    if slope is None or intercept is None or float(slope) == 0:  # which would make all one
        return levels
    return levels.astype(np.float64) * float(slope) + float(intercept)


def through_table(levels: np.ndarray, item, film) -> tuple[np.ndarray, int]:
    """Levels looked up in a table, with its highest possible value; its ends go on for ever."""
    entries, first, bits = map(int, item.LUTDescriptor)
    data, entries = item.LUTData, entries or 2**16
    if isinstance(data, bytes):
        order = "<" if film.original_encoding[1] is not False else ">"
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * entries else f"{order}u2")
    data = np.atleast_1d(np.asarray(data, np.int64))[:entries]
    first -= 2**16 if first >= 2**15 and levels.min() < 0 else 0  # written as unsigned
    found = data[np.clip(np.rint(levels).astype(np.int64) - first, 0, len(data) - 1)]
    used = int(data.max()).bit_length()
    # A table that needs more bits than it says, or far fewer: its word on them is wrong.
    return found, 2 ** (used if not bits - 2 < used <= bits else bits) - 1


def first_that_fits(
    film, rescaled: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray | None, str]:
    """uint8 of each level by the first table or window that shows the image, and a remark.

    None where the file has none, or none that fits: some are meant for other data.
    """
    if not counts.any():
        return None, ""
    order = np.argsort(rescaled, kind="stable")
    seen = np.cumsum(counts[order])
    low, high = rescaled[order][np.searchsorted(seen, np.array(MIDDLE) / 100 * seen[-1])]
    passed = []
    for name, fits, shown in candidates(film, rescaled):
        if fits(float(low), float(high)):
            return shown, f"{passed[0]} does not fit its values: {name} is used" if passed else ""
        passed.append(name)
    return None, f"{passed[0]} does not fit its values: percentiles are used" if passed else ""


def candidates(film, rescaled: np.ndarray) -> Iterator[tuple[str, Callable, np.ndarray]]:
    """Each VOI table and window: its name, whether it shows a range, and uint8 of each level."""
    for number, item in enumerate(film.get("VOILUTSequence") or [], 1):
        if item.get("LUTData") is None or not item.get("LUTDescriptor"):
            continue
        shown, high = through_table(rescaled, item, film)
        varied = shown.min() < shown.max()
        yield (
            f"VOI table {number}",
            lambda *_, varied=varied: varied,
            grey_levels.scaled(shown.astype(float), 0.0, float(high), shown),
        )
    for center, width in windows(film):
        if width < 1 and (width <= 0 or film.get("VOILUTFunction", "LINEAR") == "LINEAR"):
            continue

        def fits(low: float, high: float, center=center, width=width) -> bool:
            overlap = min(high, center + width / 2) - max(low, center - width / 2)
            return overlap >= LEAST * (high - low)

        yield f"window {center:g}, {width:g}", fits, windowed(rescaled, film, center, width)


def windows(film) -> list[tuple[float, float]]:
    """Centre and width of each window."""
    ends = [film.get(name) for name in ("WindowCenter", "WindowWidth")]
    if any(end in (None, "") for end in ends):
        return []
    centers, widths = ([float(value) for value in np.atleast_1d(end)] for end in ends)
    return list(zip(centers, widths, strict=False))


def windowed(levels: np.ndarray, film, center: float, width: float) -> np.ndarray:
    """uint8 of each level, black to white over what the window can give."""
    from pydicom.dataset import Dataset
    from pydicom.pixels import apply_windowing

    window = Dataset()
    for name in WINDOW:
        if name in film:
            window[name] = film[name]
    window.WindowCenter, window.WindowWidth = center, width
    if "RescaleSlope" in film:  # pydicom turns tones round with its sign
        window.RescaleSlope = abs(float(film.RescaleSlope)) or 1
    with np.errstate(over="ignore"):  # a sigmoid's far ends
        low, high = apply_windowing(np.array([-1e9, 1e9]), window)
        shown = apply_windowing(levels, window)
    return grey_levels.scaled(shown, float(low), float(high), shown)
