"""Figures: what they say in words, which way up they draw, and which part of a slice they show."""

from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split
from covidlab.data.volumes import read_volume
from covidlab.plots import data
from covidlab.plots.slices import body_box, detail_box, outline_figure
from covidlab.plots.style import save

AIR, TISSUE = 0, 220  # uint8 on the [-1250, 250] HU scale; -300 HU is 162


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_planes_are_right_way_up_and_in_proportion(tmp_path):
    # Stored towards the right, the front and the head, 1 x 2 x 5 mm; one bright corner: right, front, head.
    voxels = np.full((6, 5, 4), -1000, np.int16)
    voxels[-1, -1, -1] = 250
    image = nib.Nifti1Image(voxels, np.diag([1.0, 2.0, 5.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "corner.nii.gz")
    figure = data.planes_figure(read_volume(tmp_path / "corner.nii.gz"), slice_=3, row=0, column=0)
    for axes, aspect, edges in zip(
        figure.axes, (2, 5, 2.5), ("front back right left", "head feet right left", "head feet front back")
    ):
        picture = axes.images[0].get_array()
        assert picture[0, 0] == 1 and np.count_nonzero(picture > 0.5) == 1
        assert axes.get_aspect() == aspect
        assert [text.get_text() for text in axes.texts] == edges.split()  # top, bottom, left, right
    assert figure.get_suptitle().startswith("voxel 1.0 x 2.0 x 5.0 mm")


def test_the_three_levels_of_detail_agree():
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4, 3:6] = 1
    figure = data.detail_figure(np.zeros((8, 8), np.uint8), mask, [(slice(2, 4), slice(3, 6))], "a case")
    assert titles(figure) == ["classification: lesion", "localisation: 1 box", "segmentation: 6 pixels"]
    box = figure.axes[1].patches[0]
    # Pixel centres are whole numbers, so a box goes half a pixel further.
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (2.5, 1.5, 3, 2)
    nothing = data.detail_figure(np.zeros((8, 8), np.uint8), 0 * mask, [], "a case")
    assert titles(nothing) == ["classification: no lesion", "localisation: 0 boxes", "segmentation: 0 pixels"]


def test_a_split_is_drawn_slice_by_slice():
    patients = np.array(["1", "1", "2", "2", "3"])
    cache = SliceCache(
        images=np.zeros((5, 4, 4), np.uint8), masks=np.zeros((5, 4, 4), np.uint8),
        cases=np.array(["1_1", "1_2", "2_1", "2_1", "3_1"]), patients=patients, z=np.array([0, 0, 0, 1, 0]),
        positive_pixels=np.array([0, 3, 0, 0, 0]), size=4, cohort="c", folder=Path("."),
    )  # fmt: skip
    leaking = Split(np.array([0, 3]), np.array([4]), np.array([1, 2]), "slice", 0)
    sound = Split(np.array([0, 1]), np.array([4]), np.array([2, 3]), "patient", 0)
    figure = data.split_figure(cache, [leaking, sound])
    assert titles(figure) == [
        "protocol slice: 2 patients in both train and test", "protocol patient: 0 patients in both train and test",
    ]  # fmt: skip
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["1_1", "1_2", "2_1", "3_1"]
    train, _, test = (lines.get_segments() for lines in figure.axes[0].collections)
    assert [tuple(ends[:, 0]) for ends in train] == [(0, 0), (1, 1)]  # z
    heights = [ends[1, 1] - ends[0, 1] for ends in test]
    assert heights[0] > heights[1]  # the slice with lesion


def test_the_body_is_the_largest_dense_piece_and_the_couch_below_it_is_not():
    slices = np.full((2, 64, 64), AIR, np.uint8)
    slices[0, 20:40, 10:50] = TISSUE
    slices[1, 22:44, 12:48] = TISSUE
    slices[:, 60, :] = TISSUE  # the couch
    assert body_box(slices) == (slice(18, 46), slice(8, 52))  # both slices, and two pixels around
    assert body_box(slices[:, 20:60, 10:50]) == (slice(0, 40), slice(0, 40))  # a cut-out is shown whole
    assert body_box(np.full((1, 64, 64), 162, np.uint8)) == (slice(0, 64), slice(0, 64))  # nothing is dense


def test_a_detail_holds_what_is_marked_in_the_proportion_of_the_whole_and_stays_inside_it():
    whole = slice(18, 46), slice(4, 60)  # 28 x 56
    marked = np.zeros((64, 64), bool)
    assert detail_box(marked, whole) == whole
    marked[30, 30] = True  # with four pixels on each side 9 high of 28: and so 18 of 56 wide
    assert detail_box(marked, whole) == (slice(26, 35), slice(21, 39))
    marked[19, 58] = True  # 20 of 28 high, 37 wide: pushed back into the whole at the top and at the right
    rows, columns = detail_box(marked, whole)
    assert (rows.start, rows.stop, columns.start, columns.stop) == (18, 38, 20, 60)


def test_a_name_with_dollars_is_drawn_as_it_is(tmp_path):
    figure = outline_figure(np.zeros((1, 16, 16), np.uint8), np.zeros((1, 16, 16)), ["a folder named $_$"])
    save(figure, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 0
