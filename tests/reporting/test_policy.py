"""The pages in a browser: a policy that lets nothing else in, and axe-core's checks."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import UNEXPLAINED
from cxrgrid import report
from cxrgrid.reporting.cell_pages import environment
from cxrgrid.reporting.policy import SCRIPT, secured
from demo_config import ROOT
from long_tests import by_turns

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Of the developers' checks alone, in no lock: npm install --prefix .axe axe-core
AXE = Path(os.environ.get("AXE_CORE", ROOT / ".axe/node_modules/axe-core/axe.min.js"))
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
PAGE = '<!doctype html><head><meta charset="utf-8"><title>a</title></head><body>'


@pytest.fixture(scope="module")
def pages(finished) -> Path:
    """The report's folder with its pages."""
    out = finished.parent / "pages/report.html"
    out.parent.mkdir(exist_ok=True)
    report.main([str(finished), "--report", str(finished.parent / "report"), "--out", str(out)])
    return out.parent


def dump(path: Path, folder: Path, *flags: str) -> tuple[str, str]:
    """The document after its scripts ran, and what the console said."""
    words = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"]
    words += ["--virtual-time-budget=60000", "--dump-dom", *flags, f"file://{path}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_every_page_has_a_policy_and_no_handler_in_an_attribute(pages):
    found = list(pages.rglob("*.html"))
    assert len(found) == 18, "the report, the same among the cells, 16 cells"
    for path in found:
        text = path.read_text()
        assert text.count('http-equiv="Content-Security-Policy"') == 1
        assert not re.search(r"<[^>]*\son[a-z]+\s*=", text), path
        assert "javascript:" not in text and "<script src" not in text
        # Read in another encoding, as by a page that shows it and names none, it keeps its hash.
        assert all(script.isascii() for script in SCRIPT.findall(text)), path


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_a_browser_runs_the_pages_own_script_and_no_other(tmp_path):
    own = "<script>document.title += 'b'</script>"
    text = secured(f"{PAGE}{own}<img src='x.png' onerror=\"document.title += 'c'\">")
    text += "<script>document.title += 'd'</script>"
    (tmp_path / "page.html").write_text(text)
    shown, console = dump(tmp_path / "page.html", tmp_path)
    assert "<title>ab</title>" in shown
    assert console.count("Content Security Policy") >= 2
    assert secured(PAGE).count("script-src 'none'") == 1


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
def test_a_printed_table_has_its_head_on_every_page(tmp_path):
    style, _, _ = environment().loader.get_source(environment(), "style.html.j2")
    rows = "<tr><th>row</th><td>1</td></tr>" * 150
    head = "<th><button>first</button></th><th><button>second</button></th>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    page, out = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(f"{PAGE}<style>{style}</style><div class='box tall'>{table}</div>")
    dump(page, tmp_path, f"--print-to-pdf={out}")
    text = subprocess.run(["pdftotext", str(out), "-"], capture_output=True, text=True).stdout
    pages = text.split("\f")[:-1]
    assert len(pages) > 1 and all("first" in one and "second" in one for one in pages)


RUN = """
const done = found => {
  const out = document.createElement("pre");
  out.id = "axe-found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
};
document.querySelectorAll("details").forEach(one => { one.open = true; });
const reached = [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")];
const lost = reached.filter(one => { one.focus(); return document.activeElement !== one; });
axe.run(document, { resultTypes: ["violations"] }).then(found => done({
  lost: lost.map(one => one.outerHTML.slice(0, 120)),
  violations: found.violations.map(one => [one.id, one.nodes.length,
    one.nodes[0].html.slice(0, 200), one.nodes[0].failureSummary]),
}), error => done({ error: String(error) }));
"""


def checked(path: Path, folder: Path, *flags: str) -> dict:
    """Violations that axe-core finds on a page, and elements that the keyboard does not reach."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text())
    copy = folder / "page.html"
    copy.write_text(f"{text}<script>{AXE.read_text()}</script><script>{RUN}</script>")
    shown, _ = dump(copy, folder, *flags)
    return json.loads(html.unescape(re.search(r'<pre id="axe-found">(.*?)</pre>', shown)[1]))


PAGES = ["report.html", f"cells/{UNEXPLAINED}.html"]
LOOKS = {
    "wide": ["--window-size=1280,2000"],
    "narrow": ["--window-size=420,2000"],
    "dark": ["--window-size=1280,2000", "--blink-settings=preferredColorScheme=0"],
}


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.skipif(not AXE.is_file(), reason="axe-core: npm install --prefix .axe axe-core")
@pytest.mark.parametrize(
    ("page", "look"), by_turns([(page, look) for look in LOOKS for page in PAGES], 2)
)
def test_axe_finds_nothing_and_the_keyboard_reaches_everything(pages, tmp_path, page, look):
    assert checked(pages / page, tmp_path, *LOOKS[look]) == {"lost": [], "violations": []}
