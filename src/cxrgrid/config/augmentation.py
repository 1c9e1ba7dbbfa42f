"""Settings of a recipe by which a network sees an image differently from step to step."""

from cxrgrid.config.recipe import Recipe

NAMES = ("hflip", "rotate", "shear", "shift", "scale", "crop", "brightness", "contrast")
NAMES += ("sharpness", "autocontrast", "noise", "erasing", "policy", "mixup", "dropout")


def changing(recipe: Recipe) -> list[str]:
    """Names of those settings that are on."""
    usual = Recipe()
    return [name for name in NAMES if getattr(recipe, name) != getattr(usual, name)]
