"""Checkpoints of chest X-ray models: their layouts, their own input, and the networks they need."""

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torchvision.models.inception import inception_v3
from torchvision.models.resnet import Bottleneck, ResNet

from cxrgrid.config.errors import UserError
from cxrgrid.models import chexfound, start
from cxrgrid.models.starts import dinov2, radimagenet, transformers_siglip

SMALL = {"embed_dim": 32, "depth": 4, "num_heads": 2, "img_size": 32, "patch_size": 8}


def fit(model, path):
    """The start of a timm network from a file."""
    head = f"{model.pretrained_cfg['classifier']}."
    return start.fit(model, path, lambda name: name.startswith(head))


FEW = {"densenet121": {"growth_rate": 4, "block_config": (1, 1)}, "resnet50": {"layers": (1, 1)}}


@pytest.mark.parametrize("backbone", FEW)
def test_torchxrayvisions_files_are_known_by_their_18_findings(tmp_path, backbone):
    """Its published files lack `op_threshs`, which its classes set after they have read them."""
    model = timm.create_model(backbone, in_chans=1, num_classes=18, **FEW[backbone])
    torch.save(model.state_dict(), tmp_path / "xrv.pt")
    assert fit(model, tmp_path / "xrv.pt").input == {"mean": [0.5], "std": [1 / 2048]}
    # A cell of ours may have 18 labels as well: what its network sees is said beside its weights.
    (tmp_path / "cell.json").touch()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    assert fit(model, tmp_path / "model.safetensors").input == {}


def test_radimagenets_images_are_scaled_from_minus_1_to_1(tmp_path):
    backbone = torch.nn.Sequential(*list(ResNet(Bottleneck, [1, 1, 1, 1]).children())[:9])
    torch.save({f"backbone.{n}": t for n, t in backbone.state_dict().items()}, tmp_path / "r.pt")
    begun = fit(timm.create_model("resnet50", layers=(1, 1, 1, 1)), tmp_path / "r.pt")
    assert begun.input == {"mean": [0.5] * 3, "std": [0.5] * 3}
    assert begun.line.endswith(" tensors; new: fc.*")


def test_an_inception_that_kept_its_auxiliary_classifier_is_numbered_with_it():
    with torch.device("meta"):
        theirs = inception_v3(init_weights=False)
        own = timm.create_model("inception_v3").state_dict()
    given = torch.nn.Sequential(*list(theirs.children())[:-1]).state_dict()
    found = radimagenet.convert(given, own)
    assert {name for name in own if not name.startswith("fc.")} <= found.keys()
    assert all(found[n].shape == t.shape for n, t in own.items() if not n.startswith("fc."))


def chunked(own, size):
    """A state dict as DINOv2 writes it, its blocks in chunks of `size`."""
    names = {"reg_token": "register_tokens"}
    found = {}
    for name, tensor in own.items():
        if name.startswith("blocks."):
            _, number, part = name.split(".", 2)
            part = part.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
            found[f"blocks.{int(number) // size}.{number}.{part}"] = tensor
        else:
            found[names.get(name, name)] = tensor
    return found


def test_chexfounds_teacher_starts_its_network(tmp_path):
    """The file's nesting, chunks of blocks, gated layers and registers, in a small one."""
    design = {**chexfound.DESIGN, **SMALL, "mlp_ratio": 5.25}
    source = VisionTransformer(**design, num_classes=0)
    with torch.no_grad():
        for tensor in source.state_dict().values():
            tensor.add_(torch.randn_like(tensor) / 10)
    position = torch.randn(1, 1, 32)
    given = chunked(source.state_dict(), 2)
    given["pos_embed"] = torch.cat([position, given["pos_embed"]], dim=1)
    given["cls_token"] = given["cls_token"] - position
    given["mask_token"] = torch.zeros(1, 32)
    file = {f"backbone.{name}": tensor for name, tensor in given.items()}
    file |= {f"dino_head.mlp.{n}.weight": torch.zeros(2, 2) for n in range(3)}
    torch.save({"teacher": file}, tmp_path / "teacher_checkpoint.pth")
    model = VisionTransformer(**design, num_classes=3)
    model.pretrained_cfg = {"first_conv": "patch_embed.proj", "classifier": "head"}
    begun = fit(model, tmp_path / "teacher_checkpoint.pth")
    model.load_state_dict(model.state_dict() | begun.weights)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        features = model.eval().forward_head(model.forward_features(images), pre_logits=True)
        torch.testing.assert_close(features, source.eval()(images))
    assert begun.line.endswith("left out: mask_token, dino_head.* (3)")


def test_chexfounds_network_has_the_published_shapes():
    with torch.device("meta"):
        own = timm.create_model(chexfound.NAME, num_classes=0).state_dict()
    assert own["pos_embed"].shape == (1, 32 * 32, 1024) and own["reg_token"].shape == (1, 4, 1024)
    assert own["blocks.23.mlp.fc1.weight"].shape == (2 * 2736, 1024)
    assert not dinov2.recognise(own) and dinov2.recognise(chunked(own, 6))
    assert dinov2.convert(chunked(own, 6), {}).keys() == own.keys()


