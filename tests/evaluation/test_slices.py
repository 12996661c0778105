import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from sklearn import calibration
from sklearn import metrics as oracle

from covidlab.evaluation.counts import Counts, count, count_at
from covidlab.evaluation.patients import patient_interval, reliability
from covidlab.evaluation.slices import (
    SliceTable,
    detection,
    negative_slices,
    quartiles,
    slice_table,
    volume_scores,
)

CASES = np.array(["a", "a", "a", "a", "b", "b"])
PATIENTS = np.array(["1", "1", "1", "1", "2", "2"])
Z = np.array([0, 1, 2, 3, 0, 1])


def table(tp, fp, fn):
    tp, fp, fn = np.array(tp), np.array(fp), np.array(fn)
    return SliceTable(CASES, PATIENTS, Z, tp, fp, fn, 100 - tp - fp - fn)


#            found, missed, missed far from any found, negative clean, negative marked, found
KNOWN = table([5, 0, 0, 0, 0, 8], [1, 0, 0, 0, 4, 0], [2, 3, 3, 0, 0, 2])


@settings(max_examples=30)
@given(hnp.arrays(bool, (6, 5, 4)), hnp.arrays(bool, (6, 5, 4)))
def test_slices_add_up_to_the_pooled_counts(references, predictions):
    slices = slice_table(references, predictions, CASES, PATIENTS, Z)
    assert slices.pooled() == count(references, predictions)
    assert sum(slices.by(slices.cases).values(), Counts()) == slices.pooled()
    both = {"positive": references, "marked": predictions, "found": references & predictions}
    for name, pixels in both.items():
        assert getattr(slices, name).tolist() == pixels.any(axis=(1, 2)).tolist(), name
    with pytest.raises(ValueError, match="must be equal"):
        slice_table(references, predictions[:1], CASES, PATIENTS, Z)


def test_volumes_and_patients_are_pooled_each_for_itself():
    assert KNOWN.by(CASES)["b"] == Counts(tp=8, fp=4, fn=2, tn=186)
    assert volume_scores(KNOWN)["a"] == pytest.approx(10 / (10 + 1 + 8))
    assert volume_scores(table([2] * 6, [0] * 6, [2] * 6)) == pytest.approx({"a": 2 / 3, "b": 2 / 3})


def test_a_volume_or_slice_without_lesion_has_no_score_whatever_is_marked():
    for false_pixels in (0, 7):
        healthy = table([0] * 6, [false_pixels] * 6, [0] * 6)
        assert np.isnan(volume_scores(healthy)["a"]) and np.isnan(healthy.f1).all()


def test_slices_are_scored_each_for_itself():
    np.testing.assert_allclose(KNOWN.f1, [10 / 13, 0, 0, np.nan, np.nan, 16 / 18])


def test_negative_slices_are_judged_apart():
    judged = negative_slices(KNOWN)
    assert (judged.slices, judged.left_empty, judged.false_pixels) == (2, 0.5, 2.0)
    none = negative_slices(table([1] * 6, [0] * 6, [0] * 6))
    assert none.slices == 0 and np.isnan([none.left_empty, none.false_pixels]).all()


def test_a_missed_slice_may_be_caught_by_its_neighbour():
    seen = detection(KNOWN)
    assert seen.slices == Counts(tp=2, fp=1, fn=2, tn=1)
    assert (seen.missed, seen.caught_by_neighbour) == (2, 1)
    assert detection(KNOWN, reach=2).caught_by_neighbour == 2
    between = table([0, 0, 5, 0, 0, 0], [0] * 6, [0, 3, 0, 3, 0, 0])
    assert detection(between).caught_by_neighbour == 2


def test_only_judged_slices_count_but_all_serve_as_neighbours():
    judged = np.array([False, True, False, False, False, False])
    seen = detection(KNOWN, judged)
    assert seen.slices == Counts(fn=1) and seen.caught_by_neighbour == 1


def test_the_neighbour_in_another_case_is_no_neighbour():
    cases_in_a_row = table([0, 0, 0, 0, 5, 0], [0] * 6, [0, 0, 0, 3, 0, 0])
    assert detection(cases_in_a_row, reach=3).caught_by_neighbour == 0


