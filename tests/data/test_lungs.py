import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from covidlab.data.lungs import lung_mask
from covidlab.data.lungs_found import Lungs, square, tone
from covidlab.phantom.scans import cohort_plans, make_scan
from tests.chest import BODY, COLUMNS, ROWS, chest, oval


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.fixture(scope="module")
def scan():
    """A phantom with many consolidations as displayed, HU, with its lungs and lesions."""
    drawn = make_scan(cohort_plans()[5])
    return [array.transpose(2, 1, 0)[:, ::-1, ::-1] for array in (drawn.image, drawn.lungs > 0, drawn.mask > 0)]


def test_the_lungs_of_a_phantom_are_found_with_its_lesions(scan):
    hu, lungs, lesions = scan
    found = lung_mask(hu)
    assert found.sides.dtype == np.uint8 and found.reason == ""
    assert dice(found.mask, lungs) > 0.93
    assert found.mask[lesions].mean() > 0.95
    # By its air alone a good part of what the course looks for is lost.
    assert (hu < -400)[lesions].mean() < 0.6


def test_each_lung_is_its_side_and_the_windpipe_is_neither():
    hu, truth = chest()
    found = lung_mask(hu)
    assert dice(found.mask, truth > 0) > 0.97
    assert np.array_equal(found.sides[found.mask & (truth > 0)], truth[found.mask & (truth > 0)])
    assert not found.mask[:, oval(0.4, 0.5, 0.03, 0.03)].any()


@pytest.mark.parametrize("side", (1, 2))
def test_one_lung_is_enough(side):
    hu, truth = chest(sides=(side,))
    assert np.unique(lung_mask(hu).sides).tolist() == [0, side]
    assert dice(lung_mask(hu).mask, truth > 0) > 0.97


@pytest.mark.parametrize("where", ((0.5, 0.17), (0.68, 0.28)), ids=("at the side", "at the back"))
def test_consolidation_at_the_wall_is_lung(where):
    hu, truth = chest()
    lesion = np.zeros_like(truth, bool)
    lesion[8:10, oval(*where, 0.07, 0.07)] = True
    lesion &= truth > 0
    hu[lesion] = 40
    assert lung_mask(hu).mask[lesion].mean() > 0.95


@pytest.mark.parametrize("first", (4, 10), ids=("to the foot", "in the middle"))
def test_a_back_that_is_dense_throughout_is_taken_back_where_air_shows_the_wall_elsewhere(first):
    hu, truth = chest()
    dense = np.zeros_like(truth, bool)
    dense[first : first + 6] = (truth[first : first + 6] > 0) & (ROWS > 0.61)
    hu[dense] = 40
    assert lung_mask(hu).mask[dense].mean() > 0.9


def test_what_lies_around_the_body_is_no_lung():
    hu, _ = chest()
    plain = lung_mask(hu)
    hu[:, ndimage.binary_dilation(BODY, iterations=6) & ~ndimage.binary_dilation(BODY, iterations=2)] = -850  # blanket
    table = slice(112, 118)
    hu[:, table], hu[:, 112:114], hu[:, 116:118] = -900, 100, 100
    hu[:, np.hypot(ROWS - 0.5, COLUMNS - 0.5) > 0.5] = -2048  # the field of view is a disc
    assert np.array_equal(lung_mask(hu).mask, plain.mask)


@settings(max_examples=5)
@given(st.integers(-6, 6), st.integers(-6, 6), st.integers(-3, 3))
def test_lungs_move_with_the_scan(across, down, up):
    hu, _ = chest()
    moved = np.roll(hu, (up, down, across), (0, 1, 2))
    assert np.array_equal(lung_mask(moved).sides, np.roll(lung_mask(hu).sides, (up, down, across), (0, 1, 2)))


def test_a_mirrored_scan_has_the_lungs_mirrored_and_their_sides_changed(scan):
    hu = scan[0]
    sides, mirrored = lung_mask(hu).sides, lung_mask(hu[:, :, ::-1]).sides[:, :, ::-1]
    assert (np.array([0, 2, 1], np.uint8)[sides] == mirrored).mean() > 0.9995


