import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from covidlab.evaluation.borders import answers_by_lesion, border_shares, single_lesions, surface_scores


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
    assert surface_scores(one, np.roll(other, 1, axis=1)).nsd < 1, "three pixels are more than the two of the default"


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
    deeper = reference.copy()
    deeper[0, 5, 6:8] = False  # beside the border
    deeper[0, 6:8, 6] = False  # further in
    assert border_shares(reference, deeper).missed_at_border == 2 / 4


def test_roughness_does_not_count_lesions_nor_specks_nor_look_across_slices():
    square = np.zeros((1, 30, 30), bool)
    square[0, 2:12, 2:12] = True
    many = np.concatenate([square | np.roll(square, 12, axis=1) | np.roll(square, 12, axis=2), square])
    many[1, 20:25, 20:25] = True  # 25 pixels, all but 9 of them border
    assert border_shares(many, np.concatenate([square, square])).roughness == 1
    many[0, 5:9, 5:9] = False  # one of four lesions is hollow, and half of lesions are no rougher than a square
    assert border_shares(np.concatenate([square, square]), many).roughness == 1
    corner = square | np.roll(square, (10, 10), axis=(1, 2))  # lesions that touch at a corner are two
    assert border_shares(square, corner).roughness == 1
    just = np.zeros((1, 30, 30), bool)
    just[0, 20:25, 20:26] = True  # 30 pixels: the least that counts, of which 18 are border
    assert border_shares(square, just).roughness == pytest.approx(18 / np.sqrt(30) / (36 / 10))
    just[0, 20, 20] = False
    assert np.isnan(border_shares(square, just).roughness)


def test_border_shares_of_nothing_are_not_defined():
    nothing, speck = np.zeros((1, 9, 9), bool), np.ones((1, 5, 5), bool)
    assert np.isnan(list(vars(border_shares(nothing, nothing)).values())).all()
    shares = border_shares(speck, speck)
    assert shares.area == 1 and np.isnan([shares.missed_at_border, shares.roughness]).all()


@settings(max_examples=25)
@given(hnp.arrays(np.uint8, (3, 8, 8), elements=st.integers(0, 1)))
def test_single_lesions_add_up_to_the_masks_and_each_is_one_piece(masks):
    lesions = single_lesions(masks)
    assert lesions.shape == (sum(ndimage.label(mask)[1] for mask in masks), 8, 8)
    assert lesions.sum() == masks.sum() and all(ndimage.label(lesion)[1] == 1 for lesion in lesions)


def test_a_piece_that_bridges_two_lesions_is_shared_out_and_its_false_pixels_count_once():
    references, predictions = np.zeros((2, 12, 20), bool), np.zeros((2, 12, 20), bool)
    references[1, 3:6, 2:5] = references[1, 3:6, 9:12] = True  # two lesions, four pixels apart
    references[1, 9:11, 16:18] = True  # a third, which no piece touches
    predictions[1, 3:6, 2:12] = True  # one piece over both, and the twelve pixels between them
    predictions[1, 8, 14] = True  # a speck, nearest to the third
    lesions, answers = single_lesions(references), answers_by_lesion(references, predictions)
    assert answers.shape == lesions.shape and answers.sum(axis=(1, 2)).tolist() == [15, 15, 0]
    assert (answers > lesions).sum(axis=(1, 2)).tolist() == [6, 6, 0], "the other lesion's pixels are not false"
    assert not (lesions > answers)[:2].any()
    # Each answer is 3 x 5, with a border of 12 pixels, and the lesion's has 8. Three of the 12 lie two pixels from the
    # lesion's border; no other pixel of either border lies further than one from the other.
    for lesion, answer in zip(lesions[:2], answers):
        assert surface_scores(lesion, answer, tolerance=1).nsd == pytest.approx((12 - 3 + 8) / 20)
        assert surface_scores(lesion, answer, tolerance=2).nsd == 1


@settings(max_examples=25)
@given(hnp.arrays(bool, (2, 8, 8)), hnp.arrays(bool, (2, 8, 8)))
def test_each_marked_pixel_belongs_to_one_lesion_at_most_and_none_is_lost_on_a_lesion(references, predictions):
    answers = answers_by_lesion(references, predictions)
    assert len(answers) == len(single_lesions(references))
    belongs = np.zeros(references.shape, int)
    at = np.concatenate([np.full(ndimage.label(mask)[1], k) for k, mask in enumerate(references)])
    np.add.at(belongs, at.astype(int), answers)
    assert belongs.max() <= 1 and (belongs <= predictions).all()
    assert (belongs[references] == predictions[references]).all()
