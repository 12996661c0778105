"""What a training does: the recipe, and the defaults of the lesson and of the paper."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from covidlab import paper
from covidlab.errors import CovidlabError
from covidlab.models.builders import MODELS
from covidlab.training.losses import LOSSES


@dataclass(frozen=True)
class Recipe:
    """How to train. The paper leaves nearly all of it open; these are our choices.

    Parameters
    ----------
    updates : int
        Gradient steps in all.
    batch_size : int
        Slices an update; patches for the patch CNN.
    learning_rate : float
        Adam's peak rate: warmed up over the first 5 % of updates, then a cosine to a hundredth.
    augment : float
        How far turned, zoomed, shifted, brightened, beside mirror images: 1 is what may differ between two scans of
        one hospital, 2 twice as far; 0 takes slices as they are, which patches always are: there are millions of them.
    negatives_per_positive : float or None
        Training slices without lesion kept for each one with; 0 as in the paper (section III.B), None for all.
    loss : str
        A name in `covidlab.training.losses.LOSSES`.
    border_error : float
        Pixels by which the borders of the training masks are wrong; see `covidlab.training.disturb_borders`.
    annotated : int, optional
        How many positive training slices there are reference masks for; all by default. Fewer are a part of more.
    crop : int, optional
        Pixels a side of a square cut out of each slice, in every other one around a lesion pixel; whole slices by
        default. What a network learns from squares it does on whole slices: large ones become affordable. Turned and
        shifted, a square has some air at its edges.
    keep_last : bool
        Keep the weights of the last epoch, in which the learning rate has come to rest, instead of those with the best
        validation F1: two validation patients choose an epoch badly.
    updates_per_epoch : int
        Validation, the weights to keep and the point to resume from come after each epoch. The last epoch is shorter
        where `updates` is no multiple.
    """

    updates: int = 7500
    batch_size: int = 8
    learning_rate: float = 2e-3
    augment: float = 1.0
    negatives_per_positive: float | None = 0.0
    updates_per_epoch: int = 250
    loss: str = "cross_entropy_and_dice"
    border_error: float = 0.0
    annotated: int | None = None
    crop: int | None = None
    keep_last: bool = False

    @property
    def epochs(self) -> int:
        """Rounds of training and validation, the last one whole or not."""
        return -(-self.updates // self.updates_per_epoch)

    def updates_after(self, epochs: int) -> int:
        """How many updates some epochs are."""
        return min(epochs * self.updates_per_epoch, self.updates)


@dataclass(frozen=True)
class Epoch:
    """One line of a training's history.

    Parameters
    ----------
    epoch, updates : int
        Counted from 1.
    loss : float
        Mean training loss of the epoch.
    validation_f1 : float
        Pooled F1 on validation at `threshold`.
    threshold : float
        The threshold with the best validation F1.
    seconds : float
        Time spent training so far, validation included.
    """

    epoch: int
    updates: int
    loss: float
    validation_f1: float
    threshold: float
    seconds: float

# The phantom is easier than patients and a lesson is short; on real slices more updates come before anything clever.
PHANTOM_UPDATES, REAL_UPDATES = 1000, 7500

# A patch costs about a five-hundredth of what a slice of 128 px costs the U-Net.
PATCHES = 512

# Pixels a side. The record's own 630 is no multiple of 16: the U-Net pads it to 640 inside.
GRIDS = {"lesson": 128, "paper": paper.SLICE_SIZE}

# FCN-8s at its published width has 134 million parameters; at a quarter, 8 million, a CPU can train it.
OPTIONS = {"lesson": {"fcn8s": {"width": 0.25}}, "paper": {}}


def options_for(model: str, profile: str, neighbours: int = 0) -> dict:
    """What a model's function is called with in a profile, with some slices on either side as further channels.

    Raises
    ------
    CovidlabError
        If the number of neighbours is negative, or the patch CNN is to see any: its patches are cut from one slice.
    """
    if neighbours < 0 or (neighbours and model == "patch_cnn"):
        raise CovidlabError("--neighbours", f"{neighbours} for {model}", "0 or more, 0 for patch_cnn", "correct it")
    return OPTIONS[profile].get(model, {}) | ({"channels": 2 * neighbours + 1} if neighbours else {})


def recipe_for(is_phantom: bool, updates: int | None = None, model: str = "light_unet") -> Recipe:
    """The default recipe for a cohort and a model, at the cohort's own number of updates or at another.

    Raises
    ------
    CovidlabError
        If the number of updates is below 1.
    """
    if model == "patch_cnn":
        return replace(recipe_for(is_phantom, updates), batch_size=PATCHES)
    if updates is None:
        updates = PHANTOM_UPDATES if is_phantom else REAL_UPDATES
    if updates < 1:
        raise CovidlabError("--updates", f"{updates}", "1 or more", "leave it out for the usual number")
    if is_phantom:
        # Few updates: small batches, and some negative slices, since there is no time to learn from positive ones alone
        # what is no lesion.
        return Recipe(
            updates=updates, updates_per_epoch=min(updates, 100), batch_size=4, negatives_per_positive=0.3
        )
    return Recipe(updates=updates, updates_per_epoch=min(updates, 250))


def crop_for(model: str, grid: int, crop: int | None = None) -> int | None:
    """Pixels a side of the squares that a model trains on, as asked; None for whole slices.

    Raises
    ------
    CovidlabError
        If the squares are too small, no smaller than the slices, or for the patch CNN, which learns from patches.
    """
    if crop is not None and (not 32 <= crop < grid or model == "patch_cnn"):
        raise CovidlabError(
            "--crop", f"{crop} for {model} on {grid} px",
            f"32 or more and less than {grid}, and another model than patch_cnn, which learns from patches",
            "leave --crop out, or correct it: 128 to 256 suit slices of 630",
        )  # fmt: skip
    return crop


def change_recipe(
    recipe: Recipe, loss: str | None = None, negatives: str | None = None, augment: float | None = None,
    crop: int | None = None, rate: float | None = None, keep_last: bool = False,
) -> Recipe:
    """A recipe with another loss, number of negative slices for each positive one, augmentation, crop (`crop_for`) or
    peak learning rate; None leaves each.

    Parameters
    ----------
    recipe : Recipe
    loss : str, optional
    negatives : str, optional
        A number in words of a command line, or "all".
    augment, crop, rate, keep_last : optional
        See `covidlab.training.recipe.Recipe`.

    Raises
    ------
    CovidlabError
        If there is no such loss or number.
    """
    if loss is not None:
        if loss not in LOSSES:
            raise CovidlabError("--loss", repr(loss), f"one of {', '.join(LOSSES)}", "correct the name")
        recipe = replace(recipe, loss=loss)
    if negatives is not None:
        recipe = replace(recipe, negatives_per_positive=_ratio(negatives))
    if augment is not None:
        if not 0 <= augment <= 4:
            raise CovidlabError("--augment", f"{augment:g}", "a number from 0, none, to 4", "1 is the usual strength")
        recipe = replace(recipe, augment=augment)
    if crop is not None:
        recipe = replace(recipe, crop=crop)
    if rate is not None:
        if not 0 < rate < 1:
            raise CovidlabError("--rate", f"{rate:g}", "a number between 0 and 1", "0.002 is the usual one")
        recipe = replace(recipe, learning_rate=rate)
    return replace(recipe, keep_last=True) if keep_last else recipe


def _ratio(word: str) -> float | None:
    """A number of 0 or more; None for "all"."""
    try:
        ratio = None if word == "all" else float(word)
        if ratio is not None and not 0 <= ratio < float("inf"):
            raise ValueError
    except ValueError as error:
        raise CovidlabError("--negatives", repr(word), "a number of 0 or more, or `all`", "correct it") from error
    return ratio


def check_models(names: Sequence[str], option: str = "--models") -> list[str]:
    """The named models, if all exist; the option is the one that named them.

    Raises
    ------
    CovidlabError
        If one does not.
    """
    for name in names:
        if name not in MODELS:
            raise CovidlabError(option, repr(name), f"names among {', '.join(MODELS)}", "correct the name")
    return list(names)
