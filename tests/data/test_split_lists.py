"""Lists of images: every spelling of a name is understood, and a wrong list is not believed."""

import gzip

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrgrid.config.errors import UserError
from cxrgrid.data.split_lists import compare, read_lists

IMAGES = ["a/one.png", "a/two.png", "b/three.png", "Viral Pneumonia/four 4.png"]


def write(folder, train, test="b/three.png\n", name="train.txt", **more):
    (folder / name).write_bytes(train if isinstance(train, bytes) else train.encode())
    (folder / "test.txt").write_text(test)
    return {"train": str(folder / name), "test": str(folder / "test.txt"), "val": ""} | more


@pytest.mark.parametrize(
    "line",
    [
        "a/one.png",
        "one.png",
        "./a/one.png",
        "/mnt/elsewhere/images/one.png",
        "a\\one.png",
        "one.png,0,1,0",
        '"one.png",x',
        "one.png\t0",
        "one.png 0 1 0 0",
        "images_001/one.png 1",
        "  one.png \r",
        "\ufeffone.png",
    ],
)
def test_an_image_is_known_by_path_or_name_whatever_follows(tmp_path, line):
    found, warnings = read_lists(IMAGES, write(tmp_path, f"{line}\n\n"))
    assert found == {"a/one.png": "train", "b/three.png": "test"} and warnings == []


def test_a_name_with_a_space_is_one_name(tmp_path):
    found, _ = read_lists(IMAGES, write(tmp_path, "Viral Pneumonia/four 4.png\n"))
    assert found["Viral Pneumonia/four 4.png"] == "train"


def test_a_table_may_have_a_header(tmp_path):
    files = write(tmp_path, "Image Index,Label\none.png,1\n", name="train.csv")
    assert read_lists(IMAGES, files) == ({"a/one.png": "train", "b/three.png": "test"}, [])


def test_lists_may_be_gzipped(tmp_path):
    files = write(tmp_path, gzip.compress(b"one.png\ntwo.png\n"), name="train.txt.gz")
    assert sorted(read_lists(IMAGES, files)[0]) == ["a/one.png", "a/two.png", "b/three.png"]


def test_a_few_lines_that_name_no_image_are_counted(tmp_path):
    files = write(tmp_path, "one.png\ntwo.png\nfive.png\n", absent=0.4)
    _, [warning] = read_lists(IMAGES, files)
    assert "1 of 3 lines name no image of the dataset: 'five.png'." in warning


BROKEN = [
    ("one.png\nfive.png\nsix.png\n", "2 of 3 lines name no image.*absent: 1"),
    ("", "the list is empty"),
    (b"\xff\xfe\x00one.png", "not a list of images in UTF-8 text"),
    ("one.png\nthree.png\n", "three.png is in the list for train as well"),
]


@pytest.mark.parametrize(("train", "said"), BROKEN, ids=[said[:12] for _, said in BROKEN])
def test_a_wrong_list_is_refused_in_one_line(tmp_path, train, said):
    with pytest.raises(UserError, match=said) as error:
        read_lists(IMAGES, write(tmp_path, train))
    assert "\n" not in str(error.value)


def test_a_broken_archive_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(UserError, match="not a list of images"):
        read_lists(IMAGES, write(tmp_path, b"no gzip", name="train.txt.gz"))
    with pytest.raises(UserError, match="no such file"):
        read_lists(IMAGES, write(tmp_path, "one.png\n") | {"train": str(tmp_path / "no.txt")})


def test_a_name_that_several_images_have_is_not_guessed(tmp_path):
    images = ["train/p1.png", "test/p1.png", "b/three.png"]
    with pytest.raises(UserError, match="'p1.png' is the name of several images"):
        read_lists(images, write(tmp_path, "p1.png\n"))
    assert read_lists(images, write(tmp_path, "train/p1.png\n"))[0]["train/p1.png"] == "train"


PARTS = st.lists(st.sampled_from(["train", "trainval", "val", "test", None]), min_size=6)


@given(one=PARTS, other=PARTS)
def test_what_two_lists_share_is_counted_image_by_image(one, other):
    lists = {"one": pd.Series(one, dtype=object), "other": pd.Series(other, dtype=object)}
    first, second = compare(lists)
    pairs = list(zip(one, other, strict=False))
    assert first == {
        "train_of": "one",
        "test_of": "other",
        "images": sum(a in ("train", "trainval") and b == "test" for a, b in pairs),
        "test_images": other.count("test"),
    }
    assert second["images"] == sum(b in ("train", "trainval") and a == "test" for a, b in pairs)
