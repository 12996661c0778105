"""What a run is asked to do: the recipe of its training, and the defaults of the lesson and of the paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from covidlab import paper
from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split, make_split


@dataclass(frozen=True)
class Recipe:
    """How to train. The paper leaves nearly all of it open; these are our choices."""

    updates: int = 7500  # Gradient steps in all
    batch_size: int = 8  # Slices an update; patches for the patch CNN
    learning_rate: float = 2e-3  # Adam's peak: warmed up over the first 5 % of updates, then a cosine to a hundredth
    # How far turned, zoomed, shifted, brightened, beside mirror images: 1 is what may differ between two scans of one
    # hospital, 2 twice as far; 0 takes slices as they are, which patches always are: there are millions of them.
    augment: float = 1.0
    # Training slices without lesion kept for each one with; 0 as in the paper (section III.B), None for all.
    negatives_per_positive: float | None = 0.0
    # Validation, the weights to keep and the point to resume from come after each epoch. The last one is shorter where
    # `updates` is no multiple.
    updates_per_epoch: int = 250
    loss: str = "cross_entropy_and_dice"  # A name in `covidlab.training.losses.LOSSES`
    border_error: float = 0.0  # Pixels by which borders of the training masks are wrong; see `training.disturb_borders`
    annotated: int | None = None  # Positive training slices with reference masks, all by default; fewer, a part of more

    @property
    def epochs(self) -> int:
        """Rounds of training and validation, the last one whole or not."""
        return -(-self.updates // self.updates_per_epoch)

    def updates_after(self, epochs: int) -> int:
        """How many updates some epochs are."""
        return min(epochs * self.updates_per_epoch, self.updates)


@dataclass(frozen=True)
class Epoch:
    """One line of a training's history."""

    epoch: int  # Counted from 1
    updates: int
    loss: float  # Mean training loss of the epoch
    validation_f1: float  # Pooled F1 on validation at `threshold`
    threshold: float  # The threshold with the best validation F1
    seconds: float  # Time spent training so far, validation included


@dataclass(frozen=True)
class Config:
    """What a run is asked to do."""

    cohort: str
    grid: int  # Pixels a side
    protocol: str  # "slice" or "patient"
    seed: int  # Of the split and of the training
    model: str = "light_unet"  # A name in `covidlab.models.MODELS`
    options: Mapping = field(default_factory=dict)  # What the model's function is called with
    test_patients: Sequence[str] = ()  # Held out under "patient"; empty means fold `seed` (`patient_folds`)
    recipe: Recipe = field(default_factory=Recipe)
    cases: Sequence[str] = ()  # Names of the cases used, so that a subset is never taken for the whole

    def split(self, cache: SliceCache) -> Split:
        """The split of this run's cohort."""
        return make_split(cache, self.protocol, self.seed, self.test_patients)

    @property
    def sentence(self) -> str:
        """Data, protocol, grid and seed: what every score must be read with."""
        return f"{self.cohort}, protocol {self.protocol}, {self.grid} px, seed {self.seed}"


# The phantom is easier than patients and a lesson is short; on real slices more updates come before anything clever.
PHANTOM_UPDATES, REAL_UPDATES = 1000, 7500

# A patch costs about a five-hundredth of what a slice of 128 px costs the U-Net.
PATCHES = 512

# Pixels a side. The record's own 630 is no multiple of 16: the U-Net pads it to 640 inside.
GRIDS = {"lesson": 128, "paper": paper.SLICE_SIZE}

# FCN-8s at its published width has 134 million parameters; at a quarter, 8 million, a CPU can train it.
OPTIONS = {"lesson": {"fcn8s": {"width": 0.25}}, "paper": {}}


def recipe_for(is_phantom: bool, updates: int | None = None, model: str = "light_unet") -> Recipe:
    """The default recipe for a cohort and a model, at the cohort's own number of updates or at another.

    Raises `ValueError` if that is below 1.
    """
    if updates is None:
        updates = PHANTOM_UPDATES if is_phantom else REAL_UPDATES
    if updates < 1:
        raise ValueError(f"updates must be 1 or more; found {updates}")
    recipe = Recipe(updates, updates_per_epoch=min(updates, 250))
    if is_phantom:
        # Few updates: small batches, and some negative slices, since there is no time to learn from positive ones alone
        # what is no lesion.
        recipe = replace(recipe, updates_per_epoch=min(updates, 100), batch_size=4, negatives_per_positive=0.3)
    return replace(recipe, batch_size=PATCHES) if model == "patch_cnn" else recipe
