from dataclasses import replace

import numpy as np

from covidlab.models.segmenter import Segmenter
from covidlab.models.weights_file import WeightsInfo
from covidlab.training.comparison import TestSlices, typical_slices, worst_slices
from covidlab.training.recipe import Config
from studies.figures import write_figures
from tests.conftest import untrained_run


def some_slices():
    """Four slices of 8 x 8: lesions of 4, 16 and 36 pixels, and none."""
    references = np.zeros((4, 8, 8), np.uint8)
    references[0, :2, :2], references[1, :4, :4], references[2, :6, :6] = 1, 1, 1
    good, lazy = references.astype(np.float32), np.zeros(references.shape, np.float32)
    good[2, :6, :3] = 0  # half of the largest
    lazy[1, :4, :4] = 0.6
    at_half = Segmenter(None, WeightsInfo("light_unet", 8, 0.5, "nothing"))
    answers = {"good": good, "lazy": lazy}
    return TestSlices(np.arange(4), references, references, answers, dict.fromkeys(answers, at_half))


def test_the_worst_slices_of_each_model_are_shown_and_specks_are_not():
    cases = np.array(["a", "a", "b", "b"])
    assert worst_slices(some_slices(), cases, each=1, least_pixels=5).tolist() == [2, 1]
    assert worst_slices(some_slices(), cases, each=1, least_pixels=1).tolist() == [2, 0]
    # One case does not fill the figure.
    assert worst_slices(some_slices(), np.array(["a"] * 4), each=2, least_pixels=1).tolist() == [2, 0]


def test_typical_slices_are_positive_and_of_different_cases():
    cases = np.array(["a", "a", "b", "b"])
    assert sorted(typical_slices(some_slices(), cases, number=2).tolist()) in ([0, 2], [1, 2])
    assert 3 not in typical_slices(some_slices(), cases)


def test_a_case_without_a_large_lesion_gives_its_largest():
    """Not its smallest, which would be shown as the typical failure of every model."""
    references = np.zeros((8, 8, 8), np.uint8)
    for k in range(8):
        references[k, 0, : k + 1] = 1
    cases = np.array(["b", "b", "b", "b", "a", "a", "a", "a"])
    test = TestSlices(np.arange(8), references, references, {}, {})
    assert typical_slices(test, cases, number=2).tolist() == [2, 6]
    assert typical_slices(test, cases[::-1], number=2).tolist() == [2, 6]
    first_taken = np.array(["b", "a", "a", "a", "b", "a", "a", "a"])
    assert typical_slices(test, first_taken, number=2).tolist() == [2, 4]


def test_where_no_slice_has_a_lesion_or_a_large_one_there_is_none_to_show():
    test, cases = some_slices(), np.array(["a", "a", "b", "b"])
    assert worst_slices(test, cases, least_pixels=37).tolist() == []
    empty = replace(test, references=np.zeros_like(test.references))
    assert typical_slices(empty, cases).tolist() == worst_slices(empty, cases).tolist() == []


def test_figures_without_a_slice_to_show_are_left_out_with_the_reason(cache, tmp_path, monkeypatch):
    """A test part with lesions of 16 pixels."""
    drawn = set()
    monkeypatch.setattr("covidlab.plots.style.save", lambda figure, path: drawn.add(path.stem))
    config = Config("three scans", 32, "slice", 0, options={"widths": (2, 3)})
    test = config.split(cache).test
    masks = np.array(cache.masks)
    masks[test] = 0
    masks[test, :4, :4] = 1
    changed = replace(cache, masks=masks, positive_pixels=masks.sum(axis=(1, 2)))
    run = untrained_run(config, changed, tmp_path)
    found = write_figures({"light_unet": run}, changed, tmp_path / "figures")
    assert found == {"fig-7-worst-slices": "no test slice shows a lesion of 20 pixels or more"}
    assert {"fig-1-2-slices", "fig-6-accuracy-f1"} <= drawn and "fig-7-worst-slices" not in drawn
    masks[test] = 0
    found = write_figures({"light_unet": run}, changed, tmp_path / "figures")
    assert found["fig-1-2-slices"] == "no test slice shows a lesion" and "fig-7-worst-slices" in found
