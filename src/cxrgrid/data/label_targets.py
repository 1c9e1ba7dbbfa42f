"""Labels as numbers to train on: the source's uncertain and blank ones under a policy.

No pandas: `train` starts light. The truth that is scored is not touched.
"""

import numpy as np
import pyarrow as pa

from cxrgrid.config.cell import Cell
from cxrgrid.config.errors import UserError
from cxrgrid.data.hashed_draws import hashed_draw

# U-Ones with label smoothing, as by Pham et al. 2019 (arXiv 1911.06475).
SMOOTH = (0.55, 0.85)
VALUES = {"zero": 0.0, "one": 1.0, "absent": 0.0, "ignore": np.nan}
RAW = "raw:"  # columns with a label as its source gives it: 1, 0, -1 uncertain, NaN blank


def training_targets(
    table: pa.Table, facts: dict, cell: Cell, names: dict[str, str] | None = None
) -> np.ndarray:
    """Targets float32 [N, L]: the truth, or the source's labels under the recipe's own policy.

    names: {label of the table: the cell's name of it} where the table is another dataset's.
    """
    columns = [table[label].to_numpy() for label in facts["labels"]]
    if cell.uncertain or cell.blank:
        raw = [raw_labels(table, label, facts) for label in facts["labels"]]
        policy = facts["policy"]
        words = {
            kind: own_words(getattr(cell, kind), policy[kind], facts["labels"], names or {})
            for kind in ("uncertain", "blank")
        }
        image = table["image"].to_pylist()
        columns = [
            apply_policy(given, image, label, words["uncertain"][label], words["blank"][label])
            for given, label in zip(raw, facts["labels"], strict=True)
        ]
    return np.stack(columns, axis=1).astype(np.float32)


def own_words(
    setting: str | dict, policy: dict[str, str], labels: list[str], names: dict[str, str]
) -> dict[str, str]:
    """The recipe's word for each label; the dataset's where the recipe says nothing."""
    if not isinstance(setting, dict):
        return {label: setting or policy[label] for label in labels}
    return {label: setting.get(names.get(label, label)) or policy[label] for label in labels}


def raw_labels(table: pa.Table, label: str, facts: dict) -> np.ndarray:
    """A label as its source gives it, float64 [N]: 1, 0, -1 uncertain, NaN blank."""
    if f"{RAW}{label}" in table.column_names:
        return table[f"{RAW}{label}"].to_numpy()
    if any(facts["policy"]["counts"][label].values()):
        raise UserError(
            f"datasets.{facts['dataset']}: was prepared by a version that kept no uncertain and "
            "blank labels, which the recipe's `uncertain` or `blank` asks for; prepare it again "
            f"(snakemake --forcerun index), or remove results/data/{facts['dataset']}"
        )
    return table[label].to_numpy()


def apply_policy(
    given: np.ndarray, image: list[str], label: str, uncertain: str, blank: str
) -> np.ndarray:
    """A label's targets, float64 [N]: 1, 0, NaN unknown, or between (smooth)."""
    targets = given.astype(float)
    targets[np.isnan(given)] = VALUES[blank]
    doubtful = np.flatnonzero(given == -1)
    if uncertain == "smooth":
        low, high = SMOOTH
        drawn = np.array([hashed_draw(image[at], label) for at in doubtful])
        targets[doubtful] = low + (high - low) * drawn
    else:
        targets[doubtful] = VALUES[uncertain]
    return targets
