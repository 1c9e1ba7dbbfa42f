"""Log odds of probabilities: they stay apart where float32 probabilities are all 0 or 1.

A logit of 17 and one of 20 are the same probability in single precision, 1, and so would tie in a
ranking. Predictions files hold log odds beside probabilities (`z:<label>`). Numpy only.
"""

import numpy as np


def log_probability(x: np.ndarray) -> np.ndarray:
    """Logarithm of the probability that has the log odds x."""
    return -np.logaddexp(0, -x)


def competing(logits: np.ndarray) -> np.ndarray:
    """Log odds of each class's probability, softmax(logits [N, C]): float64 [N, C], C of 2 or more.

    A class against all others together: its logit less the logarithm of their summed exponentials.
    """
    logits = np.asarray(logits, np.float64)
    found = np.empty_like(logits)
    for at in range(logits.shape[1]):
        others = np.delete(logits, at, axis=1)
        found[:, at] = logits[:, at] - np.logaddexp.reduce(others, axis=1)
    return found


def of_mean(several: list[np.ndarray], weights: list[float] | None = None) -> np.ndarray:
    """Log odds of the mean of probabilities that are given as log odds, each of the same shape."""
    more = np.log(weights) if weights else np.zeros(len(several))
    present, absent = (
        np.logaddexp.reduce(
            [by + log_probability(sign * x) for by, x in zip(more, several, strict=True)]
        )
        for sign in (1, -1)
    )
    return present - absent


def of_logits(logits: np.ndarray, task: str) -> np.ndarray:
    """Log odds of the probabilities of a network's outputs [N, L]: float32 [N, L].

    Of independent labels the logits themselves; for `multiclass`, each class against the others.
    """
    return logits if task == "multilabel" else competing(logits).astype(np.float32)
