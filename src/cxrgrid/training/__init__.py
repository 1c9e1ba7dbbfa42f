"""One training: step, loss, schedule, augmentation, sampling, checkpoint, history, cost.

What a finished cell is asked for belongs in `inference`, what is computed from its answers in
`evaluation`.
"""
