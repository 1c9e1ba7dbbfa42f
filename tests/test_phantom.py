"""Phantoms: the same bytes each time, findings where they belong, people who differ."""

import hashlib
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from cxrgrid.anatomy import DRAWN, make_chest
from cxrgrid.anatomy.body import make_body
from cxrgrid.anatomy.plane import Pose
from cxrgrid.config.checks import ADAPTERS, adapter_facts, modules
from cxrgrid.config.errors import UserError
from cxrgrid.config.preparation import Phantom
from cxrgrid.phantom import main, make_cohort, radiograph
from long_tests import by_turns

ADAPTERS_WITH = [name for name in modules(ADAPTERS) if adapter_facts(name).get("PHANTOM")]
SIZE = 96
PEOPLE = [make_body(np.random.default_rng(seed), 45, "MF"[seed % 2]) for seed in range(6)]


def chest(body, view="PA", **findings):
    return make_chest(body, findings, view, Pose(), SIZE)


def pair(body, name, severity=0.8, view="PA"):
    """The same chest without and with a finding, as attenuation, and the healthy chest."""
    healthy = chest(body, view)
    ill = make_chest(body, {name: severity}, view, Pose(), SIZE)
    return healthy.attenuation(), ill.attenuation(), healthy


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def phantom(out: Path, **settings) -> Path:
    main(
        [json.dumps({"adapter": "nih", "patients": 10, "size": 48, **settings}), "--out", str(out)]
    )
    return out


@pytest.mark.parametrize("adapter", by_turns(ADAPTERS_WITH, 3))
def test_same_settings_same_bytes(tmp_path, adapter):
    one = digest(phantom(tmp_path / "one", adapter=adapter))
    assert one == digest(phantom(tmp_path / "two", adapter=adapter))
    assert one != digest(phantom(tmp_path / "three", adapter=adapter, seed=1))


@pytest.mark.parametrize("adapter", ADAPTERS_WITH)
def test_the_adapter_reads_back_its_own_phantom(tmp_path, adapter):
    phantom(tmp_path / "drawn", adapter=adapter, patients=40)
    module = importlib.import_module(f"cxrgrid.datasets.{adapter}")
    frame = module.read(tmp_path / "drawn", {})
    cohort = make_cohort(Phantom(patients=40, size=48), module.PHANTOM)
    assert len(frame) == len(cohort)
    assert frame["patient"].nunique() == 40
    drawn = module.PHANTOM.get("classes") or module.PHANTOM["findings"]
    for label in set(drawn) & set(module.LABELS):  # a drawn class may be none of the labels
        present, said = sum(label in row["labels"] for row in cohort), frame[label].isin([1, -1])
        assert (frame[label] == 1).sum() <= present <= said.sum(), label  # -1 may be either


def test_more_patients_leave_the_first_ones_as_they_are(tmp_path):
    few = digest(phantom(tmp_path / "few") / "images_001")
    many = digest(phantom(tmp_path / "many", patients=15) / "images_001")
    assert few.items() < many.items()


def test_the_cohort_is_like_the_real_one():
    plan = adapter_facts("nih")["PHANTOM"]
    cohort = make_cohort(Phantom(patients=1500), plan)
    images = len(cohort)
    assert 1.7 < images / 1500 < 2.2
    assert 0.40 < sum(not row["labels"] for row in cohort) / images < 0.50
    assert sum(len(row["labels"]) > 1 for row in cohort) / images > 0.15
    for label, share in plan["findings"].items():
        assert 0.6 * share < sum(label in row["labels"] for row in cohort) / images < 1.7 * share
    ages = {label: [r["age"] for r in cohort if label in r["labels"]] for label in plan["findings"]}
    assert np.mean(ages["Cardiomegaly"]) > np.mean(ages["Pneumothorax"])


def test_splits_are_by_patient():
    cohort = make_cohort(Phantom(patients=60), adapter_facts("nih")["PHANTOM"])
    splits = {(row["patient"], row["split"]) for row in cohort}
    assert len(splits) == 60
    assert {split for _, split in splits} == {"train", "val", "test"}


@pytest.mark.parametrize("view", ["PA", "AP", "LATERAL"])
@pytest.mark.parametrize("name", DRAWN)
def test_each_finding_changes_the_thorax_and_little_else(name, view):
    if (name, view) == ("Wide Mediastinum", "LATERAL"):
        pytest.skip("is seen from the front only")
    for body in PEOPLE[:2]:
        healthy, ill, where = pair(body, name, view=view)
        change = np.abs(ill - healthy)
        reach = np.abs(where.x) < body.width + 0.12
        inside = reach & (where.y > body.apex - 0.05) & (where.y < max(body.domes) + 0.4)
        assert change[inside].max() > 0.1
        if name != "Devices":  # A wire hangs out of the picture.
            assert change[~inside].sum() < 0.05 * change.sum()


