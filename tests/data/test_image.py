"""One file of whatever kind becomes the grey levels that Pillow says, in the recipe's square."""

import os
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from cxrgrid.config import preparation
from cxrgrid.data import file_pixels, grey_levels, image
from drawn_images import SIZE, by_hand, close, decoded, smooth, write_dicom

# ------------------------------------------------------------------ readable kinds


def save_rgba(path, grey):
    alpha = np.full_like(grey, 255)
    alpha[:, :80] = 0
    Image.fromarray(np.dstack([grey, grey, grey, alpha])).save(path)
    return grey * (alpha > 0)


def save_palette(path, grey):
    image = Image.fromarray(255 - grey)
    image = image.convert("P")  # index 255 - g …
    image.putpalette([255 - level for level in range(256) for _ in range(3)])  # … is shown as g
    image.save(path)
    return grey


def save_cmyk(path, grey):
    Image.fromarray(grey).convert("RGB").convert("CMYK").save(path, quality=98)
    return grey


def save_16_bit(path, grey):
    wide = 1000 + grey.astype(np.uint16) * 11
    wide[0, 0] = 65535  # one hot pixel, which the percentiles forgive
    Image.fromarray(wide).save(path)
    low, high = np.percentile(wide, (0.5, 99.5))
    return np.clip((wide - low) / (high - low), 0, 1) * 255


def save_rotated(path, grey):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    Image.fromarray(grey).save(path, quality=98, exif=exif)
    return np.rot90(grey, -1)


