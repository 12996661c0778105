import pytest

from covidlab.models import light_unet
from covidlab.splits import split_by_slice
from covidlab.throughput import TrainingRate, training_rate, volume_time
from covidlab.training import Recipe
from covidlab.weights_file import WeightsInfo


def test_training_takes_turns_with_the_same_update_from_memory(cache):
    recipe = Recipe(updates=40, batch_size=2, updates_per_epoch=20)
    rate = training_rate(light_unet(widths=(2, 3)), cache, split_by_slice(len(cache)), recipe, turn=10)
    assert (rate.grid, rate.batch_size) == (32, 2)
    assert rate.updates == 30, "the first turn traces the graph and is not counted"
    assert rate.share == pytest.approx(rate.trained / rate.fed)
    assert 0 < rate.batches_share and 0 < rate.processor_share


def test_the_sentence_gives_both_rates_and_their_share():
    rate = TrainingRate("light_unet", 128, 8, 480, 57.0, 60.0, 0.95, 0.97, 0.96)
    assert "train 57.0 slices/s, the same update from memory 60.0; share 0.95" in rate.sentence


def test_a_scan_from_file_to_file_is_compared_with_its_model(cohort_folder):
    scan = cohort_folder / "images" / "someone_else.nii.gz"
    found = volume_time(scan, light_unet(widths=(2, 3)), WeightsInfo("light_unet", 16, 0.5, "nothing"), rounds=2)
    assert (found.shape, found.grid) == ((32, 32, 12), 16)
    assert found.seconds > 0 and found.model_seconds > 0 and set(found.parts) == {"reading", "grid and back"}
    assert "32 x 32 x 12, on 16 px" in found.sentence
