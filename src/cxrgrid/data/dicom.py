"""One DICOM file: its grey levels as a screen would show them, and what its header says.

pydicom is imported when the first such file is met, not before. Modality and VOI tables are applied
to grey levels, not to pixels: a film of 16 bits costs its pixels twice, not as floats.
"""

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from cxrgrid.data import decode_memory, dicom_colour, dicom_tone, file_pixels, jpeg_damage
from cxrgrid.io.read_once import read_once

SUFFIXES = (".dcm", ".dicom", ".ima")
GREY = ("MONOCHROME1", "MONOCHROME2")
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
SIDES = ["Rows", "Columns"]
PERSON = ["PatientSex", "PatientAge", "ViewPosition"]
IDS = ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "AccessionNumber", "PatientID"]
HEADERS = 200_000  # of which the texts are kept: about 1 kB each
NO_FILMS = ("CT", "MR", "PT", "NM", "US", "XA", "SR", "SEG", "PR", "KO", "RTSTRUCT", "RTDOSE")
YEARS = {"Y": 1, "M": 1 / 12, "W": 1 / 52, "D": 1 / 365, "": 1}
DEFLATED = b"1.2.840.10008.1.2.1.99"  # the transfer syntax
INFLATED = 400_000_000  # bytes: two for each pixel of the largest image that is read
CHUNK = 1_000_000  # bytes inflated at a time
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PREFIX = "1.2.826.0.1.3680043.8.498."  # pydicom's own root of identifiers


def is_dicom(path: Path, start: bytes) -> bool:
    """By its first 132 bytes, or where these are missing by its name."""
    return starts(start) or path.suffix.lower() in SUFFIXES


def starts(start: bytes) -> bool:
    """True if 132 bytes are the beginning of a DICOM file, with or without preamble."""
    if start[128:132] == b"DICM":
        return True
    group, element = start[:2], int.from_bytes(start[2:4], "little")
    if group not in (b"\x02\0", b"\x08\0") or element > 0x18:
        return False
    explicit = start[4:6] in (b"UL", b"OB", b"UI", b"CS", b"DA")
    return explicit or 0 < int.from_bytes(start[4:8], "little") <= 64  # implicit: a length


def load(path: Path, **options):
    """The data set as pydicom reads it. `ValueError` if the file is not DICOM."""
    import pydicom

    if path.exists() and not path.is_file():
        raise ValueError("no regular file")

    # Publishers' headers are full of small faults, of which none touches a pixel.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    try:
        with path.open("rb") as file:
            start = file.read(4096)
        bare = starts(start[:128])  # without a preamble, which pydicom wants to be told
        if DEFLATED in start:
            check_inflated(path)
        return whole_header(pydicom.dcmread(path, force=bare, **options))
    except pydicom.errors.InvalidDicomError:
        raise ValueError("not a DICOM file" if path.stat().st_size else "empty file") from None


def check_inflated(path: Path) -> None:
    """`ValueError` for a deflated file that would become larger than any film: read to be counted.

    pydicom inflates it at once: half a megabyte can ask for gigabytes.
    """
    from pydicom.filereader import read_file_meta_info, read_preamble

    if read_file_meta_info(path).get("TransferSyntaxUID") != DEFLATED.decode():
        return
    with path.open("rb") as file:
        read_preamble(file, False)
        file.seek(12 + read_file_meta_info(path).FileMetaInformationGroupLength, 1)
        inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        packed = file.read(CHUNK)
        while packed and not inflater.eof:
            size += len(inflater.decompress(packed, CHUNK))
            if size > INFLATED:
                raise ValueError(f"deflated: holds more than {INFLATED // 10**6:,} MB")
            packed = inflater.unconsumed_tail or file.read(CHUNK)


def whole_header(film):
    """The data set with what bare files lack and pixels cannot be read without."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in film.file_meta:
        implicit, little = film.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        film.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    if film.get("PhotometricInterpretation") in GREY:
        usual = {"SamplesPerPixel": 1, "PixelRepresentation": 0}
        usual["BitsStored"] = film.get("BitsAllocated")
        for name, value in usual.items():
            if film.get(name) is None and value is not None:
                setattr(film, name, value)
    return film


def sides(path: Path) -> tuple[int, int]:
    """Width and height by the header."""
    header = load(path, stop_before_pixels=True, specific_tags=SIDES)
    return int(header.Columns), int(header.Rows)


def person(path: Path) -> dict:
    """View, sex and age by the header; None and NaN where it does not say."""
    header = texts(path)
    return {
        "view": header["ViewPosition"].strip().upper() or None,
        "sex": header["PatientSex"] if header["PatientSex"] in ("M", "F") else None,
        "age": years(header["PatientAge"]),
    }


@read_once(HEADERS)
def texts(path: Path) -> dict[str, str]:
    """Texts of a header on the person, the kind of image and its ids; "" where it has none."""
    tags = [*PERSON, "Modality", *IDS]
    header = load(path, stop_before_pixels=True, specific_tags=tags)
    return {name: str(header.get(name) or "") for name in tags}


def people(root: Path, images: list[str]) -> list[dict]:
    """`person` of each image; nothing known where a header cannot be read."""

    def ask(image: str) -> dict:
        try:
            return person(root / image)
        except Exception:
            return {"view": None, "sex": None, "age": np.nan}  # `pixels` will say why

    with ThreadPoolExecutor(8) as pool:  # for network disks: a header is one short read
        return list(pool.map(ask, images))


def no_films(root: Path, images: list[str]) -> list[str]:
    """The modality of each image that is no radiograph, as CT; empty for others, and if unknown."""
    told = (one.upper() for one in attributes(root, images, "Modality"))
    return [one if one in NO_FILMS else "" for one in told]


def attributes(root: Path, images: list[str], name: str) -> list[str]:
    """One of `texts` of each image's header; empty where it has none or cannot be read."""

    def ask(image: str) -> str:
        try:
            return texts(root / image)[name].strip()
        except Exception:  # no DICOM file, or a broken one: `pixels` will say why
            return ""

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, images))


