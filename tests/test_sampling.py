"""Each epoch shows every image once, in an order of its own."""

import numpy as np

from cxrgrid.sampling import batches
from test_train import make_cell

LABELS = np.zeros((50, 2), dtype=np.float32)


def test_every_image_once_in_batches_of_nearly_one_size():
    order = batches(LABELS, make_cell(batch_size=8), 1)
    assert sorted(np.concatenate(order)) == list(range(50))
    assert {len(batch) for batch in order} == {7, 8}


def test_the_order_follows_from_seed_and_epoch():
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(batches(LABELS, make_cell(seed=seed), epoch)).tolist()

    assert order(3, 2) == order(3, 2)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (1, 2, 3)}) == 6
