import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidlab.cli import main
from covidlab.data.cohorts import open_cohort
from covidlab.data.volumes import read_volume
from covidlab.models.calibration import Calibration, expected_counts
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.models.weights_file import WeightsInfo
from covidlab.weights import SHIPPED
from tests.chest import chest, write_chest
from tests.conftest import marks_bright_pixels, run_main

SOME = Calibration((0, 0, 0.1, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1), 0.9, 4.0, 0.3, 0.05)


def test_calibrated_probabilities_and_the_predicted_f1_are_those_computed_by_hand():
    # Logits -12, 0, 1, half-way to the next of each, and ends.
    raw = 1 / (1 + np.exp([12.0, 0.0, -1.0, 2.0, np.inf, -np.inf]))
    np.testing.assert_allclose(SOME.probabilities(raw), [0.1, 0.4, 0.45, 0.3, 0, 1], atol=0.002)
    counts = expected_counts(np.array([0.9, 0.5, 0.1]), np.array([True, False, False]))
    np.testing.assert_allclose(counts, [0.9, 1.5, 1])
    # 2 * 45 of 100 would be 0.9, and a tenth is missing: 0.9 - 4 / 10, and 0.3 below and 0.05 above it.
    assert SOME.predicted_f1(45, 50, 50) == (0.5, 0.2, 0.55)
    assert SOME.predicted_f1(50, 50, 50) == (0.9, 0.6, 0.95) and SOME.predicted_f1(10, 50, 50) == (0, 0, 0.05)
    assert SOME.predicted_f1(0, 3, 0) is None and replace(SOME, f1_above=0.0).predicted_f1(45, 50, 50) is None


@given(st.integers(0, 2**32 - 1))
def test_the_f1_to_expect_is_nearly_the_mean_f1_over_drawings_of_the_lesion(seed):
    random = np.random.default_rng(seed)
    probabilities = random.random(400)
    marked = probabilities >= random.uniform(0.2, 0.8)
    drawn = random.random((300, 400)) < probabilities
    scores = 2 * (drawn & marked).sum(axis=1) / (drawn.sum(axis=1) + marked.sum())
    inside, lesion, mask = expected_counts(probabilities, marked)
    assert 2 * inside / (lesion + mask) == pytest.approx(scores.mean(), abs=0.01)


@given(st.lists(st.floats(0, 1, width=32), min_size=2), st.lists(st.floats(0, 1), min_size=10, max_size=10))
def test_calibration_keeps_the_order_of_pixels(raw, shares):
    found = Calibration(tuple(sorted(shares))).probabilities(np.sort(np.float32(raw)))
    assert (np.diff(found) >= 0).all() and found.min() >= min(shares) and found.max() <= max(shares)
    if shares != sorted(shares):
        with pytest.raises(ValueError, match="never fall"):
            Calibration(tuple(shares))


def test_only_what_lies_in_the_lungs_counts_for_the_predicted_f1(tmp_path):
    hu, _ = chest()
    hu[8:12, 60:68, 30:40] = 240  # in the right lung: all that counts
    write_chest(tmp_path / "scan.nii.gz", hu)
    hu[8:12, 60:68, 62:66] = 240  # between the lungs
    write_chest(tmp_path / "more.nii.gz", hu)
    info = WeightsInfo("light_unet", 128, 0.5, "nothing", calibration=SOME)
    one, more = (
        Segmenter(marks_bright_pixels(), info).predict(read_volume(tmp_path / f"{name}.nii.gz"))[2]
        for name in ("scan", "more")
    )
    assert one == more and one[0] > 0.05


@pytest.mark.parametrize("name", SHIPPED)
def test_masks_are_bit_for_bit_those_without_calibration(name):
    volume, segmenter = read_volume(open_cohort().cases[0].image), open_segmenter(name, quick=True)
    plain = replace(segmenter, info=replace(segmenter.info, calibration=None))
    known = replace(segmenter, info=replace(segmenter.info, calibration=SOME))
    (mask, _, nothing), (same, _, f1) = plain.predict(volume), known.predict(volume)
    assert mask.any() and np.array_equal(mask, same)
    assert nothing is None and f1[1] <= f1[0] <= f1[2]


def test_predict_tells_the_f1_to_expect_of_what_it_marks_in_words_and_for_programs(capsys, tmp_path):
    options = ("predict", open_cohort().cases[0].image, "-o", tmp_path / "mask.nii.gz", "--weights", "phantom")
    status, out, _ = run_main(main, capsys, *options)
    (told,) = re.findall(r"^  predicted F1 (\S+) \(90 %: (\S+) to (\S+)\)$", out, re.M)
    f1, low, high = json.loads(run_main(main, capsys, *options, "--json")[1])["predicted_f1"]
    assert status == 0 and told == tuple(f"{value:.2f}" for value in (f1, low, high)) and 0 <= low < f1 < high <= 1
