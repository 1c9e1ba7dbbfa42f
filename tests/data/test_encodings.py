"""Text of a table is read in its encoding, or refused with the readings that are possible."""

import pytest

from cxrgrid.config.errors import UserError
from cxrgrid.data import encodings

LINES = "bild,klasse\n" + "".join(f"{n}.png,{{}}\n{n}x.png,{{}}\n" for n in range(9))
READ = {
    "utf-8": ("肺炎", "正常", ""),
    "utf-8-sig": ("肺炎", "正常", ""),
    "utf-16": ("肺炎", "正常", ""),
    "utf-16-le": ("肺炎", "正常", ""),
    "cp1252": ("Erguß", "unauffällig", "Western European"),
    "latin-1": ("épanchement", "négatif à côté", "Western European"),
    "cp1251": ("пневмония", "норма", "Cyrillic text (cp1251)"),
    "mac_roman": ("Erguß", "unauffällig", "Macintosh text (mac_roman)"),
}
REFUSED = {
    "gbk": ("肺炎", "正常", "'正常' in Chinese .gb18030. or"),
    "cp1253": ("πνευμονία", "φυσιολογικό", "'πνευμονία' in Greek .cp1253. or"),
    "euc_kr": ("폐렴", "정상", "or '폐렴' in Korean .cp949."),
}


def written(folder, encoding, *words):
    """A table of these words."""
    path = folder / "labels.csv"
    path.write_bytes(LINES.format(*(words * 9)).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", READ)
def test_what_can_be_read_in_one_way_is_read_and_said(tmp_path, encoding):
    one, other, said = READ[encoding]
    notes = []
    text = encodings.decoded(written(tmp_path, encoding, one, other), notes)
    assert text == LINES.format(*((one, other) * 9))
    assert said in " ".join(notes) and bool(notes) == bool(said)


@pytest.mark.parametrize("encoding", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_with_both(tmp_path, encoding):
    one, other, said = REFUSED[encoding]
    with pytest.raises(UserError, match=f"labels.csv: not UTF-8, and hardly Western.*{said}"):
        encodings.decoded(written(tmp_path, encoding, one, other), [])
