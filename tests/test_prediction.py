import numpy as np
import pytest

from covidlab import prediction
from covidlab.grid import GridFit
from covidlab.models import light_unet
from covidlab.training import predict_cached, predict_slices
from covidlab.volumes import read_volume
from covidlab.weights_file import WeightsInfo
from tests.conftest import SIDE


def test_a_mask_made_in_portions_is_the_volumes_probabilities_at_the_threshold(cohort_folder, monkeypatch):
    volume = read_volume(cohort_folder / "images" / "someone_else.nii.gz")
    model, info = light_unet(widths=(2, 3)), WeightsInfo("light_unet", 16, 0.02, "nothing")
    whole = prediction.predict_volume(volume, model, info)
    monkeypatch.setattr(prediction, "PORTION", 5)
    assert whole.shape == (12, 32, 32) and whole.dtype == np.float32
    # At the second threshold half of the slices reach it nowhere, and are not taken back to the scan's grid at all.
    for threshold in np.median(whole), np.median(whole.max(axis=(1, 2))):
        chosen = WeightsInfo("light_unet", 16, float(threshold), "nothing")
        np.testing.assert_array_equal(prediction.predict_mask(volume, model, chosen), whole >= chosen.threshold)
    np.testing.assert_allclose(prediction.predict_volume(volume, model, info), whole, atol=1e-6)


def test_a_scan_is_predicted_with_neighbours_as_the_cache_is(cache, cohort_folder, monkeypatch):
    volume = read_volume(cohort_folder / "images" / "someone_else.nii.gz")
    model, info = light_unet(widths=(2, 3), channels=3), WeightsInfo("light_unet", SIDE, 0.02, "nothing")
    monkeypatch.setattr(prediction, "PORTION", 5)
    assert cache.size == SIDE and volume.slice_shape == (32, 32)
    cached = predict_cached(model, cache, cache.case("someone_else"))
    fit = GridFit(SIDE, *volume.slice_shape)
    np.testing.assert_allclose(prediction.predict_volume(volume, model, info), fit.from_grid(cached), atol=1e-6)
    alone = predict_slices(model, np.repeat(cache.images[cache.case("someone_else")][..., None], 3, axis=-1))
    assert np.abs(alone - cached).max() > 1e-4  # so the neighbours do count


def test_marked_volume_is_in_millilitres_where_the_voxel_is_known(cohort_folder, tmp_path):
    scan = cohort_folder / "images" / "someone_else.nii.gz"
    all_marked = WeightsInfo("light_unet", 16, 0.0, "nothing")
    done = prediction.predict_file(scan, tmp_path / "m.nii.gz", light_unet(widths=(2, 3)), all_marked)
    assert done.positive_voxels == 32 * 32 * 12
    assert done.millilitres == pytest.approx(32 * 32 * 12 * 2.5 * 2.5 * 5 / 1000)


@pytest.mark.parametrize(
    "marked, shown", [([0] * 12, [0, 2, 4, 6, 8, 10]), ([0, 3, 0], [1]), ([1, 2] * 6, [1, 3, 5, 7, 9, 11])]
)
def test_an_overlay_shows_where_most_is_marked_from_foot_to_head(marked, shown):
    assert prediction.overlaid_slices(np.array(marked)).tolist() == shown
