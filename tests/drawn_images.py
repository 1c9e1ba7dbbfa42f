"""Images to decode, and how near two decodings of one are."""

import numpy as np
import pydicom
from PIL import Image

from cxrgrid.config import preparation
from cxrgrid.data import dicom, image

SIZE = 32


def decoded(path, size=SIZE, resize="squash", **more):
    return image.decode(path, preparation.Image(size=size, resize=resize, **more))


def smooth(height=160, width=160, seed=0):
    """Grey levels without hard edges, so that resizing filters agree."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(20, 235, (6, 6), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def by_hand(grey, size=SIZE):
    """The squashed image by plain area averages, which Pillow's filters come close to."""
    image = Image.fromarray(np.asarray(grey, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def close(found, wanted, tolerance=2.0):
    assert found.dtype == np.uint8
    assert np.abs(found.astype(float) - wanted).mean() < tolerance


def write_dicom(path):
    dicom.write(path, smooth(), {"patient": 1, "study": 0, "view": "PA", "sex": "F", "age": 50})
    return pydicom.dcmread(path)