def test_eva_x_starts_its_network_with_its_own_grey_levels(tmp_path):
    """Masked-image pretraining leaves a norm before pooling, a mask token and a head of its own."""
    made = {"depth": 2, "in_chans": 1, "num_classes": 3}
    source = timm.create_model("eva_x_tiny_patch16_224", **made)
    model = timm.create_model("eva_x_tiny_patch16_224", **made)
    with torch.no_grad():
        for tensor in source.state_dict().values():
            tensor.add_(torch.randn_like(tensor) / 10)
    given = {}
    for name, tensor in source.state_dict().items():
        name = name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        given |= {} if name.startswith("head.") else {name.replace("fc_norm.", "norm."): tensor}
    given |= {"mask_token": torch.zeros(1, 1, 192), "lm_head.weight": torch.zeros(4, 192)}
    torch.save({"module": given}, tmp_path / "eva_x_tiny.pt")
    begun = fit(model, tmp_path / "eva_x_tiny.pt")
    features = [one for one in source.state_dict() if not one.startswith("head.")]
    assert all(torch.equal(begun.weights[n], source.state_dict()[n]) for n in features)
    assert begun.line.startswith(f"matched {len(features)} of ") and "new: head.*" in begun.line
    assert model.pretrained_cfg["mean"] == (0.49185243,) * 3  # its file says nothing else
    assert not begun.input


def as_siglip(own):
    """A timm tower's state dict under the names of the library transformers."""
    names = {"patch_embed.proj": "embeddings.patch_embedding", "norm": "post_layernorm"}
    names |= {"attn_pool.norm": "head.layernorm", "attn_pool.proj": "head.attention.out_proj"}
    names |= {f"attn_pool.mlp.fc{n}": f"head.mlp.fc{n}" for n in (1, 2)}
    block = {"norm1": "layer_norm1", "norm2": "layer_norm2", "attn.proj": "self_attn.out_proj"}
    found = {"embeddings.position_embedding.weight": own["pos_embed"][0]}
    found["head.probe"] = own["attn_pool.latent"]
    for kind in ("weight", "bias"):
        stacked = torch.cat([own[f"attn_pool.{part}.{kind}"] for part in ("q", "kv")])
        found[f"head.attention.in_proj_{kind}"] = stacked
    for name, tensor in own.items():
        part, _, kind = name.rpartition(".")
        if part.startswith("blocks."):
            _, number, inner = part.split(".", 2)
            layer = f"encoder.layers.{number}"
            if inner == "attn.qkv":
                for word, third in zip("qkv", tensor.chunk(3), strict=True):
                    found[f"{layer}.self_attn.{word}_proj.{kind}"] = third
            else:
                found[f"{layer}.{block.get(inner, inner)}.{kind}"] = tensor
        elif part in names:
            found[f"{names[part]}.{kind}"] = tensor
    return found


def test_siglips_tower_is_timms():
    own = VisionTransformer(**SMALL, class_token=False, global_pool="map", num_classes=0)
    own = own.state_dict()
    given = as_siglip(own)
    assert transformers_siglip.recognise(given) and not transformers_siglip.recognise(own)
    found = transformers_siglip.convert(given, own)
    assert found.keys() == own.keys() and all(torch.equal(found[n], own[n]) for n in own)


SCALES = [f"blocks.{block}.ls{number}.gamma" for block in (0, 1) for number in (1, 2)]
SCALED = {"depth": 2, "embed_dim": 32, "num_heads": 2, "in_chans": 1}


def test_a_layer_scale_that_one_of_the_two_lacks_is_refused(tmp_path):
    """DINOv2's blocks are scaled, an ImageNet ViT's are not: the start would be another network."""
    made = [SCALED, {**SCALED, "init_values": 0.1}]
    plain, scaled = (timm.create_model("vit_base_patch16_224", **options) for options in made)
    for source, model, words in ((plain, scaled, "has no"), (scaled, plain, "holds a")):
        torch.save(source.state_dict(), tmp_path / "w.pth")
        with pytest.raises(UserError, match=f"w.pth: {words} layer scale \\(blocks.0.ls1.gamma"):
            fit(model, tmp_path / "w.pth")
    # As DeiT III's own files name it.
    scaled = timm.create_model("deit3_base_patch16_224", **SCALED)
    names = {n: n.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2") for n in SCALES}
    weights = {names.get(n, n): torch.randn_like(t) for n, t in scaled.state_dict().items()}
    torch.save({"model": weights}, tmp_path / "deit3.pth")
    begun = fit(scaled, tmp_path / "deit3.pth")
    assert torch.equal(begun.weights["blocks.1.ls2.gamma"], weights["blocks.1.gamma_2"])
