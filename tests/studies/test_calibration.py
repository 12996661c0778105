"""Networks of one recipe: their weights averaged, and the threshold that patients whom they left out agree on."""

from dataclasses import replace

import numpy as np
import pytest

from covidlab.data.slices import SliceCache
from covidlab.models import light_unet
from covidlab.models.networks import save_weights
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.models.weights_file import WeightsInfo
from studies.average import average
from studies.calibration import choose_threshold
from tests.chest import chest
from tests.conftest import marks_bright_pixels

ABOUT = WeightsInfo("light_unet", 32, 0.35, "three scans", {"widths": (2, 3)}, seen=("a", "b"))


def test_the_average_of_networks_has_their_mean_weights_and_has_seen_what_any_of_them_has(tmp_path):
    networks, paths = [light_unet((2, 3)) for _ in range(3)], [tmp_path / f"{k}.weights.h5" for k in range(3)]
    for network, path, seen in zip(networks, paths, (("a", "b"), ("b", "c"), ("a",))):
        save_weights(path, network, replace(ABOUT, seen=seen))
    average(paths, tmp_path / "mean.weights.h5")
    mean = open_segmenter(tmp_path / "mean.weights.h5")
    for found, *each in zip(mean.network.get_weights(), *(one.get_weights() for one in networks), strict=True):
        np.testing.assert_allclose(found, (each[0] + each[1] + each[2]) / 3, atol=1e-6)
    assert mean.info.seen == ("a", "b", "c") and mean.info.mirror and mean.info.threshold == 0.35
    save_weights(paths[1], light_unet((2, 4)), replace(ABOUT, options={"widths": (2, 4)}))
    with pytest.raises(SystemExit, match="name one kind"):
        average(paths, tmp_path / "mixed.weights.h5")


def test_the_threshold_is_that_of_the_patients_whom_the_networks_have_not_seen(tmp_path):
    # The network answers 0.27, 0.12 and 0.05 to the greys 0.89, 0.88 and 0.87. Patients a and b have lesions of 0.89
    # beside vessels of 0.88; of c, who has lesions of 0.87, a network that had seen it would choose 0.05.
    images, masks = [], []
    for lesion in (227, 227, 222):
        hu, _ = chest()
        grey = np.rint((hu.clip(-1250, 250) + 1250) / 1500 * 255).astype(np.uint8)
        grey[8:16, 50:60, 30:40], grey[8:16, 50:60, 86:96] = lesion, 224
        masks.append(np.zeros(grey.shape, np.uint8))
        masks[-1][8:16, 50:60, 30:40] = 1
        images.append(grey)
    names, masks = np.repeat(["a", "b", "c"], len(images[0])), np.concatenate(masks)
    size, pixels = masks.shape[1], masks.sum(axis=(1, 2))
    cache = SliceCache(np.concatenate(images), masks, names, names, np.arange(len(masks)), pixels, size, "", tmp_path)
    network = Segmenter(marks_bright_pixels(), replace(ABOUT, grid=size, seen=("c",)))
    threshold, words = choose_threshold([network], cache)
    assert threshold == 0.15 and "of 2 patients, 1.000; chosen for each patient on the others, 1.000" in words