def test_other_scales_sizes_and_pixels_have_the_same_lungs(scan):
    hu = scan[0]
    plain = lung_mask(hu).mask
    grey = np.rint((np.clip(hu, -1250, 250) + 1250) / 1500 * 255).astype(np.uint8)
    assert np.array_equal(lung_mask(grey).mask, plain)
    large = lung_mask(hu.repeat(4, axis=1).repeat(4, axis=2)).mask
    assert large.shape[1:] == (512, 512) and dice(large[:, 2::4, 2::4], plain) > 0.98
    assert dice(lung_mask(hu[:, ::2], aspect=2.0).mask, plain[:, ::2]) > 0.95


@pytest.mark.parametrize("pad, aspect", (((38, 38, 38, 38), 1.0), ((70, 3, 0, 90), 1.0), ((38, 38, 38, 38), 2.0)))
def test_a_body_that_is_small_in_its_field_is_looked_at_closer(scan, pad, aspect):
    above, under, right, left = pad
    hu = scan[0][:, :: int(aspect)]
    plain = lung_mask(hu, aspect)
    assert plain.window == (slice(None), slice(None))
    small = lung_mask(np.pad(hu, ((0, 0), (above, under), (right, left)), constant_values=-1000), aspect)
    rows, columns = small.window
    # As wide as high in millimetres: a body's width, 0.85 of the field at least, of 128 pixels at most.
    assert 0.85 * 128 <= columns.stop - columns.start <= 130
    assert (rows.stop - rows.start) * aspect == pytest.approx(columns.stop - columns.start, abs=2 * aspect)
    inside = np.s_[:, above : above + hu.shape[1], right : right + hu.shape[2]]
    assert dice(small.mask[inside], plain.mask) > 0.97 and dice(small.near[inside], plain.near) > 0.97
    assert np.count_nonzero(small.mask) == np.count_nonzero(small.mask[inside])


@pytest.mark.parametrize("cut", (
    np.s_[:, :, 32:], np.s_[:, :, :96], np.s_[:, :, 30:98], np.s_[:, 46:], np.s_[:, :82], np.s_[:, 40:88, 24:104]
), ids=("right", "left", "both", "front", "back", "all around"))  # fmt: skip
def test_lungs_that_the_pictures_edge_cuts_open_are_found_as_far_as_they_go_and_that_is_said(scan, cut):
    hu, lungs, lesions = (one[cut] for one in scan)
    found = lung_mask(hu)
    assert dice(found.mask, lungs) > 0.9 and found.near[lesions].mean() > 0.97
    assert "ends within the lungs at its picture's edge" in found.findings[-1]


@pytest.mark.parametrize("padding", (-1024, -2048))
def test_lungs_that_a_round_field_of_view_cuts_open_are_found_and_that_is_said(scan, padding):
    hu, lungs, lesions = (one.copy() for one in scan)
    beyond = np.hypot(ROWS - 0.5, COLUMNS - 0.5) > 0.31
    hu[:, beyond], lungs[:, beyond], lesions[:, beyond] = padding, False, False
    found = lung_mask(hu)
    assert dice(found.mask, lungs) > 0.9 and found.near[lesions].mean() > 0.97
    assert "ends within the lungs at its picture's edge" in found.findings[-1]


def test_a_scan_that_begins_or_ends_within_the_lungs_says_so():
    hu, _ = chest()
    for part, ends in ((np.s_[:], ()), (np.s_[8:], ("lower end",)), (np.s_[:14], ("upper end",))):
        assert lung_mask(hu[part]).ends == ends
    assert "at its lower end and the upper end: shares are of the part" in lung_mask(hu[8:14]).findings[-1]


