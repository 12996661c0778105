"""What viewers show: numbers counted by hand, pictures looked at through their pixels."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from covidlab.data.intensities import HIGHEST_HU, LOWEST_HU
from covidlab.plots.slices import LUNG_WINDOW
from covidlab.plots.style import FALSE, FOUND, MISSED, REFERENCE
from covidlab.plots.views import SliceSeries, patch_view, slice_view, threshold_series, threshold_view


def drawn(view):
    png = io.BytesIO()
    view.figure.savefig(png, format="png", dpi=90)
    png.seek(0)
    return (imread(png)[..., :3] * 255).round().astype(int)


GREY = 60  # of all slices here; in the lung window a stored value keeps its grey


def amount(view, colour):
    """Pixels of about this colour: a line's, or three quarters of it over the slice."""
    line = np.array(list(bytes.fromhex(colour[1:])))
    wanted = line if colour == REFERENCE else 0.75 * line + 0.25 * GREY
    return int((np.abs(drawn(view) - wanted).max(axis=2) < 12).sum())


@pytest.fixture
def series():
    """Two slices of 16 x 16; the second has a lesion of 4 x 4, of which the model marks half, and as much beside it."""
    images = np.full((2, 16, 16), GREY, np.uint8)
    references = np.zeros_like(images)
    references[1, 4:8, 4:8] = 1
    return SliceSeries(images, ["a, slice 0", "a, slice 1"], references, {"U-Net": np.roll(references, 2, axis=2)})


def test_the_words_tell_slice_window_and_scores(series):
    words = slice_view(series, 1, -500, 1500, overlay=True).words
    assert words.startswith("a, slice 1; window: level -500 HU, width 1500 HU; reference: 16 lesion pixels; ")
    assert "U-Net: precision 0.50, recall 0.50, F1 0.50" in words


def test_scores_that_are_not_defined_are_not_told_as_nan(series):
    assert "U-Net: nothing to find, and nothing marked" in slice_view(series, 0, -500, 1500, overlay=True).words


def test_the_overlay_has_the_courses_colours_and_can_be_taken_away(series):
    on, off = (slice_view(series, 1, -500, 1500, overlay) for overlay in (True, False))
    for colour in (REFERENCE, FOUND, MISSED, FALSE):
        assert amount(on, colour) > 0
        assert amount(off, colour) == 0
    assert "U-Net" not in off.words and "reference" not in off.words
    assert drawn(on).shape == drawn(off).shape  # the picture must not jump when masks come and go


def test_the_window_changes_the_picture(series):
    assert (drawn(slice_view(series, 1, -500, 1500, False)) != drawn(slice_view(series, 1, -1100, 300, False))).any()


def test_without_a_reference_predictions_are_outlined_not_judged(series):
    view = slice_view(SliceSeries(series.images, series.titles, None, series.predictions), 1, -500, 1500, True)
    assert "U-Net: 16 pixels marked" in view.words
    assert "precision" not in view.words
    assert amount(view, FOUND) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"titles": ["one"]},
        {"references": np.zeros((2, 16, 15))},
        {"predictions": {"U-Net": np.zeros((1, 16, 16))}},
        {"images": np.zeros((0, 16, 16), np.uint8), "titles": []},
        {"images": np.zeros((16, 16), np.uint8)},
    ],
)
def test_shapes_that_do_not_fit_are_refused(series, change):
    fields = {name: getattr(series, name) for name in ("images", "titles", "references", "predictions")}
    with pytest.raises(ValueError):
        SliceSeries(**{**fields, **change})


def test_a_threshold_moves_the_mask_and_the_scores():
    reference = np.zeros((1, 16, 16), np.uint8)
    reference[0, :2] = 1
    probabilities = np.zeros(reference.shape, np.float32)
    probabilities[0, :4] = 0.3  # the lesion and as much again
    probabilities[0, 0] = 0.9  # half of the lesion
    images = np.full_like(reference, GREY)
    series = threshold_series(images, reference, probabilities, title="a, slice 0")
    low, high = threshold_view(series, 0.3), threshold_view(series, 0.31)
    assert "threshold 0.3: 64 pixels marked here; this slice: precision 0.50, recall 1.00, F1 0.67" in low.words
    assert "threshold 0.31: 16 pixels marked here; this slice: precision 1.00, recall 0.50, F1 0.67" in high.words
    assert amount(low, FALSE) > 0 == amount(high, FALSE)


def test_a_thresholds_scores_pool_all_slices():
    reference = np.zeros((2, 16, 16), np.uint8)
    reference[:, 0] = 1
    probabilities = np.zeros(reference.shape)
    probabilities[0, 0] = 1
    words = threshold_view(threshold_series(np.zeros_like(reference), reference, probabilities, shown=1), 0.5).words
    assert words.startswith("threshold 0.5: 0 pixels marked here; 2 slices, pooled: precision 1.00, recall 0.50")


def test_the_threshold_stays_where_it_was_counted():
    ones = np.ones((1, 16, 16), np.uint8)
    series = threshold_series(ones, ones, ones.astype(float))
    assert threshold_view(series, 0.0).words.startswith("threshold 0.005")
    assert threshold_view(series, 1.0).words.startswith("threshold 0.995")
    with pytest.raises(ValueError, match="one shape"):
        threshold_series(ones, ones, np.ones((1, 16, 15)))


def test_a_patch_tells_the_class_of_its_centre():
    image = np.zeros((32, 32), np.uint8)
    reference = np.zeros_like(image)
    reference[10, 10:13] = 1
    assert "row 10, column 10: the centre is lesion; 3 of the patch's 121 pixels" in patch_view(
        image, reference, 10, 10
    ).words
    assert "the centre is healthy; 3 of the patch's 121 pixels" in patch_view(image, reference, 12, 10).words
    assert "healthy; 0 of the patch's 9 pixels" in patch_view(image, reference, 12, 10, size=3).words


def test_a_patch_at_the_border_is_reflected():
    image = np.zeros((32, 32), np.uint8)
    reference = np.zeros_like(image)
    reference[0, 1] = 1  # a 3 x 3 window around the corner sees column 1 twice, left and right of it
    assert "2 of the patch's 9 pixels" in patch_view(image, reference, 0, 0, size=3).words


def test_slices_are_shown_in_the_window_that_they_are_kept_in():
    level, width = LUNG_WINDOW
    assert (level - width / 2, level + width / 2) == (LOWEST_HU, HIGHEST_HU) == (-1250, 250)
