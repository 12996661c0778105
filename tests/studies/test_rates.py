"""Times are told by a clock that the work itself moves, so that each number can be worked out by hand."""

import numpy as np
import pytest

from covidlab.data.splits import split_by_slice
from covidlab.models import light_unet
from covidlab.models.segmenter import Segmenter
from covidlab.models.weights_file import WeightsInfo
from covidlab.training import fit, thresholds
from covidlab.training.recipe import Recipe
from studies import rates
from studies.rates import training_rate, volume_time


def test_training_takes_turns_with_the_same_update_from_memory(cache, monkeypatch):
    model, validations, count_slices = light_unet(widths=(2, 3)), [], thresholds.count_slices
    monkeypatch.setattr(fit, "count_slices", lambda *given: validations.append(1) or count_slices(*given))

    def clocks():
        """An update takes a second on either clock, a validation ten, and five of the processor."""
        return int(model.optimizer.iterations.value) + len(validations) * np.array([10.0, 5.0])

    monkeypatch.setattr(rates, "_clocks", clocks)
    recipe = Recipe(updates=40, batch_size=2, updates_per_epoch=20)
    rate = training_rate(model, cache, split_by_slice(len(cache)), recipe, turn=10)
    assert (rate.grid, rate.batch_size) == (32, 2)
    assert rate.updates == 30, "the first turn traces the graph and is not counted"
    # Three turns of ten updates on either side, and one of two validations: the last comes after the last turn.
    assert (rate.trained, rate.fed) == (60 / (30 + 10), 60 / 30)
    assert (rate.share, rate.processor_share) == (30 / (30 + 10), 30 / (30 + 5))
    assert rate.batches_share == 1, "a turn with a validation says nothing of the batches"
    assert "train 1.5 slices/s, the same update from memory 2.0; share 0.75" in rate.sentence


def test_a_scan_from_file_to_file_is_compared_with_its_model(cohort_folder, monkeypatch):
    clock = np.zeros(2)
    # Seconds that pass, and seconds of all cores.
    costs = {"predict_file": (5, 6), "read_scan": (1, 1)}  # and the network's own, below

    def slowed(name):
        work = getattr(rates, name)

        def run(*given, **more):
            clock[:] += costs[name]
            return work(*given, **more)

        return run

    for name in costs:
        monkeypatch.setattr(rates, name, slowed(name))
    segmenter = Segmenter(light_unet(widths=(2, 3)), WeightsInfo("light_unet", 16, 0.5, "nothing"))
    probabilities = Segmenter.probabilities

    def slow_network(*given):
        clock[:] += (2, 3)
        return probabilities(*given)

    monkeypatch.setattr(Segmenter, "probabilities", slow_network)
    monkeypatch.setattr(rates, "_clocks", clock.copy)
    scan = cohort_folder / "images" / "someone_else.nii.gz"
    found = volume_time(scan, segmenter, rounds=2)
    assert (found.shape, found.grid) == ((32, 32, 12), 16)
    assert (found.seconds, found.model_seconds) == (7, 2)
    assert found.parts == {"reading": 1, "grid and back": 0}
    assert (found.ratio, found.processor_ratio) == pytest.approx((7 / 2, 9 / 3))
    assert "32 x 32 x 12, on 16 px: file to file 7.00 s, the model alone 2.00 s; ratio 3.50" in found.sentence
