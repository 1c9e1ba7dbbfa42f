"""A first study file for a dataset: runs as it stands, and every line says what it sets."""

import json
import shlex

import yaml

GPU = {
    "image": [("size", 224, "pixels a side; the images are decoded once, to this size")],
    "recipe": [
        ("epochs", 20, "passes over the training images; the best one is kept"),
        ("batch_size", 32, "images in a step; larger where the GPU's memory allows"),
        ("lr", 0.0003, "learning rate at its peak"),
        ("warmup_epochs", 1, "epochs until it gets there"),
        ("rotate", 5, "each image is rotated by up to so many degrees,"),
        ("shift", 0.05, "shifted by up to this share of its side"),
        ("scale", 0.05, "and scaled by up to this share, anew in each epoch"),
        ("amp", True, "bfloat16: faster on a GPU"),
        ("channels_last", True, "a memory layout: faster as well"),
    ],
    "backbones": [
        ("resnet50.a1_in1k", "for a GPU; any name that timm knows, several to compare"),
        ("resnet10t", "small: for a laptop, instead of the one above"),
    ],
    "seeds": ([0, 1, 2], "replicates: how much chance is in the result"),
}
LAPTOP = {
    "image": [("size", 64, "pixels a side: enough to see that all works")],
    "recipe": [
        ("epochs", 3, "passes over the training images: too few for a result"),
        ("batch_size", 32, "images in a step"),
        ("channels", 1, "grey, as X-rays are"),
        ("lr", 0.002, "learning rate at its peak"),
        ("channels_last", True, "a memory layout: faster"),
    ],
    "backbones": [("resnet10t", "small; any name that timm knows")],
    "seeds": ([0], "one replicate; three say how much chance is in the result"),
}


def write(name: str, entry: dict, notes: dict, quick: bool, schema: str) -> str:
    """The study file. `entry`: the dataset's settings; `notes`: what to say beside them.

    notes: `labels` {label: counts}, `left_out` {label: why}, `source` (the folder, as it was
    given), `out` (the file), `split` and `patient` (about them), `splits` {other: about it}, `task`
    (a suggestion, or empty), `others` [(settings instead, about them)], `other_classes` {column:
    some of them}, `again` (arguments of `new` that write the file anew).
    schema: its path as seen from the file; empty if there is none.
    """
    plan = LAPTOP if quick else GPU
    lines = [
        f"# Made by `python -m cxrgrid.new {notes['source']}`; change what was guessed wrong.",
        f"#   snakemake --configfile {notes['out']}",
        "# Every setting: docs/settings.md",
        *([f"# yaml-language-server: $schema={schema}"] if schema else []),
        beside(f"study: {scalar(name)}", f"results go to results/{name}"),
        "",
        "datasets:",
        f"  {scalar(name)}:",
        *dataset(entry, notes),
        "    image:",
        *settings(plan["image"], 6),
        "",
        *PRETRAINED,
        "recipes:",
        "  default:",
        *settings(plan["recipe"], 4),
        "",
        *grid(name, plan),
    ]
    return "\n".join(lines) + "\n"


PRETRAINED = [
    "weights:",
    "  imagenet: timm                # published weights; fetched once, if `inits` names them",
    "",
]


def dataset(entry: dict, notes: dict) -> list[str]:
    """The settings of the dataset, each label with its counts."""
    about = {"adapter": "how the images are laid out", "root": "the folder that paths start from"}
    lines = [beside(f"    {key}: {scalar(entry[key])}", about[key]) for key in about]
    if columns := entry.get("columns"):
        lines += [f"    columns: {flow(columns)}"]
    if pattern := entry.get("patient"):
        lines.append(beside(f"    patient: {scalar(pattern)}", "finds each image's patient"))
    if pattern := entry.get("classes"):
        lines.append(beside(f"    classes: {scalar(pattern)}", "finds the class in a file's name"))
    lines += [f"    # {notes['patient']}", *others(notes)]
    lines += [f"    task: {entry['task']}"] if "task" in entry else []
    lines += [beside("    # task: multiclass", notes["task"])] if notes["task"] else []
    if "blank" in entry:
        lines += [beside(f"    blank: {entry['blank']}", "no label is ever said to be absent")]
    lines += ["    labels:"]
    lines += [beside(f"      - {scalar(label)}", text) for label, text in notes["labels"].items()]
    lines += [
        beside(f"      # - {scalar(label)}", text) for label, text in notes["left_out"].items()
    ]
    lines += [beside(f"    split: {{name: {entry['split']['name']}}}", notes["split"])]
    more = notes["splits"].items()
    return [*lines, *(beside(f"    # split: {{name: {name}}}", text) for name, text in more)]


def others(notes: dict) -> list[str]:
    """Comments: settings under which patients are others, and commands that take other classes."""
    lines = []
    for given, text in notes["others"]:
        for key, value in given.items():
            shown = flow(value) if isinstance(value, dict) else scalar(value)
            lines.append(beside(f"    # {key}: {shown}", f"instead: {text}"))
    again = f"python -m cxrgrid.new {notes['again']} --classes"
    classes = notes["other_classes"].items()
    return [
        *lines,
        *(
            f"    # other classes: {again} {shlex.quote(column)}  # {text}"
            for column, text in classes
        ),
    ]


def flow(settings: dict) -> str:
    """Settings in braces, as YAML reads them."""
    pairs = {
        scalar(key): flow(value) if isinstance(value, dict) else scalar(value)
        for key, value in settings.items()
    }
    return "{" + ", ".join(f"{key}: {text}" for key, text in pairs.items()) + "}"


def settings(rows: list[tuple], indent: int) -> list[str]:
    """Settings with what they mean."""
    return [beside(f"{' ' * indent}{key}: {json.dumps(value)}", text) for key, value, text in rows]


def grid(name: str, plan: dict) -> list[str]:
    """The axes: everything named on them is run in every combination."""
    (first, *others), (seeds, meaning) = plan["backbones"], plan["seeds"]
    return [
        "grid:                           # every combination of these is trained and tested",
        f"  datasets: [{scalar(name)}]",
        "  backbones:",
        beside(f"    - {first[0]}", first[1]),
        *[beside(f"    # - {other}", text) for other, text in others],
        beside("  inits: [scratch]", "random weights: runs without a network"),
        beside("  # inits: [scratch, imagenet]", "instead: compares them; needs a network once"),
        beside(f"  seeds: {seeds}", meaning),
    ]


def beside(text: str, comment: str) -> str:
    """A line and what it means, in one column as far as lines are short."""
    return f"{text:<31} # {comment}" if comment else text


def scalar(text: str) -> str:
    """A string as YAML reads it back, in a list or by itself: quoted if it has to be."""
    try:
        same = [yaml.safe_load(written) == [text] for written in (f"[{text}]", f"- {text}")]
        plain = all(same) and "#" not in text
    except yaml.YAMLError:
        plain = False
    if plain and ": " not in text:
        return text
    single = "'" + text.replace("'", "''") + "'"  # no escapes: expressions stay as they are
    return single if text.isprintable() else json.dumps(text)
