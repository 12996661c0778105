"""The viewers' widgets: they follow their controls, publish what a notebook can store, and never fail unseen."""

import base64

import numpy as np
import pytest

from covidlab.plots import viewers
from covidlab.plots.viewers import Viewer, patch_picker, slice_viewer, threshold_viewer
from covidlab.plots.views import View

IMAGES = np.arange(3 * 16 * 16, dtype=np.uint8).reshape(3, 16, 16)
MASKS = np.zeros_like(IMAGES)
MASKS[2, :4, :4] = 1
TITLES = ["a, slice 0", "a, slice 1", "a, slice 2"]
ALT = "A slice with a lesion outlined."


def make(name):
    return {
        "slice viewer": lambda: slice_viewer(IMAGES, TITLES, MASKS, {"U-Net": MASKS}),
        "threshold viewer": lambda: threshold_viewer(IMAGES, MASKS, MASKS * 0.5, shown=2),
        "patch picker": lambda: patch_picker(IMAGES[2], MASKS[2], title="a, slice 2"),
    }[name]()


ALL = pytest.mark.parametrize("name", ["slice viewer", "threshold viewer", "patch picker"])


@pytest.fixture
def published(monkeypatch):
    """What a notebook would store: every display of a cell, in order."""
    outputs = []

    def publish(data, metadata=None, **_):
        outputs.append((data, metadata or {}))

    monkeypatch.setattr("IPython.display.publish_display_data", publish)
    return outputs


@ALL
def test_a_moved_control_changes_picture_and_words(name):
    viewer = make(name)
    slider = next(iter(viewer.controls.values()))
    slider.value = slider.min + slider.step
    before = bytes(viewer.picture.value), viewer.readout.value
    slider.value += slider.step
    after = bytes(viewer.picture.value), viewer.readout.value  # ipywidgets 8 gives a memory view
    assert after[0].startswith(b"\x89PNG")
    assert after[0] != before[0] and after[1] != before[1]


def test_the_level_reaches_both_ends_of_what_slices_hold():
    level = make("slice viewer").controls["level"]
    assert (level.min, level.max) == (-1250, 250)


def test_the_slice_viewer_starts_where_most_lesion_is():
    assert make("slice viewer").controls["number"].value == 2
    assert slice_viewer(IMAGES, TITLES).controls["number"].value == 1
    assert slice_viewer(IMAGES, TITLES, MASKS, start=0).controls["number"].value == 0


@ALL
def test_a_still_picture_comes_first_with_its_words(name, published, capsys):
    make(name).show(ALT)
    still, live = published
    assert still[1]["image/png"]["alt"] == ALT
    assert base64.b64decode(still[0]["image/png"]).startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"Still picture (the one below moves): {ALT}\n"
    assert live[0]["application/vnd.jupyter.widget-view+json"]["version_major"] == 2
    assert live[0]["text/plain"] == f"[{name}: run this notebook to move it]"


@ALL
def test_two_runs_store_the_same_words(name, published):
    for _ in range(2):
        make(name).show(ALT)
    assert [data["text/plain"] for data, _ in published[:2]] == [data["text/plain"] for data, _ in published[2:]]


@ALL
def test_showing_leaves_the_controls_where_they_start(name, published):
    viewer = make(name)
    before = {name: control.value for name, control in viewer.controls.items()}
    viewer.show(ALT)
    assert {name: control.value for name, control in viewer.controls.items()} == before
    assert viewer.readout.value


def test_a_callback_that_fails_at_the_end_of_a_slider_fails_the_cell(published, monkeypatch):
    # Nobody moves a slider under nbval, and Jupyter hides what a callback raises; so the cell itself has to fail.
    draw = viewers.slice_view

    def planted(series, number, **rest):
        if number == 0:
            raise RuntimeError("planted <fault>")
        return draw(series, number, **rest)

    monkeypatch.setattr(viewers, "slice_view", planted)
    viewer = make("slice viewer")
    with pytest.raises(RuntimeError, match="planted"):
        viewer.show(ALT)
    assert "This viewer failed:" in viewer.readout.value
    assert "RuntimeError: planted &lt;fault&gt;" in viewer.readout.value


def test_words_cannot_bring_markup_into_the_page():
    viewer = slice_viewer(IMAGES, ["<script>", "b", "c"])
    viewer.controls["number"].value = 0
    assert "<script>" not in viewer.readout.value


def test_every_control_is_of_the_core_and_takes_the_keyboard():
    names = {type(control).__name__ for name in ("slice viewer", "threshold viewer", "patch picker")
             for control in make(name).controls.values()}  # fmt: skip
    assert names == {"IntSlider", "Checkbox"}


def test_a_patch_picker_needs_a_reference_of_the_same_shape():
    with pytest.raises(ValueError, match="its reference"):
        patch_picker(IMAGES[0], MASKS[0, :8])


def test_a_viewer_draws_nothing_before_it_is_shown():
    def never(**_):
        raise AssertionError

    assert Viewer("a viewer", never, {}).picture.value == b""
    assert isinstance(make("patch picker").view(), View)
