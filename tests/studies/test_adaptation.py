import numpy as np

from covidlab._tensorflow import keras
from covidlab.data.slices import SliceCache
from covidlab.evaluation.counts import count
from covidlab.models import light_unet, predict_slices
from covidlab.models.segmenter import Segmenter
from covidlab.models.weights_file import WeightsInfo
from covidlab.training.recipe import Recipe
from studies.adaptation import adaptation_curve, adaptation_rows

RECIPE = Recipe(updates=4, updates_per_epoch=2, batch_size=2, learning_rate=3e-3, augment=False)


def test_a_curve_scores_every_number_on_the_same_slices_and_none_is_the_network_itself(tmp_path):
    keras.utils.set_random_seed(0)
    model = light_unet(widths=(4, 8))
    masks = np.zeros((6, 16, 16), np.uint8)
    masks[:, 4:10, 5:11] = 1
    names = np.array(["a"] * 6)
    cache = SliceCache((60 + 150 * masks).astype(np.uint8), masks, names, names, np.arange(6),
                       masks.sum(axis=(1, 2)), 16, "squares", tmp_path)  # fmt: skip
    segmenter = Segmenter(model, WeightsInfo("light_unet", grid=16, threshold=0.5, trained_on="squares"))
    curve = adaptation_curve(segmenter, cache, np.arange(6), (0, 1, 2), recipe=RECIPE)
    assert list(curve) == [0, 1, 2] and len({counts.total for counts in curve.values()}) == 1
    rest = [1, 2, 3, 4]  # of six the first alone, or first and last, are annotated
    alone = count(cache.masks[rest], predict_slices(model, cache.images[rest]) >= 0.5)
    assert curve[0] == alone
    rows = adaptation_rows({"a": curve, "b": {number: curve[0] for number in curve}})
    assert rows[-1]["2 slices"] == f"{(curve[2].f1 - curve[0].f1) / 2:+.3f}" and rows[-1]["0 slices"] == "+0.000"
