"""The copy of the report to hand on names no image, no patient and no folder, and shows none."""

import html
import json
import re

import pandas as pd
import pytest

from conftest import CONFIG, LABELS, MISSING, write_report, write_study
from cxrgrid import report
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import shareable

LEAKS = ("Doe, John", "P-77/b", "STUDY-4711", "1.2.840.113619", "scan 9 (lat).png", "lost_film.dcm")
LEAKS += ("ann-smith", "ward-server", "private-lists", "/home/ann", "own_labels.csv")


def plant(study, results):
    """Names of each kind where the commands write them: tables, audits, logs, config, notes."""
    path = results / "data/ward/table.parquet"
    table, facts = read_parquet(path)
    ids = ["Doe, John", "P-77/b", *table["patient"].to_pylist()[2:]]
    studies = ["STUDY-4711", "1.2.840.113619"] * 30
    images = ["scan 9 (lat).png", *table["image"].to_pylist()[1:]]
    table = table.set_column(0, "image", [images]).set_column(1, "patient", [ids])
    notes = [
        "Labels of /home/ann/private-lists/own_labels.csv, for STUDY-4711 and patient Doe, John."
    ]
    write_parquet(table.append_column("study", [studies]), path, facts | {"notes": notes})
    audit = results / "data/ward/audit.json"
    found = json.loads(audit.read_text())
    found["warnings"] = ["Patients in more than one split: 1, namely p03 (train, test)."]
    found["warnings"] += ["Unreadable images, set aside: 1, namely 017.png (empty file)."]
    found["warnings"] += [
        "Of P-77/b: lost_film.dcm, copied from ward-server.example.org/private-lists/x."
    ]
    audit.write_text(json.dumps(found))
    (study.parent / "overlap.json").write_text(
        json.dumps(
            {
                "warnings": [
                    "One image in two datasets: 'scan 9 (lat).png'; ask ann-smith@example.org."
                ]
            }
        )
    )
    log = study.parent / "cells" / MISSING / "train.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(
        "error: /home/ann/private-lists/../film/lost_film.dcm of STUDY-4711 (Doe, John, "
        "1.2.840.113619): not read; own_labels.csv; "
        "--profile=/home/ann/p, C:\\Users\\ann-smith\\x, on ann-smith@ward-server\n"
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The results, what was said, and the page, of a study whose files name much."""
    results = tmp_path_factory.mktemp("shareable") / "results"
    root = {
        "ward": {"root": "private-lists", "adapter": "nih", "phantom": {}, "labels": LABELS["ward"]}
    }
    study = write_study(results, datasets={**CONFIG["datasets"], **root})
    plant(study, results)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shareable.socket, "gethostname", lambda: "ward-server.example.org")
        patch.setattr(shareable, "user_name", lambda: "ann-smith")
        write_report(study)
        report.main([str(study), "--shareable"])
    return results, (study.parent / "report/shareable.html").read_text("utf-8")


@pytest.mark.parametrize("leak", LEAKS)
def test_names_of_each_kind_do_not_leak(page, leak):
    _, text = page
    assert html.escape(leak) not in text and leak not in html.unescape(text)


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
    assert "3/4, 0.8/0.9" in found and "patient or study id: 1" in said
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