@pytest.mark.parametrize("value", (-1024, 0))
def test_blank_slices_at_the_ends_change_nothing_and_one_within_costs_itself_alone_and_is_said(scan, value):
    hu, plain = scan[0], lung_mask(scan[0])
    ends = lung_mask(np.pad(hu, ((4, 4), (0, 0), (0, 0)), constant_values=value))
    assert dice(ends.mask[4:-4], plain.mask) > 0.97 and ends.findings == ()
    middle, k = hu.copy(), len(hu) // 2
    middle[k] = value
    found = lung_mask(middle)
    assert np.delete(found.near, k, axis=0)[np.delete(scan[2], k, axis=0)].mean() > 0.97
    assert dice(np.delete(found.mask, k, axis=0), np.delete(plain.mask, k, axis=0)) > 0.95
    assert "slices without lung lie between others" in found.findings[-1]


def test_a_stomach_full_of_gas_is_no_lung_where_it_touches_one():
    hu, truth = chest()
    hu[:4, oval(0.5, 0.72, 0.2, 0.12)] = -1000  # right under the left one
    found = lung_mask(hu)
    assert dice(found.mask, truth > 0) > 0.97 and not found.mask[:3].any()


def test_lungs_that_are_both_nearly_full_and_lungs_without_a_chest_are_told():
    hu, truth = chest()
    hu[(truth > 0) & (ROWS < 0.59)] = 40
    assert "both, mask and shares lack" in lung_mask(hu).findings[-1]
    hu[(truth == 1) | (ROWS < 0.61) & (truth > 0)] = 40
    assert lung_mask(hu).reason.startswith("no chest in the field, or lungs nearly without air")
    assert "the scan is blackened" in Lungs(truth, truth > 0, "", air=0.7).findings[-1]


def test_one_slice_will_do():
    hu, truth = chest()
    assert dice(lung_mask(hu[10:11]).mask, truth[10:11] > 0) > 0.97


def test_where_there_are_none_the_mask_is_empty_and_says_why():
    hu, _ = chest(sides=())
    hu[:, oval(0.35, 0.6, 0.08, 0.12)] = -1000  # gas in the bowel
    for slices, reason in ((hu, "no lungs in the field"), (np.full_like(hu, -1000), "no body in the field")):
        found = lung_mask(slices)
        assert found.sides.shape == hu.shape and not found.mask.any() and found.reason.startswith(reason)


def test_a_lesion_may_reach_two_pixels_beyond_the_lungs_and_no_farther():
    hu, _ = chest()
    found = lung_mask(hu)
    away = ndimage.distance_transform_edt(~found.mask, (1000, 1, 1))
    assert np.array_equal(found.near, away <= 2)
    large = lung_mask(hu.repeat(4, axis=1).repeat(4, axis=2))  # pixels of the grid, not of the scan
    assert dice(large.near[:, 2::4, 2::4], found.near) > 0.99


def test_what_is_marked_has_a_share_of_each_lung():
    hu, _ = chest()
    found = lung_mask(hu)
    right, left = found.sides == 1, found.sides == 2
    marked = right & (ROWS > 0.5)
    marked[:4] = True  # below the lungs
    assert found.involvement(marked) == {"right": np.count_nonzero(right & (ROWS > 0.5)) / np.count_nonzero(right),
                                         "left": 0.0}  # fmt: skip
    assert found.involvement(left) == {"right": 0.0, "left": 1.0}
    alone = lung_mask(chest(sides=(2,))[0])
    assert alone.involvement(left) == {"left": pytest.approx(1.0)}


@pytest.mark.parametrize("lowest, told", ((4, "not found"), (12, "of the left one's size"), (20, None)))
def test_a_lung_that_is_dense_in_whole_or_half_is_missed_and_that_is_said(lowest, told):
    hu, truth = chest()
    hu[4:lowest][truth[4:lowest] == 1] = -850
    hu[lowest:20][truth[lowest:20] == 1] = 40
    (*findings,) = lung_mask(hu).findings
    assert ["the right lung is" in one and told in one for one in findings] == ([True] if told else [])


