"""Memory that one image takes while it is decoded, known before it is taken: 1 GB at most.

Bytes per pixel are those of the worst image of a kind, measured by benchmarks/decode_memory.py.
"""

from pathlib import Path

from PIL import Image

MEMORY = 1_000_000_000  # bytes; a film of 40 million pixels of 16 bits takes 320 million
# Decoders that hold several whole images: bytes per channel.
PER_CHANNEL = {"JPEG2000": 8, "WEBP": 6}
LEVEL = 40  # bytes of each grey level, of those too far apart for a table


def of_picture(image: Image.Image, path: Path) -> int:
    """Bytes at the peak of a decode, of a Pillow image that is not decoded yet."""
    channels = len(image.getbands())
    deep = ";16" in f"{image.mode} {getattr(image, 'tile', '')}"
    if image.format in PER_CHANNEL:
        each = PER_CHANNEL[image.format] * max(channels, 3 if image.format == "WEBP" else 1)
    elif image.mode in ("I", "F"):
        each = 14
    elif deep:
        each = 8 if channels == 1 else 6 * channels
    else:
        each = 4 if channels == 1 else 8
    packed = path.stat().st_size * (1 if deep and channels > 1 else 2)
    return image.width * image.height * each + packed


def of_film(film) -> int:
    """Bytes at the peak of a decode, of a DICOM data set; without what levels take, see `LEVEL`."""
    channels, stored = int(film.get("SamplesPerPixel") or 1), int(film.get("BitsAllocated") or 8)
    each = channels * max(stored / 8, 1)
    return int(film.Rows * film.Columns * (each * 4 + 2))


def check(sides: tuple[int, int], kind: str, needed: int) -> None:
    """`ValueError` for an image that would take too much."""
    if needed > MEMORY:
        width, height = sides
        raise ValueError(
            f"too large to decode: {width} x {height} {kind} pixels take {needed / 1e9:.1f} GB, "
            f"of {MEMORY / 1e9:g} GB at most; save it smaller, or with 8 bits"
        )
