"""Models trained elsewhere, scored on the same test images as a study's cells."""

from dataclasses import replace
from pathlib import Path

import msgspec

from cxrgrid.config import operating_points
from cxrgrid.config.study import External
from cxrgrid.evaluation.fold_scores import Scorer, external_axes
from cxrgrid.evaluation.predictions import Predictions, only, read_any
from cxrgrid.evaluation.same_images import aligned, check_apart, in_order
from cxrgrid.evaluation.subgroup_gaps import joined


def add_external(scorer: Scorer, name: str, model: External, tests: dict[int, Predictions]) -> None:
    """The rows of a model from elsewhere; without `val`, at the thresholds that are numbers.

    tests: predictions of the test images by fold; the model has to have predicted all of them.
    """
    whole = joined(list(tests.values()))
    where, facts, how = f"external.{name}", whole.facts, scorer.how
    path, val = Path(model.predictions), None
    made = aligned(path, read_any(path, facts["task"]), whole, where)
    if model.val:
        val = read_any(Path(model.val), facts["task"])
        val = in_order(Path(model.val), val, facts["labels"])
        check_apart(Path(model.val), val, made)
    else:
        fixed = tuple(point for point in how.operating_points if not operating_points.fitted(point))
        how = msgspec.structs.replace(how, operating_points=fixed)
    for fold, test in tests.items():
        own = replace(only(made, set(test.image)), facts=test.facts)
        scorer.add(external_axes(facts["target"], name, fold), val, own, how)
