"""Coordinates, soft shapes and noise: what every drawing is made of. All arrays are float32."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw


@dataclass(frozen=True)
class Pose:
    """Position of a person before the film: shift, zoom, tilt and rotation about the own axis."""

    dx: float = 0.0
    dy: float = 0.0
    zoom: float = 1.0
    tilt: float = 0.0
    turn: float = 0.0
    seed: int = 0


def plane(size: int, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Body coordinates x and y of every pixel, [size, size] each."""
    line = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(2 / size) - 1
    x, y = np.meshgrid(line - np.float32(pose.dx), line - np.float32(pose.dy))
    cos, sin = np.float32(np.cos(pose.tilt) / pose.zoom), np.float32(np.sin(pose.tilt) / pose.zoom)
    return x * cos + y * sin, y * cos - x * sin


def to_pixels(points: np.ndarray, size: int, pose: Pose) -> np.ndarray:
    """Film coordinates of points in body coordinates, [..., 2]: the inverse of `plane`."""
    cos, sin = np.cos(pose.tilt) * pose.zoom, np.sin(pose.tilt) * pose.zoom
    x = points[..., 0] * cos - points[..., 1] * sin + pose.dx
    y = points[..., 0] * sin + points[..., 1] * cos + pose.dy
    return (np.stack([x, y], axis=-1) + 1) * (size / 2)


def edge(distance: np.ndarray, width: float) -> np.ndarray:
    """From 0 to 1 where `distance` rises through 0, over `width`."""
    step = np.clip(distance * np.float32(1 / width) + np.float32(0.5), 0, 1)
    return step * step * (3 - 2 * step)


def chord(distance: np.ndarray) -> np.ndarray:
    """Path through a round body of radius 1, at most 1, for rays at `distance` from its middle."""
    return np.sqrt(np.clip(1 - distance * distance, 0, 1))


def noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise around 0, about 0.5 strong, with `cells` bumps across the picture."""
    coarse = Image.fromarray(rng.normal(0, 0.7, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def lines(paths: list[tuple[np.ndarray, float]], size: int, pose: Pose) -> np.ndarray:
    """Polylines, each [points, 2] in body coordinates with a width, drawn 1 on 0."""
    # Twice the size and averaged down: smooth at any slope.
    canvas = Image.new("L", (2 * size, 2 * size))
    pen = ImageDraw.Draw(canvas)
    for points, width in paths:
        pixels = to_pixels(points, 2 * size, pose)
        pen.line(pixels.ravel().tolist(), fill=255, width=max(1, round(width * size)))
    return np.asarray(canvas.reduce(2), dtype=np.float32) / 255
