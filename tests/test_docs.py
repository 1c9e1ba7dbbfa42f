"""The documentation's pages are all listed, and no link in them leads nowhere."""

import re

import pytest

from test_architecture import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")


def anchors(text: str) -> set[str]:
    """Anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    kept = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for found in LINK.findall(page.read_text()):
        address, _, anchor = "".join(found).partition("#")
        if re.match(r"https?:", address):
            continue
        target = (page.parent / address).resolve() if address else page
        assert target.exists(), f"{page.name}: {address}"
        assert not anchor or anchor in anchors(target.read_text()), f"{page.name}: #{anchor}"


def test_make_pictures_makes_every_picture_and_each_is_shown():
    makefile = (ROOT / "Makefile").read_text()
    names = re.search(r"^PICTURES := (.+)$", makefile, re.MULTILINE)[1].split()
    there = {path.name for path in (ROOT / "docs").glob("*.png")}
    assert there == {f"{name}-{look}.png" for name in names for look in ("light", "dark")}
    shown = "".join(page.read_text() for page in PAGES)
    assert all(f"{name}-light.png" in shown for name in names)


def test_the_index_lists_each_page_once():
    listed = re.findall(r"^\| \[(.+?)\]", (ROOT / "docs/README.md").read_text(), re.MULTILINE)
    there = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.ipynb")]
    assert sorted(listed) == sorted(path.name for path in there if path.name != "README.md")
