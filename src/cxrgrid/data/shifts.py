"""Images under a stated change: noise, blur, contrast, gamma, JPEG, rotation and so on.

Each works on the array that a network sees, uint8 [H, W], at any size: amounts are shares of the
image's sides or of white (`config/shifts.csv`). All chance follows from the image's name and the
change, so that every model meets the same images, and a stronger change goes the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cxrgrid.data.hashed_draws import hashed_draw
from cxrgrid.data.pooled_part import PooledPixels

WHITE = 255
Changing = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def noise(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise; amount: its SD as a share of white."""
    return rounded(image + rng.normal(size=image.shape) * amount * WHITE)


def blur(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur; amount: its SD as a share of the shorter side."""
    return cv2.GaussianBlur(image, (0, 0), amount * min(image.shape), borderType=cv2.BORDER_REFLECT)


def contrast(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Grey levels drawn towards their mean; amount: the share of the distance that is left."""
    mean = image.mean()
    return rounded(mean + (image - mean) * amount)


def gamma(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Darker mid-tones by the exponent, or, in half of the images, lighter by its inverse."""
    exponent = amount if rng.random() < 0.5 else 1 / amount
    return rounded(WHITE * (image / WHITE) ** exponent)


def jpeg(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """The image from a JPEG file; amount: its quality, 1 to 100."""
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(amount)])
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def rotation(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Rotation about the centre by so many degrees, in either direction; black beyond the edges."""
    height, width = image.shape
    angle = amount if rng.random() < 0.5 else -amount
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    return cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR)


def translation(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """The image moved by a share of its sides, in any direction; black beyond the edges."""
    height, width = image.shape
    angle = 2 * np.pi * rng.random()
    by = amount * width * np.cos(angle), amount * height * np.sin(angle)
    move = np.array([[1, 0, by[0]], [0, 1, by[1]]])
    return cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_LINEAR)


def crop(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """A part of the image, at any position, enlarged to the whole; amount: share of each side."""
    height, width = image.shape
    size = max(1, round(amount * height)), max(1, round(amount * width))
    top, left = (int(rng.random() * (a - b + 1)) for a, b in zip(image.shape, size, strict=True))
    part = image[top : top + size[0], left : left + size[1]]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)


def resolution(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """The image made smaller and enlarged again; amount: share of each side's pixels."""
    height, width = image.shape
    size = max(1, round(amount * width)), max(1, round(amount * height))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def rounded(image: np.ndarray) -> np.ndarray:
    """Grey levels as uint8."""
    return np.clip(np.rint(image), 0, WHITE).astype(np.uint8)


MAKERS: dict[str, Changing] = {
    make.__name__: make
    for make in (noise, blur, contrast, gamma, jpeg, rotation, translation, crop, resolution)
}


def changed(image: np.ndarray, name: str, change: str, amount: float) -> np.ndarray:
    """One image uint8 [H, W] under a change; name: of the image, which decides all chance."""
    rng = np.random.default_rng(int(hashed_draw(name, change) * 2**48))
    return MAKERS[change](np.ascontiguousarray(image), amount, rng)


@dataclass(frozen=True)
class ShiftedPixels:
    """An array of images, each changed when it is asked for: uint8 [M, H, W], as `Split.pixels`.

    names: of the image in each row that may be asked for.
    """

    pixels: np.ndarray | PooledPixels
    names: dict[int, str]
    change: str
    amount: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole."""
        return self.pixels.shape

    def __getitem__(self, rows: np.ndarray | int) -> np.ndarray:
        """The changed images of some rows, in their order; or one image."""
        if np.ndim(rows) == 0:
            return self.one(self.pixels[rows], int(rows))
        return np.stack([self.one(*pair) for pair in zip(self.pixels[rows], rows, strict=True)])

    def one(self, image: np.ndarray, row: int) -> np.ndarray:
        """The image of a row, changed."""
        return changed(image, self.names[int(row)], self.change, self.amount)


def names_of(rows: np.ndarray, images: Sequence[str]) -> dict[int, str]:
    """{row of the array: name of its image}."""
    return dict(zip(rows.tolist(), images, strict=True))