def side_of(change):
    """The half of the film with the larger change: -1 at the image's left, 1 at its right."""
    return -1 if change[:, : SIZE // 2].sum() > change[:, SIZE // 2 :].sum() else 1


@pytest.mark.parametrize("body", PEOPLE, ids=range(len(PEOPLE)))
def test_effusion_whitens_the_lower_lung_and_blunts_its_angle(body):
    healthy, ill, where = pair(body, "Effusion")
    side = side_of(np.abs(ill - healthy))
    low = where.lung(side) & (where.t > 0.85) & (where.u > 0.6)
    high = where.lung(side) & (where.t < 0.3)
    assert (ill - healthy)[low].mean() > 0.5
    assert abs((ill - healthy)[high].mean()) < 0.05


@pytest.mark.parametrize("body", PEOPLE, ids=range(len(PEOPLE)))
def test_pneumothorax_darkens_the_rim_and_takes_its_vessels(body):
    healthy, ill, where = pair(body, "Pneumothorax")
    side = side_of(np.abs(ill - healthy))
    rim = where.lung(side) & (where.u > 0.8) & (where.u < 0.9) & (where.t > 0.3) & (where.t < 0.6)
    assert (ill - healthy)[rim].mean() < -0.05
    assert chest(body, Pneumothorax=0.8).vessels[rim].max() < 0.05


def heart_ratio(attenuation, where, body):
    """Width of the heart, where it is widest, over that of the thorax: measured in the picture."""
    middle = (where.y > body.domes[0] - 0.35) & (where.y < body.domes[0] - 0.05)
    dense = (attenuation > 2.2) & (np.abs(where.x) < 0.85 * body.width) & middle
    return max(np.ptp(where.x[row][dense[row]]) for row in np.flatnonzero(dense.any(1))) / (
        2 * body.width
    )


def test_cardiomegaly_is_a_heart_wider_than_half_the_thorax():
    for body in PEOPLE:
        healthy, ill, where = pair(body, "Cardiomegaly", severity=0.5)
        assert heart_ratio(ill, where, body) > heart_ratio(healthy, where, body) + 0.04
        assert heart_ratio(ill, where, body) > 0.5


@pytest.mark.parametrize("name", ["Nodule", "Mass", "Consolidation", "Edema", "Pneumonia"])
def test_opacities_add_attenuation_and_more_when_severe(name):
    for body in PEOPLE:
        healthy, mild, _ = pair(body, name, severity=0.2)
        _, severe, _ = pair(body, name, severity=1.0)
        assert 0 < (mild - healthy).sum() < (severe - healthy).sum()


def test_a_nodule_is_smaller_than_a_mass():
    for body in PEOPLE:
        areas = []
        for name in ("Nodule", "Mass"):
            healthy, ill, _ = pair(body, name, severity=0.5)
            areas.append(((ill - healthy) > 0.2).sum())
        assert areas[0] < areas[1] / 2


def test_emphysema_lowers_the_diaphragm_and_darkens_the_lungs():
    for body in PEOPLE:
        healthy, ill, where = pair(body, "Emphysema")
        dome = (np.abs(where.x) > 0.3) & (np.abs(where.x) < 0.5)
        dome &= np.abs(where.y - max(body.domes) - 0.02) < 0.04
        assert (ill - healthy)[dome].mean() < -0.3


def film(build, film, **row):
    row = {"view": "PA", "sex": "M", "age": 50, "findings": {}} | row
    return radiograph({"build": build, "film": film, **row}, SIZE).astype(float)


def test_two_films_of_one_person_are_more_alike_than_two_people():
    # Seen coarsely, as noise and letters are not what makes a person.
    def alike(one, two):
        blocks = [image.reshape(24, 4, 24, 4).mean((1, 3)).ravel() for image in (one, two)]
        return np.corrcoef(*blocks)[0, 1]

    same = [alike(film(n, 1), film(n, 2)) for n in range(20)]
    other = [alike(film(n, 1), film(n + 50, 2)) for n in range(20)]
    assert np.mean(same) > np.mean(other)
    assert np.mean([s > o for s, o in zip(same, other, strict=True)]) > 0.7


def test_grey_levels_are_those_of_real_films():
    # Samples of ChestX-ray14 and of the paediatric set: mean 122 to 131, deviation 55 to 64.
    for age, view in ((50, "PA"), (60, "AP"), (3, "AP")):
        images = np.stack([film(n, n, age=age, view=view) for n in range(12)])
        assert 105 < images.mean() < 145
        assert 50 < images.std() < 75
        assert np.isin(images, [255]).mean() < 0.01


def test_large_films_show_what_small_ones_show():
    row = {"build": 4, "film": 4, "view": "PA", "sex": "F", "age": 40, "findings": {"Mass": 0.5}}
    small, large = radiograph(row, 128).astype(float), radiograph(row, 512).astype(float)
    assert large.shape == (512, 512)
    assert (
        np.corrcoef(small.ravel(), large.reshape(128, 4, 128, 4).mean((1, 3)).ravel())[0, 1] > 0.97
    )


WRONG = [
    ("{", ["phantom: the settings are no JSON", "line 1"]),
    ("[1]", ["phantom: expected settings", "[1]"]),
    ('{"patients": 10}', ["phantom: the setting 'adapter' is missing"]),
    ('{"adapter": "nhi"}', ["phantom.adapter", "did you mean 'nih'?"]),
    ('{"adapter": "nih", "patient": 10}', ["did you mean 'patients'?"]),
    ('{"adapter": "nih", "patients": 0}', ["phantom.patients"]),
    ('{"adapter": "nih", "size": 4}', ["phantom.size", "32"]),
]


@pytest.mark.parametrize(("settings", "words"), WRONG)
def test_a_wrong_setting_is_named(tmp_path, settings, words):
    with pytest.raises(UserError) as error:
        main([settings, "--out", str(tmp_path / "out")])
    for word in words:
        assert word in str(error.value)
    assert not (tmp_path / "out").exists()


def test_nothing_is_drawn_over_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        phantom(tmp_path)
