"""The viewers: numbers counted by hand, pictures looked at through their pixels, widgets that never fail unseen."""

import base64

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from covidlab.data.intensities import HIGHEST_HU, LOWEST_HU
from covidlab.plots.slices import LUNG_WINDOW
from covidlab.plots.style import FALSE, FOUND, MISSED, REFERENCE
from covidlab.plots.viewers import Viewer, patch_picker, slice_viewer, threshold_viewer

GREY = 60  # of all slices here; in the lung window a stored value keeps its grey
ALT = "A slice with a lesion outlined."

# Two slices of 16 x 16; the second has a bright pixel, and a lesion of 4 x 4, of which the model marks half, and as
# much beside it.
IMAGES = np.full((2, 16, 16), GREY, np.uint8)
IMAGES[1, 9, 3] = 160
MASKS = np.zeros_like(IMAGES)
MASKS[1, 4:8, 4:8] = 1
MARKED = {"U-Net": np.roll(MASKS, 2, axis=2)}
TITLES = ["a, slice 0", "a, slice 1"]


def leaf(titles=TITLES):
    return slice_viewer(IMAGES, titles, MASKS, MARKED, start=1)


def slide(images=IMAGES, references=MASKS, probabilities=0.9 * MASKS, shown=1):
    return threshold_viewer(images, references, probabilities, shown, TITLES[shown], chosen=0.4)


def pick(row=5, column=5):
    return patch_picker(IMAGES[1], MASKS[1], row, column, TITLES[1])


ALL = pytest.mark.parametrize("make", [leaf, slide, pick])


def drawn(viewer, **moved):
    """The pixels of what a viewer draws, and its words."""
    figure, words = viewer.draw(**{**{name: control.value for name, control in viewer.controls.items()}, **moved})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int), words


def panels(viewer, **moved):
    """The pixels of both panels of a viewer, without the titles above them: 0.3 inches at 100 dpi."""
    return np.hsplit(drawn(viewer, **moved)[0][30:], 2)


def amount(pixels, colour):
    """Pixels of about this colour: a line's, or three quarters of it over the slice."""
    line = np.array(list(bytes.fromhex(colour[1:])))
    wanted = line if colour == REFERENCE else 0.75 * line + 0.25 * GREY
    return int((np.abs(pixels - wanted).max(axis=2) < 12).sum())


@pytest.fixture
def published(monkeypatch):
    """What a notebook would store: every display of a cell, in order."""
    outputs = []

    def publish(data, metadata=None, **_):
        outputs.append((data, metadata or {}))

    monkeypatch.setattr("IPython.display.publish_display_data", publish)
    return outputs


def test_the_words_tell_slice_window_and_scores_and_never_nan():
    assert drawn(leaf())[1] == (
        "a, slice 1; window: level -500 HU, width 1500 HU; reference: 16 lesion pixels; "
        "U-Net: precision 0.50, recall 0.50, F1 0.50; green: found, pink: missed, yellow: marked falsely."
    )
    assert "U-Net: nothing to find, and nothing marked" in drawn(leaf(), number=0)[1]


def test_the_overlay_has_the_courses_colours_and_can_be_taken_away():
    (on, _), (off, words), (healthy, _) = drawn(leaf()), drawn(leaf(), overlay=False), drawn(leaf(), number=0)
    for colour in (REFERENCE, FOUND, MISSED, FALSE):
        assert amount(on, colour) > 0 == amount(off, colour) == amount(healthy, colour)
    assert "U-Net" not in words and "reference" not in words
    assert on.shape == off.shape  # the picture must not jump when masks come and go


@pytest.mark.parametrize(
    ("make", "sliders"),
    [
        (leaf, {"number": 0, "level": -1100, "width": 300}),
        (slide, {"step": -1}),
        (pick, {"row": 6, "column": 6}),
    ],
)
def test_each_slider_changes_each_panel_and_not_its_title_alone(make, sliders):
    bare = {name: False for name in ("overlay", "answer") if name in make().controls}  # masks would move, too
    before = panels(make(), **bare)
    for name, value in sliders.items():
        same = [(old == new).all() for old, new in zip(before, panels(make(), **bare, **{name: value}), strict=True)]
        assert same == [False, False], name


def test_the_window_is_at_first_the_one_that_slices_are_kept_in():
    level, width = LUNG_WINDOW
    assert (level - width / 2, level + width / 2) == (LOWEST_HU, HIGHEST_HU) == (-1250, 250)
    slider = leaf().controls["level"]
    assert (slider.min, slider.max, slider.value) == (-1250, 250, level)


