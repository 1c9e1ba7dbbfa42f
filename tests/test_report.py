"""`report`: one page that needs nothing else, hides nothing, and keeps to the data's terms."""

import base64
import html
import io
import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from conftest import (
    CONFIG,
    HASHES,
    LABELS,
    MISSING,
    UNEXPLAINED,
    write_dataset,
    write_report,
    write_study,
)
from cxrgrid import report
from cxrgrid.config import cell
from cxrgrid.config.checks import FIGURES, modules
from cxrgrid.config.errors import UserError
from cxrgrid.evaluation import wording
from cxrgrid.io.parquet import read_parquet, write_parquet
from cxrgrid.reporting import dataset_cards, doubts, findings, galleries, report_files, results

VOID = {"meta", "link", "img", "br", "hr", "input"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(HTMLParser):
    """The elements of a page; an end tag that closes another element is a mistake."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.svg = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def make(study, *more):
    """The page of a study whose tables and figures are there."""
    out = study.parent / "report/report.html"
    report.main([str(study), "--out", str(out), *more])
    return out


@pytest.fixture(scope="module")
def path(finished):
    return make(finished)


@pytest.fixture(scope="module")
def text(path):
    return path.read_text()


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_checklist_is_filled_from_the_files_and_leaves_the_rest_open(path, finished, text):
    page = (path.parent / "checklist.md").read_text()
    assert 'href="checklist.md"' in text
    frames = results.read(finished, path.parent)
    for name, facts in frames.facts.items():
        assert f"### {name}" in page and facts["split_hash"] in page
    counts = frames.counts[frames.counts["split"] == "test"]
    for row in counts.itertuples():
        known = row.positives + row.negatives
        assert f"{row.positives:,} / {known:,}" in page, row
    assert page.count("☐") > 10 and "18 trainings" not in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert len(tables) > 30
    for block in re.findall(r"(?:^\|.*\n)+", page, re.M):
        assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1, block
    assert "{{" not in page and "nan" not in page.lower().split()


def test_every_element_is_closed(page):
    assert page.open == []


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert max(ids.values()) == 1
    for _, attributes in page.elements:
        for name in ("href", "xlink:href"):
            if attributes.get(name, "").startswith("#"):
                assert attributes[name][1:] in ids


def test_nothing_is_fetched(page, text):
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "data", "poster"):
            assert attributes.get(name, "data:").startswith("data:"), tag
        if tag == "link":
            assert attributes["href"].startswith("data:")
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", text)


def test_every_image_says_what_it_shows(page):
    assert len(page.all("img")) == 24 + 2 * 2, "samples of two datasets, and their galleries"
    assert all(image["alt"] for image in page.all("img"))
    plots = [a for a in page.all("div") if a.get("role") == "img"]
    shown = set(modules(FIGURES)) - {
        "abstention",
        "ranks",
        "shifts",
        "subgroups",
        "transfer",
    }  # for which the study does not ask
    assert len(plots) == len(shown) and all(plot["aria-label"] for plot in plots)
    assert not any("`" in plot["aria-label"] for plot in plots)


def test_settings_in_captions_of_figures_stand_as_code(text):
    captions = re.findall(r"<figcaption>.*?</figcaption>", text, re.DOTALL)
    assert any("<code>report.curves</code>" in caption for caption in captions)
    assert not any("`" in caption for caption in captions)


def test_headings_skip_no_level(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in zip(levels, levels[1:], strict=False))


def test_table_headers_have_a_scope(page):
    assert page.all("th") and all(head["scope"] in ("col", "row") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))


def test_the_page_has_landmarks_and_a_way_past_them(page):
    assert page.all("main") and page.all("nav") and page.all("header") and page.all("footer")
    assert page.all("a")[0]["href"] == "#main"


def test_every_split_hash_and_the_missing_cell_are_shown(text):
    for split_hash in HASHES.values():
        assert split_hash in text
    assert f"snakemake results/demo/cells/{MISSING}/model.safetensors" in text
    assert "1 of 2 seeds" in text and "1 of 16 cells is missing" in text


def test_the_page_is_the_same_twice(finished):
    assert make(finished).read_text() == make(finished).read_text()


REAL = CONFIG["datasets"] | {"ward": {"adapter": "nih", "root": "images", "labels": LABELS["ward"]}}


def write_credentialed(results, **config):
    """A study whose dataset `ward` may not be redistributed, with all but its page."""
    study = write_study(results, **config)
    write_dataset(study.parent.parent / "data", "ward", credentialed=True)
    write_report(study)
    return study


def test_credentialed_pixels_are_shown_only_if_the_config_says_so(tmp_path):
    study = write_credentialed(tmp_path, datasets=REAL)
    hidden = make(study).read_text()
    assert hidden.count("png;base64,") == 12, "the other dataset's images"
    assert hidden.count("webp;base64,") == 2, "its gallery; the tables that lie there are not asked"
    assert "may not be redistributed" in hidden
    show = {"report": {"show_credentialed": True}}
    study.write_text(json.dumps(json.loads(study.read_text()) | show))
    shown = make(study).read_text()
    assert (shown.count("png;base64,"), shown.count("webp;base64,")) == (24, 4)


@pytest.mark.long
def test_phantoms_in_a_credentialed_layout_are_shown(tmp_path):
    assert make(write_credentialed(tmp_path)).read_text().count("base64,") == 28


def test_data_that_do_not_say_are_not_shown(tmp_path):
    study = write_study(tmp_path, datasets=REAL)
    write_report(study)
    read = results.read(study, study.parent / "report")
    read.facts["ward"].pop("credentialed")
    folder = study.parent.parent / "data/ward"
    assert dataset_cards.card("ward", read, folder, {}, None)["samples"] == []


def test_of_explained_cells_the_best_is_shown_and_the_missing_one_named(finished, text):
    start = text.index('<h2 id="explanations">')
    part = html.unescape(text[start : text.index("</section>", start)])
    order = pd.read_csv(finished.parent / "report/leaderboard.csv")
    order["complete"] = order["seeds"] == order["planned"]
    order = order.sort_values(["complete", "validation"])
    for dataset in ("ward", "children"):
        own = order[order["dataset"] == dataset]
        own = own[
            own["backbone"].eq("resnet10t") | own["init"].eq("pretrained") | (dataset == "ward")
        ]
        best = own.iloc[-1]
        name = f"{best['backbone']} · {best['init']} · default · seed 0"
        assert f'Shown: <a href="cells/{dataset}/{best["backbone"]}/{best["init"]}' in part, name
    missing = re.search(r"Missing: <a href=\"([^\"]+)\">", part)[1]
    assert missing == f"cells/{UNEXPLAINED}.html" and part.count("Missing:") == 1
    # Four cells of two labels: 2 of 2 and 1 of 2 images hit; Wilson's interval of 1 of 2.
    assert part.count(">0.500 <span>(0.095–0.905)</span><") == 4
    assert part.count(">1.000 <span>(0.342–1.000)</span><") == 4


def test_a_page_that_would_grow_too_heavy_leads_to_the_cells_pages(finished, monkeypatch):
    monkeypatch.setattr(galleries, "BUDGET", 0)
    text = make(finished).read_text()
    assert text.count("webp;base64,") == 0 and text.count("to keep this page small") == 2
    pages = (finished.parent / "report/cells").glob("*/*/*/default/seed0.html")
    shown = [path.read_text().count("webp;base64,") for path in pages]
    assert sorted(shown) == [0] + [2] * 7


def test_a_report_of_an_early_version_says_the_command_that_completes_it(study):
    report = write_report(study)
    for name in ("configurations", "effects"):
        (report / f"{name}.csv").unlink()
    with pytest.raises(UserError, match="no configurations.csv, effects.csv; .* snakemake --conf"):
        results.read(study, report)


def test_a_report_whose_tables_lack_columns_says_the_command_that_makes_it_anew(study):
    folder = write_report(study)
    for name in report_files.COLUMNS:
        path = folder / f"{name}.csv"
        kept, needed = path.read_text(), {*report_files.COLUMNS[name]} - report_files.ADDED
        lost = sorted(needed)[-1]
        assert needed <= {*kept.partition("\n")[0].split(",")}
        path.write_text(re.sub(rf"\b{lost}\b", "another", kept, count=1))
        said = f"{name}.csv: no column {lost}, .* without a training: .* --forcerun collect choose"
        with pytest.raises(UserError, match=said):
            report.main([str(study), "--headline"])
        path.write_text(kept)


def test_text_from_data_is_escaped(study):
    audit = study.parent.parent / "data/ward/audit.json"
    audit.write_text('{"warnings": ["<script>alert(1)</script>"]}')
    write_report(study)
    assert "<script>alert" not in make(study).read_text()


def test_the_audit_is_on_the_page(study):
    audit = study.parent.parent / "data/ward/audit.json"
    auroc = {"all": 0.712, "age": 0.655, "view": 0.7}
    row = {"auroc": auroc, "low": 0.6, "high": 0.8, "n": 16, "positives": 5, "reason": None}
    empty = {"auroc": {}, "low": None, "high": None, "n": 16, "positives": 0}
    labels = {"Effusion": row, "Hernia": empty | {"reason": "one class only in test"}}
    pair = {"train_of": "mine", "test_of": "official", "images": 17_920, "test_images": 25_596}
    found = {"warnings": [], "metadata_only": {"fields": ["age", "view"], "labels": labels}}
    found |= {"near_images_in_two_splits": {"pairs": 3, "bits": 20}, "lists": [pair]}
    found |= {"equal_images_in_two_splits": []}
    audit.write_text(json.dumps(found))
    (study.parent / "overlap.json").write_text('{"warnings": ["ward and children share images."]}')
    write_report(study)
    page = html.unescape(make(study).read_text())
    assert Page(page).open == []
    for words in (
        "0.712 <span>(0.600–0.800)</span>",
        "one class only in test",
        "none with equal pixels, 3 nearly",
        "Of the 25,596 test images of the split 'official', 17,920 are training images",
        "ward and children share images.",
    ):
        assert words in page  # fmt: skip


def test_a_study_of_which_nothing_ran_has_a_page(study):
    for name in ("cells", "scores"):
        shutil.rmtree(study.parent / name)
    write_report(study)
    text = make(study).read_text()
    Page(text)
    assert "16 of 16 cells are missing" in text
    assert text.count("<li>not run<br><code>snakemake results/demo/cells/") == 16


def test_a_study_of_one_cell_says_so_and_repeats_it_in_no_grid(tmp_path):
    grid = {"datasets": ["ward"], "backbones": ["resnet10t"], "seeds": [0]}
    path = write_study(tmp_path / "results", grid=grid)
    write_report(path)
    text = make(path).read_text()
    assert "The study varies nothing, so there is no effect" in text
    assert "The one configuration" in text and "<h3>Recommended" not in text
    assert (
        "1 cell (each one training and its tests), none missing" in text
        and 'id="grid"' not in text
        and "#grid" not in text
    )
    shutil.rmtree(path.parent / "cells")
    write_report(path)
    text = make(path).read_text()
    assert 'id="grid"' in text and "<li>not run<br>" in text


def test_every_file_that_a_sentence_names_is_a_link(path, text):
    named = re.findall(r"(.{9})<code>([\w-]+\.\w+)</code>", text)
    there = {name for _, name in named if (path.parent / name).is_file()}
    assert {"effects.csv", "label_models.csv"} < there
    linked = re.findall(r'<a href="([^"]+)"><code>\1</code></a>', text)
    assert sorted(linked) == sorted(name for _, name in named if name in there)
    index = path.parent / "cells/index.html"
    assert "effects.csv" in index.read_text() and 'href="effects.csv"' not in index.read_text()


def test_the_command_for_all_missing_cells_is_the_users_own(study, monkeypatch):
    write_report(study)
    said = "--configfile mine.yaml --profile here"
    monkeypatch.setattr(report, "asked_by", lambda name: said)
    assert f"<code>snakemake {said}</code> runs them all" in make(study).read_text()


def test_headline_prints_the_findings_and_writes_nothing(finished, text, capsys):
    before = (finished.parent / "report/report.html").stat().st_mtime_ns
    report.main([str(finished), "--headline"])
    printed = capsys.readouterr().out
    assert "with Holm's correction over the study's 4 pairs that differ in init only" in printed
    assert "1 of 16 cells is missing" in printed
    assert "AUROC (95 % interval)" in printed
    for row in pd.read_csv(finished.parent / "report/leaderboard.csv").itertuples():
        assert wording.number(row.value, row.low, row.high) in printed
    assert (finished.parent / "report/report.html").stat().st_mtime_ns == before


def test_findings_name_the_best_with_interval_and_n(finished, text, capsys):
    table = pd.read_csv(finished.parent / "report/leaderboard.csv")
    best = table[table["dataset"] == "children"].iloc[0]
    shown = wording.number(best["value"], best["low"], best["high"])
    assert best["validation"] == table.loc[table["dataset"] == "children", "validation"].max()
    wanted = (
        f"children: recommended is {best['backbone']}, {best['init']}, chosen on validation images "
        f"(AUROC {best['validation']:.3f}, the highest of 4 configurations). Its AUROC on test "
        f"images is {shown} (mean of 2 seeds; 16 images of 8 patients)"
    )
    report.main([str(finished), "--headline"])
    assert wanted in capsys.readouterr().out
    brief = f"recommended is {best['backbone']}, {best['init']}, the highest of 4 configurations on"
    assert brief in html.unescape(text) and wanted not in html.unescape(text), "the card has it"


def test_overfitting_is_found():
    curve = {axis: ["a"] * 3 for axis in cell.AXES} | {"best": [True, False, False]}
    curve |= {"train_loss": [0.6, 0.4, 0.2], "val_loss": [0.6, 0.7, 0.9]}
    assert "1 of 1 cell over-fitted" in doubts.training(pd.DataFrame(curve))
    curve |= {"val_loss": [0.6, 0.6, 0.62], "best": [False, False, True]}
    assert "last epoch was the best" in doubts.training(pd.DataFrame(curve))
    curve |= {"best": [False, True, False]}
    assert doubts.training(pd.DataFrame(curve)) == ""


def test_what_was_tested_is_said_with_the_clearest_difference(study):
    write_report(study)
    read = results.read(study, study.parent / "report")
    at = read.pairs_of("backbone").index
    read.comparisons.loc[at, "verdict"] = ["not shown", "better", "incomplete", "incomplete"]
    read.comparisons.loc[at[1], "sentence"] = "A is better than B."
    text = findings.tested(read, "backbone")
    assert "1 of 4 pairs differ; no difference shown in 1; 2 cannot be compared yet." in text
    assert text.endswith("The clearest: A is better than B.")
    read.comparisons.loc[at, "verdict"] = "not shown"
    read.comparisons.loc[at, ["difference", "low", "high"]] = [0.1, -0.1, 0.3]
    read.comparisons.loc[at[2], ["difference", "low", "high"]] = [-0.2, -0.5, 0.1]
    text = findings.tested(read, "backbone")
    assert text.endswith("in any of the 4 pairs (largest −0.200, −0.500 to +0.100).")
    whole = read.effects["factor"].eq("backbone") & read.effects["model"].eq("fixed")
    read.effects.loc[whole, ["verdict", "p_holm"]] = ["better", 0.01]
    assert "no single pair differs does not contradict" in findings.together(read)
    read.comparisons.loc[at[0], "verdict"] = "better"
    assert not findings.together(read), "one does"


def test_cells_of_another_split_are_not_comparable(study):
    write_report(study)
    read = results.read(study, study.parent / "report")
    read.facts["ward"]["split_hash"] = "another"
    assert "7 cells of 7 were trained on another split" in " ".join(doubts.mixed_splits(read))


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_a_browser_shows_it_without_errors_or_sideways_scrolling(path, text, tmp_path):
    frame = tmp_path / "narrow.html"
    frame.write_text(
        '<meta charset="utf-8">'
        f'<iframe style="width:400px;height:900px;border:0" srcdoc="{html.escape(text)}"></iframe>'
        "<script>onload = () => { const page = document.querySelector('iframe').contentDocument;"
        "page.querySelector('table.sortable th button').click();"
        "const root = page.documentElement;"
        "document.title = root.scrollWidth - root.clientWidth + ' '"
        " + page.querySelectorAll('th[aria-sort]').length; }</script>"
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *flags, f"file://{frame}"], capture_output=True, text=True, timeout=120
    )
    assert "CONSOLE" not in done.stderr
    assert "<title>0 1</title>" in done.stdout


def test_samples_stand_beside_their_files_while_these_are_there(study, tmp_path):
    table, facts = read_parquet(study.parents[1] / "data/ward/table.parquet")
    root = tmp_path / "raw"
    root.mkdir()
    rng = np.random.default_rng(0)
    for name in table["image"].to_pylist():
        pixels = rng.integers(255, size=(40, 60), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    columns = {name: table[name].to_pylist() for name in table.column_names}
    facts |= {"root": str(root)}
    write_parquet(columns, study.parents[1] / "data/ward/table.parquet", facts)
    write_report(study)
    text = make(study).read_text()
    page = Page(text)
    shown = [image["alt"] for image in page.all("img") if image["alt"].startswith("ward, ")]
    on_disk = [alt.split(" on disk: ") for alt in shown if " on disk: " in alt]
    read = [alt.split(" as the models read it: ") for alt in shown if " as the models" in alt]
    assert len(on_disk) == 12 and on_disk == read
    assert text.count("no longer there") == 1, "children's files are not there"
    first = next(image["src"] for image in page.all("img") if " on disk: " in image["alt"])
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(first.split(",")[1]))))
    side = dataset_cards.SIDE
    assert drawn.shape == (side, side)
    assert not drawn[: side // 6 - 2].any(), "filled to a square"
    assert drawn[side // 6 + 2 : -side // 6 - 2].any(axis=1).all()
    shutil.rmtree(root)
    assert make(study).read_text().count("no longer there") == 2
