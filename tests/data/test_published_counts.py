"""Counts beside the published ones: a part is said to be one, and what cannot be is doubted."""

import pandas as pd

from cxrgrid.data import published_counts
from cxrgrid.datasets import kermany, nih

FACTS = {"adapter": "kermany", "dataset": "mine", "root": "data/kermany", "labels": kermany.LABELS}


def index(normal, bacterial, viral):
    kinds = ["Normal"] * normal + ["Bacterial"] * bacterial + ["Viral"] * viral
    frame = pd.DataFrame(
        {label: [float(kind == label) for kind in kinds] for label in kermany.LABELS}
    )
    return frame.assign(patient=[str(n) for n in range(len(kinds))])


def said(*counts, **facts):
    return published_counts.sentences(published_counts.compare(index(*counts), FACTS | facts))


def test_all_of_it_is_no_warning():
    assert said(1583, 2780, 1493) == []


def test_a_part_is_said_to_be_one():
    assert said(100, 150, 49) == ["299 of the published 5,856 images are here."]


def test_more_than_there_are_is_doubted():
    [text] = said(1584, 2779, 1493)[:1]
    assert "Normal 1,584 (published: 1,583)" in text and "read wrongly" in text


def test_fewer_positives_on_all_images_are_said():
    assert "Bacterial 2,779 (published: 2,780)" in said(1584, 2779, 1493)[1]


def test_phantoms_and_adapters_without_counts_are_not_compared():
    assert said(1, 1, 1, root="results/data/mine/phantom") == []
    assert said(1, 1, 1, adapter="folder") == []


def test_published_counts_have_the_adapters_labels():
    for adapter in (nih, kermany):
        assert set(adapter.PUBLISHED["labels"]) == set(adapter.LABELS)
    assert sum(kermany.PUBLISHED["labels"].values()) == kermany.PUBLISHED["images"]
