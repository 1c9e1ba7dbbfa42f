"""Images that are equal, or nearly: found by their pixels, whatever their names say.

The perceptual hash is 255 bits: whether each of the 16 × 16 lowest cosine frequencies, but the
first, is above their median. Files encoded anew, resized, brighter or of more contrast differ in
few bits; two people's chests in many. Mirrored, turned or cropped copies are not found.

Measured, squares of 64 and 96 pixels: between different patients the closest of 17.1 million pairs
of Kermany's images differ in 38 bits (apart from one pair that is the same image), of 44 thousand
pairs of ChestX-ray14 in 62, of a million pairs of phantoms in 28. The same images, resized to 60 %,
brighter by 15 % and saved as JPEG of quality 40, differ in 4 (median) to 18 bits (n = 600).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxrgrid.data.stored_array import open_array

if TYPE_CHECKING:  # a training, which asks for `near` alone, starts half a second sooner without
    import pandas as pd

NEAR = 20  # bits: images that differ in no more are near-identical
SIDE = 16  # lowest frequencies along each side
FINE = 32  # cells along each side, of which these are the frequencies
WIDTH = 256  # bits of a hash with the one that is always 0
BLOCK = 2048  # hashes compared with each other at a time; memory stays flat
ROWS = 256  # images read at a time


def frequencies(side: int) -> np.ndarray:
    """Lowest cosine frequencies of `FINE` averages over `side` pixels: float32 [SIDE, side]."""
    edges = np.linspace(0, side, FINE + 1)
    pixel = np.arange(side)
    share = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    average = np.clip(share, 0, None) * FINE / side
    cosine = np.cos(np.pi * np.outer(np.arange(SIDE), np.arange(FINE) + 0.5) / FINE)
    return (cosine @ average).astype(np.float32)


def phash(images: np.ndarray) -> np.ndarray:
    """Perceptual hashes uint8 [N, 32] of grey images uint8 [N, H, W]."""
    down, across = (frequencies(side) for side in images.shape[1:])
    found = (down @ images.astype(np.float32) @ across.T).reshape(len(images), -1)
    found = found[:, 1:]  # the first is the brightness
    return np.packbits(found > np.median(found, axis=1, keepdims=True), axis=1)


def fingerprints(path: Path) -> tuple[list[str], np.ndarray, list[int]]:
    """Of each row of pixels.npy its digest, its perceptual hash uint8 [N, 32] and its CRC-32.

    Read block by block: the array may be larger than memory.
    """
    pixels = open_array(path)
    digests: list[str] = []
    sums: list[int] = []
    hashes = np.zeros((len(pixels), 32), np.uint8)
    with path.open("rb") as file:
        file.seek(pixels.offset)
        for start in range(0, len(pixels), ROWS):
            shape = (min(ROWS, len(pixels) - start), *pixels.shape[1:])
            block = np.frombuffer(file.read(int(np.prod(shape))), np.uint8).reshape(shape)
            sums += [zlib.crc32(image) for image in block]
            digests += [hashlib.blake2b(image, digest_size=16).hexdigest() for image in block]
            hashes[start : start + len(block)] = phash(block)
    return digests, hashes, sums


def near(one: np.ndarray, other: np.ndarray, bits: int = NEAR) -> tuple[np.ndarray, ...]:
    """All pairs of hashes that differ in at most `bits`: their rows in each, and in how many bits.

    Exact: every pair is compared, as a product of matrices of ±1, which is fast.
    """
    others = [signs(other[at : at + BLOCK]) for at in range(0, len(other), BLOCK)]
    found = []
    for first in range(0, len(one), BLOCK):
        block = signs(one[first : first + BLOCK])
        for number, second in enumerate(others):
            product = block @ second.T  # 256 less twice the bits that differ
            # Speed: nearly all blocks have no pair, and one pass over them is enough.
            if product.size and product.max() >= WIDTH - 2 * bits:
                left, right = np.nonzero(product >= WIDTH - 2 * bits)
                apart = ((WIDTH - product[left, right]) / 2).astype(int)
                found.append((left + first, right + number * BLOCK, apart))
    if not found:
        return (np.zeros(0, int),) * 3
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def signs(hashes: np.ndarray) -> np.ndarray:
    """Bits as 1 and −1: float32 [N, WIDTH]."""
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def equal(table: pd.DataFrame, digests: list[str]) -> list[list[str]]:
    """Groups of images whose pixels are equal although their splits are not."""
    table = table.assign(digest=np.array(digests)[table["row"]])
    apart = table[table.groupby("digest")["split"].transform("nunique") > 1]
    return sorted(sorted(images) for _, images in apart.groupby("digest")["image"])


def alike(table: pd.DataFrame, digests: list[str], hashes: np.ndarray) -> list[dict]:
    """Pairs of near-identical images, not equal ones, that stand in different splits."""
    parts = dict(list(table.groupby("split")))
    pairs = []
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        if one in parts and other in parts:
            pairs += between(parts[one], parts[other], digests, hashes)
    return sorted(pairs, key=lambda pair: (pair["bits"], pair["images"]))


def between(
    one: pd.DataFrame, other: pd.DataFrame, digests: list[str], hashes: np.ndarray
) -> Iterator[dict]:
    """The pairs of `alike` between two splits."""
    rows = one["row"].to_numpy(), other["row"].to_numpy()
    for left, right, bits in zip(*near(hashes[rows[0]], hashes[rows[1]]), strict=True):
        if digests[rows[0][left]] != digests[rows[1][right]]:
            pair = one.iloc[left], other.iloc[right]
            yield {
                "images": [image["image"] for image in pair],
                "splits": [image["split"] for image in pair],
                "bits": int(bits),
                "same_patient": bool(pair[0]["patient"] == pair[1]["patient"]),
            }