def test_an_interval_over_patients_holds_the_score_and_widens_with_what_sets_them_apart():
    interval = patient_interval(KNOWN)
    assert interval.low <= interval.score <= interval.high and interval.patients == 2
    # Two patients: the drawings are 1+1, 1+2, 2+1, 2+2, so the ends are the patients' own scores.
    ends = sorted(one.f1 for one in KNOWN.by(PATIENTS).values())
    assert [interval.low, interval.high] == pytest.approx(ends)
    alike = table([4] * 6, [1] * 6, [1] * 6)
    assert patient_interval(alike).low == pytest.approx(patient_interval(alike).high)


def test_an_interval_of_many_patients_is_the_normal_one():
    # Each patient weighs the same in the pool, so its F1 is the mean of theirs.
    right = np.arange(300, 701, 4)
    names = right.astype(str)
    many = SliceTable(names, names, 0 * right, right, 1000 - right, 1000 - right, 0 * right)
    half = 1.96 * (right / 1000).std() / np.sqrt(len(right))
    interval = patient_interval(many)
    assert [interval.low, interval.high] == pytest.approx([0.5 - half, 0.5 + half], abs=0.0008)


def test_one_patient_gives_no_interval_nor_do_drawings_without_a_score():
    for slices, patients in ((KNOWN[:4], 1), (table([0] * 6, [0] * 6, [0] * 6), 2)):
        interval = patient_interval(slices)
        assert np.isnan([interval.low, interval.high]).all() and interval.patients == patients


def test_drawings_of_nothing_but_patients_without_lesion_are_left_out():
    half = table([4, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0])
    interval = patient_interval(half)  # a quarter of the drawings hold patient 2 alone, who has no score
    assert interval.low == interval.high == interval.score == pytest.approx(0.8)
    for wrong in ((0, 1), (1, 0)):  # one false or one missed pixel, and patient 2 alone scores 0
        assert patient_interval(table([4, 0, 0, 0, 0, 0], *([1, 0, 0, 0, pixel, 0] for pixel in wrong))).low == 0


def test_reliability_by_hand():
    probabilities = np.array([0.05, 0.05, 0.45, 0.95, 0.95, 1.0])
    seen = reliability(np.array([0, 0, 1, 1, 0, 1]), probabilities)
    np.testing.assert_allclose(seen.probability, [0.05, 0.45, 2.9 / 3])
    np.testing.assert_allclose(seen.share, [0, 1, 2 / 3])
    assert seen.pixels.tolist() == [2, 1, 3]


def test_quartiles_leave_out_what_is_not_defined_and_know_that_infinite_is_the_worst():
    assert quartiles([0.0, np.nan, 1.0, 0.5]) == (0.25, 0.5, 0.75)
    assert quartiles([1.0, 2.0, np.inf]) == (2.0, 2.0, np.inf)
    assert quartiles([1.0, np.inf, np.inf]) == (np.inf, np.inf, np.inf)
    assert np.isnan(quartiles([np.nan])).tolist() == [True] * 3


def test_scores_equal_scikit_learns():
    random = np.random.default_rng(0)
    reference, prediction = random.random((2, 5, 40, 40)) > 0.7
    pooled = slice_table(reference, prediction, CASES[:5], PATIENTS[:5], Z[:5]).pooled()
    flat = reference.ravel(), prediction.ravel()
    assert pooled.precision == pytest.approx(oracle.precision_score(*flat))
    assert pooled.recall == pytest.approx(oracle.recall_score(*flat))
    assert pooled.accuracy == pytest.approx(oracle.accuracy_score(*flat))
    assert pooled.f1 == pytest.approx(oracle.f1_score(*flat))
    assert pooled.iou == pytest.approx(oracle.jaccard_score(*flat))


def test_points_of_the_curve_and_reliability_equal_scikit_learns():
    random = np.random.default_rng(1)
    reference = random.random(500) > 0.8
    probabilities = np.clip(0.4 * reference + random.normal(0.3, 0.2, 500), 0, 1).astype(np.float32)
    precision, recall, thresholds = oracle.precision_recall_curve(reference, probabilities)
    counts = count_at(thresholds, reference, probabilities)
    np.testing.assert_allclose([one.precision for one in counts], precision[:-1])
    np.testing.assert_allclose([one.recall for one in counts], recall[:-1])
    share, probability = calibration.calibration_curve(reference, probabilities, n_bins=10)
    seen = reliability(reference, probabilities)
    np.testing.assert_allclose(seen.share, share)
    np.testing.assert_allclose(seen.probability, probability, rtol=1e-5)
