"""Grids of chest X-ray experiments: datasets × backbones × inits × recipes × seeds."""
