"""Figures of data: what they say in words, and which way up they draw."""

from pathlib import Path

import nibabel as nib
import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split
from covidlab.data.volumes import read_volume
from covidlab.phantom.findings import Finding
from covidlab.plots import data


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_each_window_is_named_and_only_the_grey_differs():
    slice_ = np.array([[-1000, -500], [0, 400]], np.int16)
    figure = data.windows_figure(slice_, {"lung": (-500, 1500), "soft tissue": (40, 400)}, "a case, slice 1")
    assert titles(figure)[1] == "soft tissue: level 40 HU, width 400 HU"
    lung, soft = (axes.images[0].get_array() for axes in figure.axes)
    np.testing.assert_allclose(lung, [[1 / 6, 0.5], [5 / 6, 1]], atol=1e-6)
    np.testing.assert_allclose(soft, [[0, 0], [0.4, 1]], atol=1e-6)


def test_the_histogram_holds_shares_of_all_voxels():
    figure = data.hounsfield_figure(np.array([-1000, -1000, 0, 50]), {"air": (-1050, -950)}, "a case")
    values = figure.axes[0].patches[0].get_data().values
    assert np.nanmax(values) == 0.5 and np.nansum(values) == 1


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


def test_findings_are_named_under_what_they_are():
    findings = [Finding(name, np.zeros((10, 10)), np.zeros((10, 10), bool), 0.7) for name in ("healthy lung", "x")]
    figure = data.findings_figure(findings)
    assert titles(figure) == ["healthy lung", "x"]
    assert figure.get_suptitle().startswith("drawn, not scanned; 7 mm a side")
