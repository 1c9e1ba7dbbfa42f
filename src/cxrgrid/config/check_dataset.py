"""Checks of a dataset's label policy, filters, sample and subsets."""

from cxrgrid.config.check_values import check_case
from cxrgrid.config.checks import OVERALL, adapter_facts, check_name, task_of
from cxrgrid.config.dataset import Dataset, Sample, Subset, TestSet
from cxrgrid.config.errors import UserError, known

POLICIES = {
    "uncertain": ("ignore", "zero", "one", "smooth"),
    "blank": ("auto", "absent", "ignore"),
}


def check_selection(name: str, dataset: Dataset) -> None:
    """`UserError` at the first invalid label policy, filter, sample or subset of a dataset."""
    where, facts = f"datasets.{name}", adapter_facts(dataset.adapter)
    if name in OVERALL:
        raise UserError(f"{where}: rows over all datasets or labels are called so; rename it")
    if dataset.adapter == "csv" and dataset.patient and dataset.columns.patient:
        column = dataset.columns.patient
        raise UserError(f"{where}.patient: columns.patient is {column!r} already; keep one of both")
    if dataset.columns.test and not dataset.columns.split:
        raise UserError(f"{where}.columns.test: a value of columns.split; name that column as well")
    labels = dataset.labels or facts["LABELS"]
    policies = {name: getattr(dataset, name) for name in POLICIES}
    check_policies(where, policies, dataset)
    check_ages(where, dataset.age)
    if isinstance(dataset.one_per_patient, str) and labels:
        known(dataset.one_per_patient, [*labels, "none"], f"{where}.one_per_patient", "label")
    if dataset.sample:
        check_sample(f"{where}.sample", dataset.sample)
    check_tests(where, dataset)
    check_case([*dataset.tests, *dataset.subsets], f"{where}.tests and subsets")
    for subset, part in dataset.subsets.items():
        check_name(subset, f"{where}.subsets")
        if subset == "all":
            raise UserError(f"{where}.subsets: 'all' names the whole; choose another name")
        if part == Subset():
            raise UserError(f"{where}.subsets.{subset}: names no view, sex or age; name one")
        check_ages(f"{where}.subsets.{subset}", part.age)


def check_tests(where: str, dataset: Dataset) -> None:
    """`UserError` for a test set whose name is taken, that is the whole, or whose unit is none."""
    for name, part in dataset.tests.items():
        here = f"{where}.tests.{name}"
        check_name(name, f"{where}.tests")
        if name == "all" or name in dataset.subsets:
            taken = "the whole" if name == "all" else "one of the subsets"
            raise UserError(f"{here}: {name!r} names {taken}; choose another name")
        if part == TestSet() or part == TestSet(pool=part.pool):
            raise UserError(f"{here}: is the whole of the test images; name a view, files, …")
        if part.score_by == "image" and part.pool != TestSet().pool:
            raise UserError(f"{here}.pool: is for score_by: study or patient")
        if part.score_by != "image" and task_of(dataset) == "multiclass":
            raise UserError(
                f"{here}.score_by: is for task: multilabel; the images of a {part.score_by} may be "
                "of several classes"
            )
        check_ages(here, part.age)


def check_policies(
    where: str, given: dict[str, str | dict[str, str]], dataset: Dataset, empty: bool = False
) -> None:
    """Every word of `uncertain` and `blank`, and every label that has one of its own.

    given: the two settings; empty: whether a setting may be left out.
    """
    labels = adapter_facts(dataset.adapter)["LABELS"] or dataset.labels
    for name, setting in given.items():
        if empty and not setting:
            continue
        own = setting if isinstance(setting, dict) else {}
        for label, word in own.items():
            if labels:
                known(label, labels, f"{where}.{name}", "label")
            known(word, POLICIES[name], f"{where}.{name}.{label}", "policy")
        if setting is not own:
            known(setting, POLICIES[name], f"{where}.{name}", "policy")
        if task_of(dataset) == "multiclass" and "smooth" in (setting, *own.values()):
            raise UserError(
                f"{where}.{name}: smooth is for task: multilabel; a class is one or none"
            )


def check_ages(where: str, ages: tuple[float, ...]) -> None:
    """`UserError` unless `ages` is empty or [low, high]."""
    if ages and (len(ages) != 2 or ages[0] > ages[1]):
        raise UserError(f"{where}.age: [low, high] in years, please, not {list(ages)}")


def check_sample(where: str, sample: Sample) -> None:
    """`UserError` unless `n` is positive, and `by` names the column if `n` is given by value."""
    numbers = sample.n.values() if isinstance(sample.n, dict) else [sample.n]
    if not numbers or min(numbers) < 1:
        raise UserError(f"{where}.n: numbers of images above 0, please")
    if isinstance(sample.n, dict) and not sample.by:
        raise UserError(f"{where}.by: name the column that has the values {', '.join(sample.n)}")