def years(text: str) -> float:
    """Years from `058Y`, `013M` and from `58`, as some publishers write; NaN where impossible."""
    text = text.strip()
    unit = text[-1:] if text[-1:].isalpha() else ""
    number = text.removesuffix(unit)
    age = float(number) * YEARS[unit] if number.isdigit() and unit in YEARS else np.nan
    return age if age <= 100 else np.nan


def read(path: Path, sixteen_bit: str) -> tuple[Image.Image, str]:
    """The film as an 8-bit grey image, bright where the patient absorbs, and a remark or "".

    sixteen_bit: `voi` (the first window or table that fits, else percentiles), `percentile` or
    `full`.
    """
    film = load(path)
    check(film)
    pixels = pixels_of(film)
    if pixels.ndim == 3 and int(film.get("SamplesPerPixel") or 1) == 1:
        sides = f"{film.Columns} x {film.Rows}"
        raise ValueError(f"{len(pixels)} times the pixels of {sides}: several frames, or cut sides")
    if pixels.ndim == 3 or film.PhotometricInterpretation == dicom_colour.PALETTE:
        return Image.fromarray(dicom_colour.eight_bit(pixels, film)), ""
    grey, remark = dicom_tone.eight_bit(pixels, film, sixteen_bit)
    return Image.fromarray(grey), remark


def check(film) -> None:
    """`ValueError` with a reason for a file that holds no single film."""
    frames, kind = int(film.get("NumberOfFrames") or 1), film.get("PhotometricInterpretation", "")
    if (modality := str(film.get("Modality") or "").strip().upper()) in NO_FILMS:
        raise ValueError(f"no radiograph: its modality is {modality}")
    if not any(film.get(name) for name in PIXELS):
        # Of a file that ends within packed pixels pydicom gives nothing at all.
        raise ValueError("a DICOM file without pixels" + ", cut off" * (not len(film)))
    if lacking := [name for name in ("Rows", "Columns") if not film.get(name)]:
        raise ValueError(f"its header has no {lacking[0]}")
    if frames > 1:
        raise ValueError(f"multi-frame: {frames} frames where one film is expected")
    if not kind:
        raise ValueError("no radiograph: its photometric interpretation is missing")
    if film.Rows * film.Columns > 2 * Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"image of {film.Columns} x {film.Rows} pixels exceeds limit")
    decode_memory.check((film.Columns, film.Rows), kind, decode_memory.of_film(film))


def pixels_of(film) -> np.ndarray:
    """Stored values [H, W], integers or floats, or [H, W, 3] of a colour film."""
    from pydicom.pixels import get_decoder, pixel_array
    from pydicom.uid import UID

    try:
        check_jpeg(film)
        return dicom_tone.within_bits(pixel_array, film)
    except Exception as error:
        syntax = UID(film.file_meta.TransferSyntaxUID)
        if not syntax.is_compressed or isinstance(error, jpeg_damage.Damaged):
            raise
        lacking = isinstance(error, RuntimeError) and "missing dependencies" in str(error)
        if not lacking and syntax.name.startswith(("JPEG Baseline", "RLE")):
            raise  # these are always read: the file itself is broken
        how = "which no installed decoder reads"
        if not lacking and get_decoder(syntax).is_available:
            how = "damaged, or in a way that no installed decoder reads"
        text = f"compressed as {syntax.name}, {how}: pip install python-gdcm"
        raise ValueError(text) from None


def check_jpeg(film) -> None:
    """`Damaged` for a film compressed as JPEG that is damaged inside, which decoders pass over."""
    from pydicom.encaps import get_frame
    from pydicom.uid import JPEGBaseline8Bit

    if film.file_meta.TransferSyntaxUID == JPEGBaseline8Bit:
        frame = get_frame(film.PixelData, 0, number_of_frames=1)
        small = file_pixels.REDUCED[8]
        jpeg_damage.imdecode(np.frombuffer(frame, np.uint8), small)


# ------------------------------------------------------------------ the phantom's films


def write(path: Path, pixels: np.ndarray, row: dict, kind: str = GREY[1]) -> None:
    """A row of a phantom cohort as an uncompressed DICOM file; uint8 or, with a window, uint16."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    name = f"{PREFIX}{row['patient']}.{row['study']}"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SECONDARY_CAPTURE, f"{name}.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    film.SOPClassUID, film.SOPInstanceUID = SECONDARY_CAPTURE, f"{name}.3"
    film.StudyInstanceUID, film.SeriesInstanceUID = f"{name}.1", f"{name}.2"
    film.PatientID, film.PatientSex = str(row["patient"]), row["sex"]
    film.PatientAge, film.Modality = f"{row['age']:03.0f}Y", "DX"
    film.ViewPosition, film.PhotometricInterpretation = row["view"], kind
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PixelRepresentation = 1, 0
    film.BitsAllocated = 8 * pixels.itemsize
    film.BitsStored = 8 if pixels.itemsize == 1 else 12
    film.HighBit = film.BitsStored - 1
    if film.BitsStored > 8:
        film.WindowCenter, film.WindowWidth = 2048, 4096
    film.PixelData = (pixels if kind == GREY[1] else 2**film.BitsStored - 1 - pixels).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    film.save_as(path, enforce_file_format=True)
