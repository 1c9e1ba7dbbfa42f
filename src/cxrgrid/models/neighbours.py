"""Votes of the nearest training images as a classifier, behind a network's features."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TEMPERATURE = 0.07  # of the votes: a cosine similarity lower by this counts 1/e as much


class Neighbours(nn.Module):
    """The k nearest training images by cosine similarity vote for their labels, near ones more.

    Weights as in DINO's evaluation (Wu et al. 2018, arXiv 1805.01978): exp(similarity / 0.07). One
    more vote goes to the frequencies of the training images, so that no probability is 0 or 1.
    Buffers: `features` float [M, D] of length 1, `targets` [M, L] (NaN: has no vote), `compete`.
    """

    def __init__(self, k: int, features: Tensor, targets: Tensor, compete: bool):
        super().__init__()
        self.k = k
        self.register_buffer("features", F.normalize(features, dim=1))
        self.register_buffer("targets", targets)
        self.register_buffer("compete", torch.tensor(compete))

    def forward(self, features: Tensor, skip: int = 0) -> Tensor:
        """Logits [N, L] of features [N, D]: log probabilities of classes, or log odds of labels.

        skip: so many of the nearest do not vote: 1 where an image would be its own neighbour.
        """
        likeness = F.normalize(features.flatten(1).float(), dim=1) @ self.features.T
        top = likeness.topk(min(self.k + skip, len(self.features)), dim=1)
        near, at = top.values[:, skip:], top.indices[:, skip:]
        votes = (near / TEMPERATURE).softmax(dim=1).unsqueeze(2) * near.shape[1]
        found = self.targets[at]
        known = (found == found).float()  # not NaN
        usual = (self.targets.nansum(dim=0) + 0.5) / ((self.targets == self.targets).sum(0) + 1)
        given = (votes * known * found.nan_to_num()).sum(dim=1) + usual
        p = given / ((votes * known).sum(dim=1) + 1)
        return torch.where(self.compete, p.log(), p.logit())


def empty(k: int, weights: dict[str, Tensor], name: str) -> Neighbours:
    """A classifier for the weights of a file, where it is called `name`."""
    shapes = [weights[f"{name}.{part}"].shape for part in ("features", "targets")]
    return Neighbours(k, *(torch.zeros(shape) for shape in shapes), compete=False)
