"""Text for a paper says what the settings and the results say, in whole sentences."""

import json
import re

from conftest import CONFIG, write_report, write_study
from cxrgrid import report
from cxrgrid.config.study_json import read_grid
from cxrgrid.reporting import paper_text, results

RECIPES = {
    "default": {"lr": [0.001, 0.0003], "rotate": 10, "epochs": 12, "patience": 3},
    "probe": {"train": "head", "loss": "focal", "monitor": "loss", "lr": 0.01},
}


def text_of(study) -> dict[str, str]:
    """The paragraphs of a study by heading."""
    frames = results.read(study, study.parent / "report")
    return dict(paper_text.methods(frames))


def test_numbers_are_the_studys(finished):
    text = text_of(finished)
    data = text["Data"]
    assert "The dataset ward had 60 images of 30 patients" in data and "phantoms" in data
    assert "36 images for training, 8 for validation and 16 for testing" in data
    assert "Its labels were Effusion, Nodule and Hernia." in data
    assert "Its mutually exclusive classes were Normal, Bacterial and Viral." in data
    assert "resnet10t (4.9 million parameters) and resnet18" in text["Models and training"]
    assert "random or the published ones of timm (pretrained)" in text["Models and training"]
    assert "for 20 epochs with the optimiser adamw" in text["Models and training"]
    assert "trained with 2 seeds" in text["Models and training"]
    assert "AUROC" in text["Evaluation"] and "Holm" in text["Evaluation"]
    assert "15 trainings" in text["Software"] and "cxrgrid 0" in text["Software"]


def test_recipes_and_their_factors_are_told(tmp_path):
    grid = CONFIG["grid"] | {"recipes": ["default", "probe"], "backbones": ["resnet10t"]}
    report_ = {"interval": "percentile", "operating_points": ["f1", {"sensitivity": 0.9}, 0.2]}
    report_ |= {"resamples": 100}
    study = write_study(tmp_path / "results", recipes=RECIPES, grid=grid, report=report_)
    write_report(study)
    text = text_of(study)
    training = text["Models and training"]
    assert "for up to 12 epochs, stopping after 3 epochs without improvement" in training
    assert "rotation by up to 10°" in training and "peak learning rate 0.001" in training
    assert "With the recipe probe, the classifier alone was trained" in training
    assert "focal loss" in training and "lowest validation loss" in training
    assert "Varied were lr (0.001, 0.0003" in training
    said = text["Evaluation"]
    assert "maximise F1, those that reach a sensitivity of 0.9 and 0.2" in said
    assert "percentile intervals over 100 bootstrap resamples of patients" in said


def test_the_files_are_whole_sentences_and_latex(finished, tmp_path):
    out = tmp_path / "report.html"
    report.main([str(finished), "--report", str(finished.parent / "report"), "--out", str(out)])
    methods, latex = (tmp_path / f"methods.{kind}" for kind in ("md", "tex"))
    for paragraph in methods.read_text().split("\n\n"):
        assert re.match(r"\*\*[A-Z][a-z ]+\.\*\* [A-Z]", paragraph) and paragraph.strip()[-1] == "."
        assert ".." not in paragraph and "  " not in paragraph and "nan" not in paragraph.split()
    assert r"\paragraph{Data.}" in latex.read_text() and "5 %" not in latex.read_text()
    captions = (tmp_path / "captions.md").read_text()
    paths = [finished.parent / f"report/{t}.json" for t in read_grid(finished).tables()]
    shown = [path for path in paths if json.loads(path.read_text())["sections"]]
    assert captions.count("**Table.") == len(shown) and captions.count("**Figure.") > 3
