"""Starts: published checkpoints in the names of timm's networks.

One file per layout. Each has `recognise(names)`, true if a checkpoint's keys are of its layout, and
`convert(weights, own)`, the checkpoint in timm's names; `own` is the state dict of the network that
starts. A key that a map does not know keeps its name, and so is left out by name.
"""