def save_colour(path, grey):
    image = np.dstack([grey, grey // 2, 255 - grey])
    Image.fromarray(image).save(path)
    return image @ [0.299, 0.587, 0.114]


def save_one_bit(path, grey):
    Image.fromarray(grey > 128).save(path)
    return (grey > 128) * 255


def save_large_jpeg(path, grey):
    large = smooth(1200, 1000, seed=3)
    Image.fromarray(large).convert("RGB").save(path, quality=95)
    return large


def save_grey_alpha(path, grey):
    Image.fromarray(grey).convert("LA").save(path)
    return grey


READABLE = {
    "rgba.png": save_rgba,
    "palette.png": save_palette,
    "cmyk.jpg": save_cmyk,
    "16_bit.png": save_16_bit,
    "16_bit.tif": save_16_bit,
    "rotated.jpg": save_rotated,
    "colour.png": save_colour,
    "one_bit.png": save_one_bit,
    "large.jpeg": save_large_jpeg,
    "grey_alpha.png": save_grey_alpha,
}


@pytest.mark.parametrize("name", READABLE)
def test_each_kind_of_image_becomes_its_grey_levels(tmp_path, name):
    wanted = READABLE[name](tmp_path / name, smooth(160, 120))
    sharp = name == "one_bit.png"  # its edges show which filter it was
    close(decoded(tmp_path / name, SIZE, "squash"), by_hand(wanted), 5 if sharp else 2)


def test_the_fast_path_equals_the_straightforward_one(tmp_path):
    """libjpeg's halving and the reducing gap change no pixel by more than two grey levels."""
    Image.fromarray(smooth(1500, 1300)).save(tmp_path / "a.jpg", quality=95)
    plain = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")).convert("L")
    plain = np.asarray(plain.resize((128, 128), Image.Resampling.BILINEAR)).astype(int)
    fast = decoded(tmp_path / "a.jpg", 128, "squash")
    assert np.abs(fast - plain).max() <= 2


def test_an_image_of_the_right_size_is_not_touched(tmp_path):
    grey = np.random.default_rng(0).integers(256, size=(SIZE, SIZE), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    for resize in ("squash", "fit", "crop"):
        np.testing.assert_array_equal(decoded(tmp_path / "a.png", SIZE, resize), grey)


def test_fit_keeps_all_on_black_and_crop_keeps_the_middle(tmp_path):
    grey = np.full((40, 80), 200, dtype=np.uint8)
    grey[:, :20] = grey[:, 60:] = 100  # the outer quarters are darker
    Image.fromarray(grey).save(tmp_path / "a.png")
    fit = decoded(tmp_path / "a.png", SIZE, "fit")
    assert (fit[:8] == 0).all() and (fit[24:] == 0).all()
    assert set(fit[16, [1, -2]]) == {100} and fit[16, 16] == 200
    crop = decoded(tmp_path / "a.png", SIZE, "crop")
    assert (crop[:, 1:-1] == 200).all()  # the outermost columns share pixels with what is cut off


@pytest.mark.parametrize("resize", ["squash", "fit", "crop"])
@pytest.mark.parametrize("whole", [(90, 140), (150, 70), (60, 50)])
def test_a_size_is_width_by_height_and_treats_both_alike(tmp_path, resize, whole):
    """A mirror along the diagonal, which swaps width and height, changes nothing else."""
    grey = np.random.default_rng(0).integers(256, size=whole, dtype=np.uint8)
    for name, pixels in (("a", grey), ("b", grey.T)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    lying = decoded(tmp_path / "a.png", "48x32", resize)
    assert lying.shape == (32, 48)
    upright = decoded(tmp_path / "b.png", "32x48", resize)
    assert np.abs(lying.astype(int) - upright.T).max() <= 1


def test_an_image_is_padded_or_cut_to_the_aspect_ratio_of_its_size(tmp_path):
    grey = np.random.default_rng(0).integers(1, 256, size=(60, 120), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(grey[:, 15:105]).save(tmp_path / "cut.png")  # 90 x 60, as 48 x 32
    squashed = decoded(tmp_path / "cut.png", "48x32", "squash")
    np.testing.assert_array_equal(decoded(tmp_path / "a.png", "48x32", "crop"), squashed)
    fit = decoded(tmp_path / "a.png", "48x32", "fit")
    small = decoded(tmp_path / "a.png", "48x24", "squash")
    np.testing.assert_array_equal(fit[4:28], small)
    assert not fit[:4].any() and not fit[28:].any()


def test_a_flat_16_bit_image_is_black_and_no_error(tmp_path):
    Image.fromarray(np.full((20, 20), 700, dtype=np.uint16)).save(tmp_path / "a.png")
    assert (decoded(tmp_path / "a.png", SIZE, "squash") == 0).all()


def test_a_dicom_file_is_decoded_like_the_same_image_as_png(tmp_path):
    write_dicom(tmp_path / "a.dcm")
    Image.fromarray(smooth()).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decoded(tmp_path / "a.dcm"), decoded(tmp_path / "a.png"))


# ------------------------------------------------------------------ recipes


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("resize", ["squash", "fit", "crop"])
def test_the_middle_of_a_large_or_lying_jpeg_is_that_of_the_whole_image(
    tmp_path, orientation, resize
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth(900, 1300, seed=5)).save(tmp_path / "a.jpg", quality=98, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg"))
    assert image.sides(tmp_path / "a.jpg") == upright.size
    left, top = (upright.width - 500) // 2, (upright.height - 700) // 2
    upright.crop((left, top, left + 500, top + 700)).save(tmp_path / "a.png")
    recipe = preparation.Image(size=SIZE, resize=resize)
    found = image.decode(tmp_path / "a.jpg", recipe, (500, 700))
    close(found, decoded(tmp_path / "a.png", SIZE, resize).astype(float), 1)


def test_equalising_and_blurring_come_after_resizing_and_leave_the_padding(tmp_path):
    Image.fromarray(smooth(40, 80)).save(tmp_path / "a.png")
    plain = decoded(tmp_path / "a.png", resize="fit")
    found = decoded(tmp_path / "a.png", resize="fit", equalize="histogram", blur=5)
    np.testing.assert_array_equal(found[8:24], grey_levels.enhance(plain[8:24], "histogram", 5))
    assert not found[:8].any() and not found[24:].any()


@pytest.mark.parametrize("how", ["percentile", "full", "voi"])
def test_sixteen_bits_become_eight_as_asked(tmp_path, how):
    wide = smooth(SIZE, SIZE).astype(np.uint16) * 11
    wide[0, 0] = 65535
    Image.fromarray(wide).save(tmp_path / "a.png")
    ends = (0, 100) if how == "full" else (0.5, 99.5)
    low, high = np.percentile(wide, ends)
    wanted = np.clip((wide - low) / (high - low), 0, 1) * 255
    assert np.abs(decoded(tmp_path / "a.png", sixteen_bit=how) - wanted).max() <= 0.5


@pytest.mark.parametrize("options", [{}, {"bits": 4}, {"bits": 2}, {"transparency": 7}])
def test_opencv_decodes_a_grey_png_to_pillows_bits(tmp_path, options):
    noise = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png", **options)
    with Image.open(tmp_path / "x.png") as film:
        quick = file_pixels.by_opencv(film, tmp_path / "x.png")
        assert (quick is None) == (film.mode != "L")
        assert quick is None or np.array_equal(quick, np.asarray(film))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_grey_png_is_still_refused(tmp_path, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(data[: int(share * len(data))])
    with pytest.raises((OSError, SyntaxError)):
        image.decode(tmp_path / "x.png", preparation.Image(size=32))


@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_truncated_jpeg_is_refused_and_bytes_behind_its_end_are_not(tmp_path, share):
    path = tmp_path / "x.jpg"
    Image.fromarray(smooth(900, 900)).save(path, quality=95)
    data, whole = path.read_bytes(), decoded(path)
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(OSError, match="truncated"):
        decoded(path)
    path.write_bytes(data + b"\0" * 99)  # a card reader's padding
    close(decoded(path), whole.astype(float), 1)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_opencv_decodes_a_jpeg_like_pillow_at_each_scale(tmp_path, mode, scale):
    Image.fromarray(smooth(333, 417)).convert(mode).save(tmp_path / "x.jpg", quality=95)
    with Image.open(tmp_path / "x.jpg") as film:
        quick = file_pixels.by_opencv(film, tmp_path / "x.jpg", scale)
        film.draft("L", (417 // scale, 333 // scale))
        plain = np.asarray(film.convert("L")).astype(int)
    assert quick.shape == plain.shape == (-(-333 // scale), -(-417 // scale))
    assert np.abs(quick - plain).max() <= 1


def test_a_smaller_image_holds_the_means_of_areas(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")
    means = noise.reshape(32, 3, 32, 4).mean(axis=(1, 3))
    assert np.abs(decoded(tmp_path / "x.png") - means).max() <= 0.5


@pytest.mark.parametrize("way", ["bilinear", "bicubic", "lanczos"])
def test_other_interpolations_are_pillows(tmp_path, way):
    """They are taken apart from the means of areas that another recipe has of the same file."""
    Image.fromarray(smooth(160, 200)).save(tmp_path / "x.png")
    area, other = (preparation.Image(size=SIZE, interpolation=one) for one in ("area", way))
    found = image.examined_all(tmp_path / "x.png", [(area, None), (other, None)])
    plain = Image.fromarray(smooth(160, 200)).resize((SIZE, SIZE), Image.Resampling[way.upper()])
    np.testing.assert_array_equal(found[1].pixels, np.asarray(plain))
    assert (found[0].pixels != found[1].pixels).any()


@pytest.mark.parametrize("shape", [(9, 9), (12, 400), (400, 12)])
def test_an_image_with_a_side_below_the_target_is_enlarged_as_pillow_does(tmp_path, shape):
    Image.fromarray(smooth(*shape)).save(tmp_path / "x.png")
    plain = Image.fromarray(smooth(*shape)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(decoded(tmp_path / "x.png"), np.asarray(plain))


def test_a_png_that_says_how_it_lies_is_turned(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(tmp_path / "lying.png", exif=exif)
    Image.fromarray(np.rot90(noise, -1)).save(tmp_path / "upright.png")
    recipe = preparation.Image(size=32)
    lying, upright = (image.decode(tmp_path / f"{n}.png", recipe) for n in ("lying", "upright"))
    assert np.array_equal(lying, upright)


def test_no_program_is_started_for_a_file_of_another_kind(tmp_path, monkeypatch):
    """Pillow would start Ghostscript for this one, whatever its name."""
    tool, started = tmp_path / "gs", tmp_path / "started"
    tool.write_text(f"#!/bin/sh\ntouch {started}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\n")
    with pytest.raises(UnidentifiedImageError):
        image.decode(path, preparation.Image(size=32))
    assert not started.exists()


def test_a_picture_whose_channels_would_fill_the_memory_is_not_decoded(tmp_path):
    """Fewer pixels than Pillow's limit, 16 bits in each of four channels: 1.4 GB."""

    def chunk(kind, data):
        made = struct.pack(">I", len(data)) + kind + data
        return made + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 13_000, 13_000, 16, 6, 0, 0, 0))
    start = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(9)))
    (tmp_path / "a.png").write_bytes(start + chunk(b"IEND", b""))
    with pytest.raises(ValueError, match="too large to decode: 13000 x 13000"):
        image.decode(tmp_path / "a.png", preparation.Image(size=16))


def test_an_image_is_not_called_unreadable_because_too_many_files_are_open(tmp_path):
    Image.new("L", (32, 32)).save(tmp_path / "a.png")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files") as found:
            image.decode(tmp_path / "a.png", preparation.Image(size=16))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    with pytest.raises(OSError, match="Too many open files"):
        image.reason(found.value, tmp_path / "a.png")
