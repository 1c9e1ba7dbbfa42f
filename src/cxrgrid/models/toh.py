"""The networks of "Image Classification on Chest X-Ray Images" (Toh, Daffa, Hung; SUTD).

Section and count of parameters (3 channels, 14 labels, 224 px; the study's Table 1) stand with
each; the XvT has a file of its own. Images are normalised as for ImageNet (3.2). What the text
leaves open is said where it is decided.
"""

from timm.models import generate_default_cfgs, register_model
from timm.models.densenet import DenseNet
from torch import Tensor, nn
from torch.nn import functional as F

from cxrgrid.models.network import Network, average, create, settings

SKIP = ("blocks.0.conv", "blocks.0.skip")
default_cfgs = generate_default_cfgs(
    {
        "toh_cnn": settings(224, SKIP, fixed_input_size=True),
        "toh_resnet": settings(224, "stem.conv"),
        "toh_densenet": settings(224, "features.conv0", classifier="classifier"),
        "toh_unet_encoder": settings(224, "blocks.0.conv1"),
    }
)


def stages(channels: list[int], first: int) -> list[dict]:
    """timm's notes on blocks of which each halves the map, the first to 1 / `first`."""
    return [
        {"num_chs": count, "reduction": first * 2**at, "module": f"blocks.{at}"}
        for at, count in enumerate(channels)
    ]


# ------------------------------------------------------------------ 2.1 CNN with residuals


class SkipBlock(nn.Module):
    """Convolution, batch norm and ReLU, to which the input is added; then pooling."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 3, padding=1)
        self.bn = nn.BatchNorm2d(width)
        same = inputs == width
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, width, 1, bias=False)
        self.pool = nn.MaxPool2d(2)

    def forward(self, maps: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, width, H / 2, W / 2]."""
        return self.pool(F.relu(self.bn(self.conv(maps))) + self.skip(maps))


class TohCNN(Network):
    """Six blocks of one width, and two linear layers that read the flattened map."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        img_size: int | tuple[int, int] = 224,
        drop_rate: float = 0.0,
        width: int = 16,
        hidden: int = 32,
    ):
        super().__init__(num_classes, in_chans, drop_rate)
        height, breadth = (img_size, img_size) if isinstance(img_size, int) else img_size
        if min(height, breadth) < 64:
            raise ValueError("six poolings leave nothing of less than 64 pixels")
        self.blocks = nn.Sequential(*(SkipBlock(width if n else in_chans, width) for n in range(6)))
        self.feature_info = stages([width] * 6, first=2)
        self.hidden = nn.Sequential(
            nn.Linear(width * (height >> 6) * (breadth >> 6), hidden), nn.ReLU(inplace=True)
        )
        self.make_head(width, hidden, nn.Flatten(), drop_rate)


@register_model
def toh_cnn(pretrained: bool = False, **options) -> TohCNN:
    """2.1: "6 identical blocks" of a convolution with skip, "2 fully connected layers".

    The text gives no widths: 16 filters, 32 hidden units, and a 1 × 1 convolution where the first
    skip meets the image's channels. 17,390 parameters, 1,636 fewer than the published 19,026.
    That count comes out for one channel, 14 filters, 14 hidden units and a 7 × 7 map; but six
    poolings leave 3 × 3 of 224 pixels.
    """
    return create(TohCNN, "toh_cnn", pretrained, **{"out_indices": tuple(range(6)), **options})


# ------------------------------------------------------------------ 2.2 ResNet


class ConvStem(nn.Module):
    """A large convolution with bias, max pooling, batch norm and ReLU, in this order."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 7, stride=2, padding=3)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, images: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, width, H / 4, W / 4]."""
        return F.relu(self.bn(self.pool(self.conv(images))))


class ResidualBlock(nn.Module):
    """Two convolutions and a skip; where the width changes, the map halves and 1 × 1 projects."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        stride = 1 if inputs == width else 2
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.skip = nn.Identity()
        if stride == 2:
            self.skip = nn.Sequential(nn.Conv2d(inputs, width, 1, 2), nn.BatchNorm2d(width))

    def forward(self, maps: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, width, H, W], or half the size."""
        inner = F.relu(self.bn1(self.conv1(maps)))
        return F.relu(self.bn2(self.conv2(inner)) + self.skip(maps))


class TohResNet(Network):
    """A small ResNet of four stages."""

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.0):
        super().__init__(num_classes, in_chans, drop_rate)
        widths = [48, 96, 192, 384]
        self.stem = ConvStem(in_chans, widths[0])
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    ResidualBlock(widths[max(0, at - 1)], width), ResidualBlock(width, width)
                )
                for at, width in enumerate(widths)
            )
        )
        self.feature_info = stages(widths, first=4)
        self.make_head(widths[-1], widths[-1], average(), drop_rate)


@register_model
def toh_resnet(pretrained: bool = False, **options) -> TohResNet:
    """2.2: "an initial convolutional layer with max pooling, batchnorm and ReLU, followed by 4
    layers containing 2 residual blocks each, where each residual block comprises of 2 convolutional
    layers and a skip connection". With 48, 96, 192 and 384 filters and biases in all convolutions
    6,299,342 parameters, as published.
    """
    return create(TohResNet, "toh_resnet", pretrained, **{"out_indices": (0, 1, 2, 3), **options})


# ------------------------------------------------------------------ 2.3 DenseNet


@register_model
def toh_densenet(pretrained: bool = False, **options) -> DenseNet:
    """2.3: "4 dense blocks, each containing 4, 8, 16 and 12 dense layers", of two convolutions.

    Growth 24 and 48 initial channels give the published 2,136,302 parameters.
    """
    shape = {"growth_rate": 24, "block_config": (4, 8, 16, 12)}
    return create(DenseNet, "toh_densenet", pretrained, **shape, **options)


# ------------------------------------------------------------------ 2.4 U-Net's encoder


class DoubleConv(nn.Module):
    """Two convolutions with ReLU, after a pooling in all levels but the first."""

    def __init__(self, inputs: int, width: int, pool: bool):
        super().__init__()
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")  # as Ronneberger, section 3
            nn.init.zeros_(conv.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, width, H / 2, W / 2], or the same size in the first level."""
        return F.relu(self.conv2(F.relu(self.conv1(self.pool(maps)))))


class TohUNetEncoder(Network):
    """The contracting path of U-Net, averaged over the map."""

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.0):
        super().__init__(num_classes, in_chans, drop_rate)
        widths = [64, 128, 256, 512, 1024]
        pairs = zip([in_chans, *widths], widths, strict=False)
        self.blocks = nn.Sequential(*(DoubleConv(*pair, at > 0) for at, pair in enumerate(pairs)))
        self.feature_info = stages(widths, first=1)
        self.make_head(widths[-1], widths[-1], average(), drop_rate)


@register_model
def toh_unet_encoder(pretrained: bool = False, **options) -> TohUNetEncoder:
    """2.4: a classifier "that utilizes Unet's encoder as feature extractor".

    The encoder is that of Ronneberger et al. (arXiv 1505.04597, Figure 1), padded so that small
    images fit; the text does not describe the classifier, which here is one linear layer on the
    averaged map. 18,857,550 parameters, 2,271,488 fewer than the published 21,129,038, which no
    natural configuration that was tried gives.
    """
    return create(TohUNetEncoder, "toh_unet_encoder", pretrained, **options)
