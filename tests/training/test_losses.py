import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from covidlab.training.batches import disturb_borders, undersample
from covidlab.training.losses import LOSSES

POSITIVE = np.array([True, False, True, False, False, True])


def test_the_paper_keeps_no_negative_slice():
    assert undersample(np.arange(6), POSITIVE).tolist() == [0, 2, 5]


def test_negative_slices_are_kept_by_ratio_and_all_when_there_are_too_few():
    for ratio, negatives in ((0.5, 1), (1.0, 3), (None, 3)):
        kept = undersample(np.arange(6), POSITIVE, ratio)
        assert set(kept) >= {0, 2, 5} and len(kept) == 3 + negatives
    with pytest.raises(ValueError, match="no training slice shows a lesion"):
        undersample(np.array([1, 3]), POSITIVE)


def loss_of(name, reference, probability):
    shape = (1, 1, len(reference), 1)
    arrays = (np.array(values, np.float32).reshape(shape) for values in (reference, probability))
    return float(LOSSES[name]()(*arrays))


def test_losses_by_hand():
    # One lesion pixel at probability 0.5, three healthy ones at 0.25, 0.25 and 0.5.
    reference, probability = [1, 0, 0, 0], [0.5, 0.25, 0.25, 0.5]
    logs = -np.log([0.5, 0.75, 0.75, 0.5])
    assert loss_of("cross_entropy", reference, probability) == pytest.approx(logs.mean(), rel=1e-5)
    weighted = (logs[0] + logs[1:].mean()) / 2
    assert loss_of("weighted_cross_entropy", reference, probability) == pytest.approx(weighted, rel=1e-5)
    focal = (np.array([0.5, 0.25, 0.25, 0.5]) ** 2 * logs).mean()
    assert loss_of("focal", reference, probability) == pytest.approx(focal, rel=1e-5)
    dice = 1 - 2 * 0.5 / (1 + 1.5)
    assert loss_of("dice", reference, probability) == pytest.approx(dice, rel=1e-5)
    both = logs.mean() + dice
    assert loss_of("cross_entropy_and_dice", reference, probability) == pytest.approx(both, rel=1e-5)
    # Found 0.5, missed 0.5, false 1.0.
    tversky = 1 - 0.5 / (0.5 + 0.7 * 0.5 + 0.3 * 1.0)
    assert loss_of("tversky", reference, probability) == pytest.approx(tversky, rel=1e-5)


def test_a_better_answer_costs_less_a_perfect_one_next_to_nothing_and_a_batch_without_lesion_a_number():
    reference = [1, 1, 0, 0, 0, 0]
    worse, better, best = [0.2, 0.2, 0.5, 0.1, 0.1, 0.1], [0.7, 0.6, 0.1, 0.1, 0.1, 0.1], [1, 1, 0, 0, 0, 0]
    for name in LOSSES:
        costs = [loss_of(name, reference, probability) for probability in (worse, better, best)]
        assert costs[0] > costs[1] > costs[2] and costs[2] < 1e-5, name
        assert np.isfinite(loss_of(name, [0, 0], [0.1, 0.2])), name


# --- wrong borders


def a_square(side=40, at=(10, 28)):
    mask = np.zeros((1, side, side), np.uint8)
    mask[0, at[0] : at[1], at[0] : at[1]] = 1
    return mask


@settings(max_examples=25)
@given(st.floats(0.5, 3), st.integers(0, 1000))
def test_only_the_neighbourhood_of_the_border_changes(pixels, seed):
    mask = a_square()
    changed = disturb_borders(mask, pixels, seed)[0] != mask[0]
    to_border = np.where(
        mask[0] > 0, ndimage.distance_transform_edt(mask[0]), ndimage.distance_transform_edt(1 - mask[0])
    )
    # A place is rounded to a pixel, half a pixel along each axis at most.
    assert to_border[changed].max(initial=0) <= 2 * pixels + np.sqrt(0.5)


def test_no_error_changes_nothing_and_a_seed_always_means_the_same():
    mask = a_square()
    np.testing.assert_array_equal(disturb_borders(mask, 0), mask)
    np.testing.assert_array_equal(disturb_borders(mask, 2, seed=5), disturb_borders(mask, 2, seed=5))
    assert (disturb_borders(mask, 2, seed=5) != disturb_borders(mask, 2, seed=6)).any()


@pytest.mark.parametrize("side, pixels, tolerance", [(18, 1.5, 0.03), (5, 2.0, 0.12)])
def test_a_lesion_neither_grows_nor_shrinks_on_the_whole_however_small(side, pixels, tolerance):
    mask = a_square(at=(11, 11 + side))
    areas = [disturb_borders(mask, pixels, seed).sum() for seed in range(100)]
    assert np.mean(areas) == pytest.approx(mask.sum(), rel=tolerance)
    assert np.std(areas) > 0


def test_a_border_stays_in_one_piece():
    pieces = [ndimage.label(disturb_borders(a_square(), 2, seed)[0])[1] for seed in range(20)]
    assert np.mean(pieces) < 1.5


def test_a_speck_outlives_a_large_error_and_an_empty_slice_stays_empty():
    masks = np.zeros((2, 30, 30), np.uint8)
    masks[0, 15, 15] = 1
    for seed in range(20):
        disturbed = disturb_borders(masks, 3, seed)
        assert disturbed[0].any() and not disturbed[1].any()