@pytest.mark.parametrize("depth, told", ((0.05, []), (0.4, ["right", "left"])))
def test_fluid_at_the_back_of_both_lungs_is_missed_and_that_is_said(depth, told):
    hu, truth = chest()
    hu[(truth > 0) & (ROWS > 0.72 - 0.44 * depth)] = 10
    found = lung_mask(hu)
    assert [side for side, one in zip(("right", "left"), found.findings) if f"behind the {side} lung" in one] == told
    assert len(found.findings) == len(told) and found.walls.keys() == {"right", "left"}
    lowest, back = (np.where(mask, ROWS, 0).max(axis=0) for mask in (found.mask.any(axis=0), BODY))
    behind = np.median((back - lowest)[lowest > 0]) / (np.ptp(ROWS[BODY]) + 1 / 128)
    assert found.walls == pytest.approx(dict.fromkeys(("right", "left"), behind), abs=0.01)


@pytest.mark.parametrize("holes, darker", ((0.3, 0), (0.3, 100), (0.0, 100)))
def test_lungs_that_are_thin_as_gas_in_many_places_are_no_bowel(scan, holes, darker):
    hu, lungs, _ = scan
    hu, core = hu.copy(), ndimage.binary_erosion(lungs, np.ones((1, 3, 3)))
    hu[core] = np.maximum(hu[core] - darker, -1020)
    field = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=hu.shape), (1, 1.5, 1.5))
    hu[core & (field > np.quantile(field[core], 1 - holes))] = -980
    assert dice(lung_mask(hu).mask, lungs) > 0.9


def test_a_belly_whose_scan_takes_in_the_foot_of_the_lungs_is_no_chest():
    hu, _ = chest()
    for z in range(4, 10):  # the dome of the diaphragm, with a crescent of lung behind it
        hu[z, BODY & (ROWS < 0.68 - 0.015 * (z - 4))] = 40
    assert lung_mask(hu[:9]).reason.startswith("no chest in the field: an end of the lungs alone, at most 7%")
    assert lung_mask(hu).reason == "" == lung_mask(hu[:14]).reason


def test_a_single_picture_is_refused():
    with pytest.raises(ValueError, match="three axes"):
        lung_mask(np.zeros((8, 8)))


def test_healthy_lung_is_brought_to_the_grey_that_weights_know_and_soft_tissue_stays():
    slices = np.full((2, 4, 4), 60, np.uint8)  # -897 HU
    slices[1] = 221  # 50 HU: a lesion's, and no part of the median
    lungs = Lungs(np.ones(slices.shape, np.uint8), np.ones(slices.shape, bool), "")
    greys = tone(slices, lungs, level=1 / 3)  # -750 HU, 147 higher; it moves by 1 - 147 / 450 of that, to -798 HU
    assert (greys[60], greys[221], greys[255]) == (77, 221, 255) and (np.diff(greys.astype(int)) >= 0).all()
    at_home = tone(slices, lungs, level=60 / 255)
    np.testing.assert_array_equal(at_home, np.arange(256))
    np.testing.assert_array_equal(tone(slices * 0 + 221, lungs, level=1 / 3), np.arange(256))


def test_lungs_of_a_scan_of_a_few_pixels_that_are_both_rounded_away_are_told_as_not_found():
    nothing = np.zeros((1, 7, 7), np.uint8)
    (told,) = Lungs(nothing, nothing > 0, "", walls={"right": 0.03, "left": 0.03}).findings
    assert "lung is not found" in told


@pytest.mark.parametrize(
    "rows, columns, expected",
    (
        ((20, 60), (10, 110), ((0, 114), (3, 117))),  # 100 / 0.875 is 114, and no row lies before the first
        ((60, 70), (60, 80), ((17, 113), (22, 118))),  # no nearer than three quarters of the grid
        ((0, 120), (4, 100), ((0, 128), (0, 128))),  # large lungs are seen as they lie
    ),
)
def test_the_square_that_lungs_fill_to_a_share(rows, columns, expected):
    near = np.zeros((128, 128), bool)
    near[slice(*rows), columns[0]] = near[rows[0], slice(*columns)] = True
    assert square(near, 7 / 8) == tuple(slice(*ends) for ends in expected)
