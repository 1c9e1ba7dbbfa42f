"""Starts: published checkpoints in the names of timm's networks.

One file per layout. Each has `recognise(weights)`, true if a checkpoint is of its layout, and
`convert(weights, own)`, the checkpoint in timm's names; `own` is the state dict of the network that
starts. `INPUT`, where it is there, is the input of all such checkpoints, and `note(model)` the end
of the start's line. A key that a map does not
know keeps its name, and so is left out by name.
"""
