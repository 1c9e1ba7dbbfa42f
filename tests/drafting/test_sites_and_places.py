"""Folders called like places, scanners and years, alone, above the classes and below them."""

from pathlib import Path

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.drafting import no_classes
from drawn_tables import drafted, film
from long_tests import by_turns

KINDS = ("COVID", "Normal")


pytestmark = pytest.mark.usefixtures("own_folder")


def lay(pattern: str, sites: tuple[str, ...], kinds=("",)) -> None:
    """Eight images for each site and class; no two are the same."""
    for at, site in enumerate(sites):
        for kind in kinds:
            for n in range(8):
                film(
                    Path("mine") / pattern.format(site=site, kind=kind, n=n),
                    17 * at + n + len(kind),
                )


ALONE = {
    "cities": (("Berlin", "Munich", "Hamburg"), "called like sites"),
    "lower_case": (("berlin", "munich"), "called like sites"),
    "with_a_word": (("Boston_films", "Seattle_films"), "called like sites"),
    "known_hospitals": (("Charite", "MGH", "Mayo"), "called like sites"),
    "hospitals": (("St_Marys", "Mount_Sinai"), "called like places, people or devices"),
    "publishers": (("NIH", "CheXpert", "Shenzhen"), "called like sites"),
    "scanners": (("GE_Optima", "DRX-1"), "called like devices"),
    "years": (("2019_films", "2020_films"), "called like years or months"),
}


@pytest.mark.parametrize("name", by_turns(list(ALONE), 1))
def test_folders_called_like_places_are_a_question(name):
    sites, said = ALONE[name]
    lay("{site}/{n}.png", sites)
    with pytest.raises(UserError, match=f"{said}.*say --adapter folder"):
        drafted("mine")
    assert not Path("studies").exists()


@pytest.mark.parametrize("name", ALONE)
def test_each_such_kind_is_known_by_the_names_alone(name):
    sites, said = ALONE[name]
    what = no_classes.kind(list(sites))
    assert f"called like {what}" in said if what else no_classes.proper_names(list(sites))


SITES = {
    "hospitals": ("hospital_A", "hospital_B"),
    "cities": ("Berlin", "Munich"),
    "unknown": ("Oberdorf", "Unterdorf"),
    "years": ("2019", "2020"),
}
PLACED = [
    "{site}/{kind}/{site}{n}.png",
    "{kind}/{site}/{site}{n}.png",
    "data/{site}/{kind}/{n}.png",
]


BOTH = [(name, pattern) for name in SITES for pattern in PLACED]


@pytest.mark.parametrize(("name", "pattern"), by_turns(BOTH[::2] + BOTH[1::2], 3))
def test_classes_are_found_below_sites_and_above_them(name, pattern, capsys):
    lay(pattern, SITES[name], KINDS)
    entry, frame = drafted("mine")
    assert entry["labels"] == list(KINDS) and frame[list(KINDS)].sum().tolist() == [16, 16]
    assert all(
        ("COVID" in image) == ill for image, ill in zip(frame["image"], frame["COVID"], strict=True)
    )
    said = f"are no classes: {', '.join(SITES[name])}." in capsys.readouterr().out
    assert said == (name != "unknown")


def test_the_same_images_in_other_formats_are_not_read_twice():
    lay("{site}/{kind}/{n}.png", ("raw", "processed"), KINDS)
    with pytest.raises(UserError, match="called like versions of the images"):
        drafted("mine")


@pytest.mark.parametrize(
    "names",
    [("Bacterial", "Viral"), ("Benign", "Malignant"), ("Mild", "Severe"), ("UIP", "NSIP", "OP"),
     ("Sano", "Enfermo"), ("Gesund", "Krank"), ("ill", "well"), ("kindA", "kindB"), ("0", "1"),
     ("Typical", "Atypical"), ("肺炎", "正常"), ("TB_India", "Normal_India")],
)  # fmt: skip
def test_names_of_classes_are_no_places(names):
    assert not no_classes.kind(list(names)) and not no_classes.proper_names(list(names))
