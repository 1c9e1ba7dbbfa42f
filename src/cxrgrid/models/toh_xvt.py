"""XvT, the transformer of Toh, Daffa and Hung: sections 2.5.2 and 3.3.2 of the study (`toh.py`)."""

from timm.layers import LayerNorm2d, Mlp, trunc_normal_
from timm.models import generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional as F

from cxrgrid.models.network import Network, average, create, settings

default_cfgs = generate_default_cfgs({"toh_xvt": settings(224, "stem.conv")})


class Patches(nn.Module):
    """Non-overlapping patches as one token each (equation 1), normalised."""

    def __init__(self, inputs: int, width: int, side: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, side, stride=side)
        self.norm = LayerNorm2d(width)

    def forward(self, images: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, width, H / side, W / side]."""
        return self.norm(self.conv(images))


class ConvAttention(nn.Module):
    """Attention whose queries, keys and values come from depth-wise convolutions of the map."""

    def __init__(self, width: int, heads: int, drop_rate: float):
        super().__init__()
        self.heads = heads
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
                nn.BatchNorm2d(width),
            )
            for _ in range(3)
        )
        self.linears = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.proj = nn.Linear(width, width)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, maps: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        count, width, height, breadth = maps.shape
        parts = []
        for conv, linear in zip(self.convs, self.linears, strict=True):
            tokens = linear(conv(maps).flatten(2).transpose(1, 2))
            parts.append(tokens.unflatten(2, (self.heads, -1)).transpose(1, 2))
        tokens = F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        tokens = self.drop(self.proj(tokens))
        return tokens.transpose(1, 2).reshape(count, width, height, breadth)


class ConvTransformerBlock(nn.Module):
    """Attention, then an MLP for each token: each after a norm, and added to its input."""

    def __init__(self, width: int, heads: int, drop_rate: float):
        super().__init__()
        self.norm1 = LayerNorm2d(width)
        self.attention = ConvAttention(width, heads, drop_rate)
        self.norm2 = LayerNorm2d(width)
        self.mlp = Mlp(width, 4 * width, drop=drop_rate)

    def forward(self, maps: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        maps = maps + self.attention(self.norm1(maps))
        tokens = self.mlp(self.norm2(maps).permute(0, 2, 3, 1))
        return maps + tokens.permute(0, 3, 1, 2)


class TohXvT(Network):
    """A vision transformer of one stage with convolutional projections."""

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.0):
        super().__init__(num_classes, in_chans, drop_rate)
        width, depth, side = 192, 6, 14
        self.stem = Patches(in_chans, width, side)
        self.blocks = nn.Sequential(
            *(ConvTransformerBlock(width, 3, drop_rate) for _ in range(depth))
        )
        self.norm = LayerNorm2d(width)
        self.feature_info = [
            {"num_chs": width, "reduction": side, "module": f"blocks.{at}"} for at in range(depth)
        ]
        self.make_head(width, width, average(), dropout=0.0)
        for part in self.blocks.modules():
            if isinstance(part, nn.Linear):
                trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)


@register_model
def toh_xvt(pretrained: bool = False, **options) -> TohXvT:
    """2.5.2: CvT (Wu et al., arXiv 2103.15808) without its stages and with patches that do not
    overlap; 3.3.2: "the number of attention heads to be 3, number of blocks to be 6, patch size and
    stride size to be 14, embedding dimension to be 192", kernel 3, dropout 0.3 (`drop_rate`).

    2,823,758 parameters, as published: the convolutions are depth-wise without bias and followed by
    batch norm, there is no class token and no position embedding, and the tokens are averaged.
    Where dropout acts is not said: here after the attention's projection and in the MLP, as in CvT.
    """
    return create(TohXvT, "toh_xvt", pretrained, **{"out_indices": tuple(range(6)), **options})
