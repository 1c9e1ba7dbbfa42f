"""One training: step, loss, schedule, augmentation, sampling, checkpoint, history, cost.

Running a finished cell belongs in `inference`, computing with its predictions in `evaluation`.
"""
