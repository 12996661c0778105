"""A smaller network, taught by a larger one: its reference is what the teacher answers (distillation).

    python -m studies.teach OUT.weights.h5 --data FOLDER data/phantom-lesson --teacher light_unet

It learns from the slices that its teacher has seen, and so has seen no others. An answer says more than a mask does:
how doubtful a border is, and what else looked like lesion (G. Hinton et al., "Distilling the Knowledge in a Neural
Network", 2015, https://arxiv.org/abs/1503.02531). The teacher's threshold goes with it, but not how large it
sees lungs: the pupil learns scans as they lie. `studies.calibration` finds its own threshold.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from covidlab._tensorflow import keras
from covidlab.data import open_cohort, open_slice_cache
from covidlab.data.slices import SliceCache
from covidlab.models.networks import MODELS, save_weights
from covidlab.models.normalised import fold, settle
from covidlab.models.segmenter import Segmenter, open_segmenter, predict_slices
from covidlab.progress import progress_bar
from covidlab.training.batches import training_batches
from covidlab.training.fit import SETTLING, every_tenth
from covidlab.training.losses import LOSSES
from covidlab.training.recipe import Recipe

WIDTHS = (8, 12, 14, 16)  # 23,595 parameters, 94 KB
RATE = 3e-3  # Adam's first, then a cosine to a hundredth
AVERAGED = 10  # the weights are averaged over about a tenth of the updates
TRUTH = 0.25  # the expert's share of the reference; the rest is the teacher's


def lessons(teacher: Segmenter, caches: list[SliceCache]) -> tuple[SliceCache, list[str]]:
    """The slices of some cohorts that the teacher has seen, with masks of 0 to 1 to learn from, and their cases.

    Of the cache that is returned, images, masks and size alone are of these slices.
    """
    images, masks, cases = [], [], []
    for cache in caches:
        names = zip(cache.cases.tolist(), cache.patients.tolist())
        seen = np.flatnonzero([teacher.info.has_seen(case, patient) for case, patient in names])
        answers = predict_slices(teacher.network, cache.images[seen], mirror=True)
        images.append(cache.images[seen])
        masks.append(answers + TRUTH * (cache.masks[seen] - answers))
        cases += cache.cases[seen].tolist()
    return replace(caches[0], images=np.concatenate(images), masks=np.concatenate(masks)), sorted(set(cases))


def teach(teacher: Segmenter, caches: list[SliceCache], widths, updates: int, seed: int, out: Path) -> None:
    """Train a nano U-Net of these widths, average its weights over the last updates, and save it."""
    keras.utils.set_random_seed(seed)
    lesson, cases = lessons(teacher, caches)
    number = len(lesson.images)
    # Without dropout, which cost 0.01 on the one group that it was tried on.
    model, learner = (MODELS["nano_unet"](widths, dropout=0.0, normalised=twin) for twin in (False, True))
    recipe = Recipe(updates, augment=2.0)
    rate = keras.optimizers.schedules.CosineDecay(RATE, updates, alpha=0.01)
    batches = training_batches(lesson, np.arange(number), recipe, seed)
    fit_averaged(learner, batches, recipe, rate, max(0.0, 1 - AVERAGED / updates))
    settle(learner, lesson.images[:: -(-number // SETTLING)])
    fold(learner, model)
    about = replace(
        teacher.info, model=model.name, options={"widths": list(widths)}, mirror=True, fill=None,
        calibration=None, seen=cases,
        trained_on=f"answers of a {teacher.info.model} to {number:,} slices of "
        f"{' and '.join(cache.cohort for cache in caches)}, seed {seed}",
    )  # fmt: skip
    save_weights(out, model, about)


def fit_averaged(learner: keras.Model, batches, recipe: Recipe, rate, kept: float) -> None:
    """Train in one go; the network ends with the mean of its weights, which keeps a share of itself at each update."""
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0, use_ema=True, ema_momentum=kept)
    learner.compile(optimizer, loss=LOSSES[recipe.loss]())
    with progress_bar(f"training {learner.name}") as show:
        told = every_tenth(show, range(recipe.updates), recipe.updates, "")
        learner.fit(batches, callbacks=[told], shuffle=False, verbose=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--widths", type=lambda text: tuple(map(int, text.split(","))), default=WIDTHS)
    parser.add_argument("--updates", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    caches = [open_slice_cache(open_cohort(folder)) for folder in options.data]
    teach(open_segmenter(options.teacher), caches, options.widths, options.updates, options.seed, options.out)


if __name__ == "__main__":
    main()
