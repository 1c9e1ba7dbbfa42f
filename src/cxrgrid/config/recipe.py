"""Settings of a training: loss, optimiser, schedule, augmentation and stopping."""

from typing import Annotated, Any, Literal

import msgspec

from cxrgrid.config.dataset import Subset
from cxrgrid.config.fields import Fraction, about
from cxrgrid.config.optimizers import OPTIMIZERS


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of a training."""

    image: Annotated[
        dict[str, Any],
        about(
            "image settings that replace the dataset's, such as {size: 512}; empty: the dataset's"
        ),
    ] = {}
    uncertain: Annotated[
        str | dict[str, str],
        about(
            "uncertain labels (-1) as training targets: ignore, zero, one or smooth, or "
            "{label: word}; empty: as the dataset's truth. The truth that is scored never changes"
        ),
    ] = ""
    blank: Annotated[
        str | dict[str, str],
        about("blank labels as training targets: absent or ignore; empty: as the dataset's truth"),
    ] = ""
    train_share: Annotated[
        float,
        about(
            "share of the training patients; smaller shares of a seed are part of larger ones",
            gt=0,
            le=1,
        ),
    ] = 1.0
    train_where: Annotated[
        Subset, about("train on these images only; validation and test stay as they are")
    ] = Subset()
    train_on: Annotated[
        tuple[str, ...],
        about(
            "datasets whose training images are pooled, such as [nih, chexpert]; own: the cell's "
            "dataset, others: all others of the grid; empty: own. Labels that one of them does not "
            "know are masked there; images like a held-out one are left out. A list "
            "of such lists is a factor"
        ),
    ] = ()
    dataset_sampling: Annotated[
        Literal["natural", "balanced"],
        about(
            "with `train_on`; natural: each image once per epoch; balanced: each dataset "
            "equally often"
        ),
    ] = "natural"
    validate_on: Annotated[
        Literal["own", "train_on"],
        about(
            "with `train_on`: validation images that choose the epoch; own: the cell's dataset's; "
            "train_on: those of all datasets that are trained on"
        ),
    ] = "own"
    epochs: Annotated[int, about("passes over the training images", ge=1)] = 20
    batch_size: Annotated[int, about("images in a step", ge=1)] = 32
    steps_per_epoch: Annotated[int, about("steps per epoch; 0: one pass over all images", ge=0)] = 0
    sampling: Annotated[
        Literal["natural", "balanced"],
        about(
            "natural: each image once per epoch; balanced: each class equally often (multi-label: "
            "the positives of each label and the images without any label equally often)"
        ),
    ] = "natural"
    channels: Annotated[Literal[1, 3], about("input channels; 3 repeats the grey image")] = 3
    train: Annotated[
        Literal["all", "head"],
        about("head: train the classifier only (linear probe); all else is frozen"),
    ] = "all"
    head: Annotated[
        Literal["linear", "logistic", "knn"],
        about(
            "with `train: head`; linear: trained by the recipe's steps; or fitted at once to the "
            "features of the training images: logistic (logistic regression), knn (votes of the "
            "nearest training images)"
        ),
    ] = "linear"
    head_c: Annotated[
        float, about("head: logistic: inverse strength of its penalty, scikit-learn's C", gt=0)
    ] = 1.0
    neighbours: Annotated[int, about("head: knn: training images that vote", ge=1)] = 20
    freeze_epochs: Annotated[
        int, about("epochs in which only the classifier is trained, before all is", ge=0)
    ] = 0
    optimizer: Annotated[
        Literal[OPTIMIZERS],
        about("timm's name: sgd has Nesterov momentum, momentum has plain momentum"),
    ] = "adamw"
    lr: Annotated[float, about("peak learning rate", gt=0)] = 0.001
    layer_decay: Annotated[
        float,
        about(
            "factor on the learning rate per layer, from the classifier down; 1: none", gt=0, le=1
        ),
    ] = 1.0
    weight_decay: Annotated[float, about("weight decay; not applied to biases and norms", ge=0)] = (
        0.05
    )
    momentum: Annotated[float, about("for sgd, momentum and rmsprop", ge=0, lt=1)] = 0.9
    schedule: Annotated[
        Literal["constant", "cosine", "restarts", "step", "plateau", "onecycle"],
        about(
            "learning rate after the warm-up: cosine decays once, restarts repeatedly; step decays "
            "by `factor` every step_epochs, plateau when validation no longer improves; onecycle "
            "(Smith) rises and decays"
        ),
    ] = "cosine"
    schedule_per: Annotated[
        Literal["step", "epoch"], about("epoch: the learning rate is constant within an epoch")
    ] = "step"
    warmup_epochs: Annotated[float, about("epochs of linear warm-up", ge=0)] = 0.0
    min_lr: Annotated[
        float, about("final rate of cosine and restarts, lower bound of step and plateau", ge=0)
    ] = 0.0
    restart_epochs: Annotated[int, about("restarts: epochs until the first restart", ge=1)] = 10
    restart_mult: Annotated[
        int, about("restarts: factor by which each period is longer than the one before", ge=1)
    ] = 1
    step_epochs: Annotated[int, about("step: epochs between two decays", ge=1)] = 10
    factor: Annotated[float, about("step, plateau: factor on the learning rate", gt=0, lt=1)] = 0.1
    plateau_epochs: Annotated[
        int, about("plateau: epochs without improvement before the rate decays", ge=0)
    ] = 3
    plateau_on: Annotated[
        Literal["loss", "monitor"], about("plateau: watch the validation loss, or `monitor`")
    ] = "loss"
    pct_start: Annotated[
        float, about("onecycle: share of the steps in which the rate rises", gt=0, lt=1)
    ] = 0.3
    div_factor: Annotated[float, about("onecycle: the initial rate is lr / this", ge=1)] = 25.0
    final_div_factor: Annotated[
        float, about("onecycle: the final rate is the initial rate / this", ge=1)
    ] = 10000.0
    loss: Annotated[
        Literal["auto", "bce", "ce", "focal", "asymmetric", "logit_adjusted"],
        about(
            "auto: bce for multi-label, ce (cross-entropy) for multi-class; focal (Lin et al. "
            "2017) and logit_adjusted (Menon et al. 2021, for rare labels) for both; asymmetric "
            "(Ridnik et al. 2021) for multi-label"
        ),
    ] = "auto"
    adjust_tau: Annotated[
        float, about("logit_adjusted: tau, by which the log of the training prior counts", ge=0)
    ] = 1.0
    focal_gamma: Annotated[
        float, about("focal: gamma; the larger, the less easy images count", ge=0)
    ] = 2.0
    asymmetric_positive: Annotated[float, about("asymmetric: gamma of positives", ge=0)] = 0.0
    asymmetric_negative: Annotated[float, about("asymmetric: gamma of negatives", ge=0)] = 4.0
    asymmetric_clip: Annotated[
        float, about("asymmetric: negatives with a probability below this have no loss", ge=0, lt=1)
    ] = 0.05
    pos_weight: Annotated[bool, about("multi-label: weight positives by negatives / positives")] = (
        False
    )
    class_weight: Annotated[bool, about("multi-class: weight classes by inverse frequency")] = False
    label_smoothing: Annotated[
        float, about("target 1 becomes 1 - s/2 or 1 - s + s/classes", ge=0, lt=1)
    ] = 0.0
    dropout: Annotated[float, about("dropout before the classifier", ge=0, lt=1)] = 0.0
    hflip: Annotated[bool, about("mirror half of the images; the heart is then on the right")] = (
        False
    )
    rotate: Annotated[float, about("rotate by up to this many degrees", ge=0, le=180)] = 0.0
    shear: Annotated[float, about("shear by up to this many degrees", ge=0, le=60)] = 0.0
    shift: Annotated[Fraction, about("shift by up to this share of the image's sides")] = 0.0
    scale: Annotated[float, about("scale by up to this share, larger or smaller", ge=0, lt=1)] = 0.0
    crop: Annotated[
        float,
        about("random resized crop (3:4 to 4:3): least share of the area; 1: none", gt=0, le=1),
    ] = 1.0
    brightness: Annotated[Fraction, about("add up to this share of the grey range")] = 0.0
    contrast: Annotated[Fraction, about("stretch grey levels by up to this share")] = 0.0
    sharpness: Annotated[Fraction, about("sharpen, or smooth, by up to this factor")] = 0.0
    autocontrast: Annotated[
        Fraction, about("probability of stretching the grey levels to the whole range")
    ] = 0.0
    noise: Annotated[
        Fraction, about("Gaussian noise with a standard deviation of up to this share of the range")
    ] = 0.0
    erasing: Annotated[
        Fraction, about("probability of erasing a rectangle of 2 to 33 % of the area to grey")
    ] = 0.0
    policy: Annotated[
        Literal["none", "randaugment", "trivialaugment", "augmix", "cutmix"],
        about(
            "a policy of torchvision with its usual settings, before the augmentations above "
            "(RandAugment, TrivialAugmentWide, AugMix); cutmix: a rectangle of another image, "
            "with its share of the labels (Yun et al. 2019). Each image has its own draw"
        ),
    ] = "none"
    mixup: Annotated[
        float, about("a: blend with another image, by a share drawn from Beta(a, a); 0: none", ge=0)
    ] = 0.0
    monitor: Annotated[
        Literal["auroc", "loss", "ap", "f1", "balanced_accuracy", "sensitivity", "accuracy"],
        about(
            "validation metric that picks the best epoch: loss (lower), or a mean over labels "
            "(higher); decisions at 0.5 or by the largest probability; accuracy: multi-class only"
        ),
    ] = "auroc"
    patience: Annotated[
        int, about("stop after this many epochs without improvement; 0: never", ge=0)
    ] = 0
    accumulate: Annotated[
        int, about("parts in which each batch is processed, to save memory; batch_size stays", ge=1)
    ] = 1
    on_oom: Annotated[
        Literal["fail", "accumulate"],
        about(
            "when memory runs out: fail, or repeat the step, and take all later ones, in twice the "
            "number of parts"
        ),
    ] = "fail"
    clip_grad: Annotated[
        float, about("clip the gradients to this total norm; 0: no clipping", ge=0)
    ] = 0.0
    ema_decay: Annotated[
        float,
        about(
            "decay per step of a moving average of the weights, which is then evaluated and saved; "
            "0: none",
            ge=0,
            lt=1,
        ),
    ] = 0.0
    compile: Annotated[
        bool | Literal["reduce-overhead"],
        about(
            "torch.compile; the first step then takes longer. reduce-overhead: with CUDA graphs, "
            "for small batches on a GPU, at the cost of some of its memory"
        ),
    ] = False
    amp: Annotated[
        bool | Literal["auto"],
        about(
            "bfloat16 autocast; auto: on GPUs of compute capability 8.0 or later, not elsewhere; "
            "find_speed measures whether it is faster"
        ),
    ] = "auto"
    deterministic: Annotated[
        bool,
        about(
            "the same cell gives the same bits on the same GPU; an operation that cannot is "
            "refused. false: faster on a GPU, and the report says that it cannot be repeated to "
            "the bit"
        ),
    ] = True
    channels_last: Annotated[
        bool, about("channels_last memory layout; find_speed measures whether it is faster")
    ] = False


class StudyRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named set of training settings; any of them may be a list of levels: a factor."""

    choose: Annotated[
        Literal["none", "validation"],
        about(
            "validation: of the levels of this recipe's lists, only the one with the highest "
            "validation value enters the comparisons, chosen for each dataset, backbone and init; "
            "none: each level is compared. Retrains nothing"
        ),
    ] = "none"
