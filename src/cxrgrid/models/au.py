"""The small CNNs of "Computer Vision with NIH Chest X-rays" (Au, Northwestern, MSDS 458, 2022).

From its Methods and Figure 3: "All CNNs used a kernel size of 3x3 with stride 1 and max pooling of
2x2", on grey images of 128 × 128 pixels; experiments 1–5 have 32, 64, 128 filters, 6 has 128, 256,
512, 7 has 64, 128, 8 has 256, 512; dropout is "applied to each of the 3 CNN layers". The report
says nothing of padding, of activations and of what follows the last pooling, and gives no parameter
counts: here convolutions keep the size, ReLU follows them, and one linear layer reads the flattened
map; `drop_rate` acts after each layer, and not again before the classifier.
"""

from timm.models import generate_default_cfgs, register_model
from torch import nn

from cxrgrid.models.network import Network, create, settings

NAMES = ("au_cnn3", "au_cnn3_wide", "au_cnn2", "au_cnn2_wide")
# "Standardizing the values": about the mean and spread of a chest radiograph's grey levels.
LEVELS = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
default_cfgs = generate_default_cfgs(
    {name: settings(128, "blocks.0.conv", fixed_input_size=True, **LEVELS) for name in NAMES}
)


class Layer(nn.Sequential):
    """Convolution, ReLU, pooling, dropout."""

    def __init__(self, inputs: int, filters: int, drop_rate: float):
        super().__init__()
        self.conv = nn.Conv2d(inputs, filters, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(drop_rate)


class AuNet(Network):
    """Two or three layers, and a classifier of the flattened map."""

    def __init__(
        self,
        filters: tuple[int, ...],
        num_classes: int = 1000,
        in_chans: int = 3,
        img_size: int | tuple[int, int] = 128,
        drop_rate: float = 0.0,
    ):
        super().__init__(num_classes, in_chans, drop_rate)
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        inputs = (in_chans, *filters[:-1])
        pairs = zip(inputs, filters, strict=True)
        self.blocks = nn.Sequential(*(Layer(*pair, drop_rate) for pair in pairs))
        self.feature_info = [
            {"num_chs": count, "reduction": 2 ** (at + 1), "module": f"blocks.{at}"}
            for at, count in enumerate(filters)
        ]
        area = (height >> len(filters)) * (width >> len(filters))
        self.make_head(filters[-1], filters[-1] * area, nn.Flatten(), dropout=0.0)


def build(name: str, pretrained: bool, filters: tuple[int, ...], options: dict) -> nn.Module:
    """One of the four."""
    layers = tuple(range(len(filters)))
    return create(AuNet, name, pretrained, **{"out_indices": layers, **options}, filters=filters)


@register_model
def au_cnn3(pretrained: bool = False, **options) -> AuNet:
    """Experiments 1–5: 32, 64 and 128 filters. 551,438 parameters for one channel, 14 labels."""
    return build("au_cnn3", pretrained, (32, 64, 128), options)


@register_model
def au_cnn3_wide(pretrained: bool = False, **options) -> AuNet:
    """Experiment 6: 128, 256 and 512 filters."""
    return build("au_cnn3_wide", pretrained, (128, 256, 512), options)


@register_model
def au_cnn2(pretrained: bool = False, **options) -> AuNet:
    """Experiment 7: 64 and 128 filters."""
    return build("au_cnn2", pretrained, (64, 128), options)


@register_model
def au_cnn2_wide(pretrained: bool = False, **options) -> AuNet:
    """Experiment 8: 256 and 512 filters."""
    return build("au_cnn2_wide", pretrained, (256, 512), options)
