"""Which part of a slice is shown: boxes found by hand."""

import numpy as np

from covidlab.plots.slices import body_box, detail_box, outline_figure
from covidlab.plots.style import save

AIR, TISSUE = 0, 220  # uint8 on the [-1250, 250] HU scale; -300 HU is 162


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
