"""An image, or a box of it, at the size that a recipe asks for."""

import cv2
import numpy as np
from PIL import Image

from cxrgrid.config import preparation
from cxrgrid.data import grey_levels
from cxrgrid.data.lungs import Box

Sides = tuple[int, int]  # width, height


def inner(sides: tuple[float, float], wanted: Sides, resize: str) -> Sides:
    """Width and height that the whole image gets when it is resized; `crop` cuts from these."""
    if resize == "squash":
        return wanted
    scales = [want / have for want, have in zip(wanted, sides, strict=True)]
    scale = min(scales) if resize == "fit" else max(scales)
    return max(1, round(sides[0] * scale)), max(1, round(sides[1] * scale))


def cut(box: Box, wanted: Sides) -> Box:
    """The middle of a box with the aspect ratio of `wanted`, as large as it can be."""
    left, top, right, bottom = box
    width, height, ratio = right - left, bottom - top, wanted[0] / wanted[1]
    dx = (width - min(width, height * ratio)) / 2
    dy = (height - min(height, width / ratio)) / 2
    return left + dx, top + dy, right - dx, bottom - dy


def placed(box: Box, recipe: preparation.Image) -> tuple[Box, Sides]:
    """Part of a box that is resized, and the width and height that it gets.

    Both are less than the recipe's where `fit` pads: the part is then in the middle, on black.
    """
    left, top, right, bottom = box
    if recipe.resize == "crop":
        return cut(box, recipe.sides), recipe.sides
    return box, inner((right - left, bottom - top), recipe.sides, recipe.resize)


def fitted(pixels: np.ndarray, recipe: preparation.Image, box: Box, sized: dict) -> np.ndarray:
    """The box of an image at the recipe's size: squashed, whole on black (fit) or cut (crop).

    Equalising and blurring come after resizing and before padding. sized: parts that have been
    resized already, of pixels that live as long as it does; filled in.
    """
    box, target = placed(box, recipe)
    asked = (id(pixels), target, box, recipe.interpolation)
    if asked not in sized:
        sized[asked] = resized(pixels, target, box, recipe.interpolation)
    small = grey_levels.enhance(sized[asked], recipe.equalize, recipe.blur)
    if target == recipe.sides:
        return small
    canvas = np.zeros(recipe.shape, np.uint8)
    left, top = ((whole - part) // 2 for whole, part in zip(recipe.sides, target, strict=True))
    canvas[top : top + target[1], left : left + target[0]] = small
    return canvas


def resized(pixels: np.ndarray, target: Sides, box: Box, interpolation: str) -> np.ndarray:
    """The box of an image, rounded to whole pixels, at another size: uint8 [height, width].

    By area: each pixel is the mean of the area that it covers, but bilinear if a side grows. The
    others are Pillow's, which smooth what they make smaller, as torchvision and transformers do.
    """
    left, top, right, bottom = (round(edge) for edge in box)
    part = pixels[top:bottom, left:right]
    if interpolation == "area" and (part.shape[1] < target[0] or part.shape[0] < target[1]):
        interpolation = "bilinear"
    if interpolation != "area":
        way = Image.Resampling[interpolation.upper()]
        return np.asarray(Image.fromarray(part).resize(target, way))
    return cv2.resize(part, target, interpolation=cv2.INTER_AREA)