def test_a_threshold_moves_the_mask_and_its_scores_pool_all_slices():
    probabilities = np.zeros(MASKS.shape)
    probabilities[1, 4:8, 4:12] = 0.3  # the lesion and as much again
    probabilities[1, 4:6, 4:8] = 0.9  # half of the lesion
    probabilities[0, 0, 0] = 0.9  # one false pixel on the other slice
    steps = slide().controls["step"].options
    assert ("0.4", 15) in steps and ("0.5", 17) in steps  # what validation chose has a step of its own
    low, high = (drawn(slide(probabilities=probabilities), step=step) for step in (12, 13))
    assert "threshold 0.2689: 32 pixels marked here; 2 slices, pooled: precision 0.48, recall 1.00, F1 0.65" in low[1]
    assert "threshold 0.3208: 8 pixels marked here; 2 slices, pooled: precision 0.89, recall 0.50, F1 0.64" in high[1]
    assert amount(low[0], FALSE) > 0 == amount(high[0], FALSE)


def test_a_patch_tells_the_class_of_its_centre_and_is_reflected_at_the_border():
    assert drawn(pick(5, 5), answer=True)[1] == (
        "a, slice 1, row 5, column 5: the centre is lesion; 16 of the patch's 121 pixels are lesion."
    )
    # Rows and columns from 7 on.
    assert "the centre is healthy; 1 of the patch's 121 pixels" in drawn(pick(12, 12), answer=True)[1]
    # The patch of the corner ends in row 5; rows 4 and 5 are seen again above the border, columns likewise: 4 x 4.
    assert "the centre is healthy; 16 of the patch's 121 pixels" in drawn(pick(0, 0), answer=True)[1]


def test_a_patch_keeps_its_answer_until_it_is_asked_for():
    (hidden, words), (told, _) = drawn(pick()), drawn(pick(), answer=True)
    assert words == "a, slice 1, row 5, column 5."
    half = hidden.shape[1] // 2
    assert amount(hidden[:, half:], REFERENCE) == 0 < amount(told[:, half:], REFERENCE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: leaf(titles=["one"]),
        lambda: slice_viewer(IMAGES, TITLES, MASKS[:, :8]),
        lambda: slice_viewer(IMAGES, TITLES, MASKS, {"U-Net": MASKS[:1]}),
        lambda: slide(probabilities=np.ones((2, 16, 15))),
        lambda: patch_picker(IMAGES[0], MASKS[0, :8], 0, 0, "a"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(make):
    with pytest.raises(ValueError, match="one shape|titles"):
        make()


@ALL
def test_a_moved_control_changes_picture_and_words(make):
    viewer = make()
    assert viewer.picture.value == ""  # nothing is drawn before it is shown
    slider = next(iter(viewer.controls.values()))
    steps = [step for _, step in slider.options] if hasattr(slider, "options") else range(slider.min, slider.max + 1)
    slider.value = steps[1]
    before = viewer.picture.value, viewer.readout.value
    slider.value = steps[0]
    after = viewer.picture.value, viewer.readout.value
    assert f'<img alt="{after[1]}"' in after[0]
    assert base64.b64decode(after[0].split("base64,")[1].split('"')[0]).startswith(b"\x89PNG")
    assert after[0] != before[0] and after[1] != before[1]
    # Of the core, and with a keyboard's arrows or space.
    assert {type(control).__name__ for control in viewer.controls.values()} <= {
        "IntSlider", "SelectionSlider", "Checkbox",
    }  # fmt: skip


@ALL
def test_a_still_picture_comes_first_and_two_runs_store_the_same_words(make, published):
    viewer = make()
    start = {name: control.value for name, control in viewer.controls.items()}
    viewer.show(ALT)
    make().show(ALT)
    still, caption, live, *second = published
    assert still[1]["image/png"]["alt"] == ALT
    assert base64.b64decode(still[0]["image/png"]).startswith(b"\x89PNG")
    assert caption[0]["text/markdown"] == f"*Still picture (run the cell, and it moves): {ALT}*"
    assert live[0]["application/vnd.jupyter.widget-view+json"]["version_major"] == 2
    assert live[0]["text/plain"] == f"[{viewer.name}: run this notebook to move it]"
    assert [one["text/plain"] for one, _ in (still, caption, live)] == [one["text/plain"] for one, _ in second]
    assert {name: control.value for name, control in viewer.controls.items()} == start and viewer.readout.value


def test_a_callback_that_fails_at_the_end_of_a_slider_fails_the_cell(published):
    # Nobody moves a slider under nbval, and Jupyter hides what a callback raises; so the cell itself has to fail.
    good = leaf()

    def planted(number, **rest):
        if number == 0:
            raise RuntimeError("planted <fault>")
        return good.draw(number, **rest)

    viewer = Viewer("slice viewer", planted, good.controls)
    with pytest.raises(RuntimeError, match="planted"):
        viewer.show(ALT)
    assert viewer.readout.value == "<b>This viewer failed:</b> RuntimeError: planted &lt;fault&gt;"


def test_words_cannot_bring_markup_into_the_page():
    viewer = leaf(titles=["<script>", "b"])
    viewer.controls["number"].value = 0
    assert "<script>" not in viewer.readout.value + viewer.picture.value
