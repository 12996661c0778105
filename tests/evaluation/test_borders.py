import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from covidlab.evaluation.borders import border_shares, surface_scores


def by_brute_force(reference, prediction, spacing, tolerance):
    """Every border pixel against every other: a second implementation."""

    def edge(mask):
        padded = np.pad(mask, 1)
        steps = [sign * axis for axis in np.eye(mask.ndim, dtype=int) for sign in (1, -1)]
        inner = [all(padded[tuple(place + 1 + step)] for step in steps) for place in np.argwhere(mask)]
        return np.argwhere(mask)[~np.array(inner)] * spacing

    one, other = edge(reference), edge(prediction)
    apart = np.sqrt(((one[:, None] - other[None]) ** 2).sum(axis=-1))
    distances = np.concatenate([apart.min(axis=1), apart.min(axis=0)])
    return np.percentile(distances, 95), np.mean(distances <= tolerance)


masks = hnp.arrays(bool, (7, 6))


@settings(max_examples=60)
@given(masks, masks, st.sampled_from([(1.0, 1.0), (0.5, 2.0)]))
def test_scores_equal_those_of_a_second_implementation(reference, prediction, spacing):
    if not reference.any() or not prediction.any():
        return
    scores = surface_scores(reference, prediction, spacing, tolerance=1.0)
    assert (scores.hd95, scores.nsd) == pytest.approx(by_brute_force(reference, prediction, np.array(spacing), 1.0))


def test_a_volume_is_scored_like_a_slice():
    random = np.random.default_rng(0)
    one, other = random.random((2, 4, 5, 6)) > 0.5
    scores = surface_scores(one, other, (3.0, 1.0, 1.0), tolerance=1.5)
    expected = by_brute_force(one, other, np.array([3.0, 1.0, 1.0]), 1.5)
    assert (scores.hd95, scores.nsd) == pytest.approx(expected)


def test_a_square_moved_by_two_pixels_by_hand():
    one, other = np.zeros((10, 12), bool), np.zeros((10, 12), bool)
    one[2:5, 2:5], other[2:5, 4:7] = True, True
    # Each border has 8 pixels. Distances to the other: columns 2, 1, 0 pixels away, three, two and three of them.
    scores = surface_scores(one, other, tolerance=1)
    assert scores.nsd == pytest.approx(10 / 16) and scores.hd95 == 2
    assert surface_scores(one, other).nsd == surface_scores(one, other, spacing=0.1, tolerance=0.2).nsd == 1


@settings(max_examples=30)
@given(masks, masks)
def test_neither_order_nor_place_matters_and_equal_masks_agree_wholly(one, other):
    placed = [np.pad(mask, ((3, 9), (11, 2))) for mask in (one, other)]
    assert surface_scores(*placed) == surface_scores(one, other) == surface_scores(other, one)
    same = surface_scores(one, one)
    assert (same.hd95, same.nsd) == (0, 1)


def test_empty_masks_have_an_answer_that_is_written_down():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    assert (surface_scores(empty, empty).hd95, surface_scores(empty, empty).nsd) == (0, 1)
    assert (surface_scores(full, empty).hd95, surface_scores(full, empty).nsd) == (np.inf, 0)


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="must be equal"):
        surface_scores(np.ones((2, 2)), np.ones((2, 3)))


def test_a_smaller_smoother_region_is_called_so():
    reference = np.zeros((1, 20, 20), bool)
    reference[0, 4:14, 4:14] = True
    inner = np.zeros_like(reference)
    inner[0, 5:13, 5:13] = True
    shares = border_shares(reference, inner)
    # 64 of 100 pixels; all misses on the border; 28 border pixels over 8 against 36 over 10.
    assert (shares.area, shares.missed_at_border) == (0.64, 1.0)
    assert shares.roughness == pytest.approx((28 / 8) / (36 / 10))
    hollow = reference.copy()
    hollow[0, 8:10, 8:10] = False
    shares = border_shares(reference, hollow)
    assert shares.missed_at_border == 0 and shares.roughness > 1


def test_roughness_does_not_count_lesions_nor_specks_nor_look_across_slices():
    square = np.zeros((1, 30, 30), bool)
    square[0, 2:12, 2:12] = True
    many = np.concatenate([square | np.roll(square, 12, axis=1) | np.roll(square, 12, axis=2), square])
    many[1, 20:25, 20:25] = True  # 25 pixels, all but 9 of them border
    assert border_shares(many, np.concatenate([square, square])).roughness == 1
    many[0, 5:9, 5:9] = False  # one of four lesions is hollow, and half of lesions are no rougher than a square
    assert border_shares(np.concatenate([square, square]), many).roughness == 1


def test_border_shares_of_nothing_are_not_defined():
    nothing, speck = np.zeros((1, 9, 9), bool), np.ones((1, 5, 5), bool)
    assert np.isnan(list(vars(border_shares(nothing, nothing)).values())).all()
    shares = border_shares(speck, speck)
    assert shares.area == 1 and np.isnan([shares.missed_at_border, shares.roughness]).all()
