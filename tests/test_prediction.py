import numpy as np

from covidlab import prediction
from covidlab.models import light_unet
from covidlab.volumes import read_volume
from covidlab.weights_file import WeightsInfo


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
