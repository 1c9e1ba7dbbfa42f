"""The copy of the report to hand on names no image, no patient and no folder, and shows none."""

import json
import re

import pandas as pd
import pytest

from conftest import write_report, write_study
from cxrgrid import report
from cxrgrid.io.parquet import read_parquet
from cxrgrid.reporting import shareable


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The results, what was said, and the page, of a study whose files name much."""
    results = tmp_path_factory.mktemp("shareable") / "results"
    study = write_study(results)
    audit = results / "data/ward/audit.json"
    found = json.loads(audit.read_text())
    found["warnings"] = ["Patients in more than one split: 1, namely p03 (train, test)."]
    found["warnings"] += ["Unreadable images, set aside: 1, namely 017.png (empty file)."]
    audit.write_text(json.dumps(found))
    write_report(study)
    report.main([str(study), "--shareable"])
    return results, (study.parent / "report/shareable.html").read_text("utf-8")


def test_no_name_no_pixel_and_no_path_is_left(page):
    results, text = page
    body = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.DOTALL)
    for name in ("ward", "children"):
        table = read_parquet(results / "data" / name / "table.parquet")[0]
        words = {word.strip(".") for word in shareable.WORD.findall(body)}
        assert not words & {*table["image"].to_pylist(), *table["patient"].to_pylist()}
    assert "data:image" not in body and str(results.parent) not in body
    assert "Patients in more than one split: 1." in body and "set aside: 1." in body
    assert 'href="cells/' not in body
    assert "A copy to hand on. Left out: example images: " in body
    assert "Content-Security-Policy" in text


def test_it_still_holds_what_the_report_answers(page):
    _, text = page
    assert "Findings" in text and "resnet10t" in text and "<svg" in text


def test_paths_in_text_and_in_the_config_are_left_out():
    known = shareable.Names({"scan_a.png", "scan_a"}, {"PAT-77"}, {"ward-server"})
    page = f"{shareable.START}<p>/home/ann/x/scan_a.png of PAT-77, on ward-server; 3/4, 0.8/0.9</p>"
    found, said = shareable.copy(f'{page}<img alt="scan_a.png, left">', known, [])
    assert "3/4, 0.8/0.9" in found and "patient id: 1" in said
    body = found.replace(said, "")
    assert not re.search("ann|scan_a|PAT-77|ward-server", body)
    config = {"datasets": {"a": {"root": "/data/ann", "labels": ["A"]}}, "url": "https://x.org/y"}
    clean = shareable.config(config)
    assert clean["datasets"]["a"] == {"root": shareable.OUT, "labels": ["A"]}
    assert clean["url"] == "https://x.org/y"


def test_pages_of_cells_are_said_to_be_left_out():
    page = {"cards": [], "explained": [], "config": "{}", "overlap": []}
    page["cells"] = pd.DataFrame({"state": ["done", "missing", "done"]})
    [said] = shareable.words(page)["left"]
    assert said == "pages of single cells, which show images and name files: 2"
