import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidlab.data.cohorts import read_cohort
from covidlab.data.slices import grid_spacing, open_slice_cache
from covidlab.errors import CovidlabError
from covidlab.evaluation.borders import surface_scores
from covidlab.evaluation.counts import Counts
from covidlab.models.segmenter import Segmenter
from covidlab.models.weights_file import WeightsInfo
from covidlab.training.recipe import Config
from covidlab.training.report import case_rows, judge_weights
from covidlab.training.runs import rounded
from studies.report import border_summary, nsd_tolerance, report_rows, report_run, slice_borders
from studies.tables import over_seeds
from tests.chest import chest, write_chest
from tests.conftest import SIDE, SLICES, marks_bright_pixels, untrained_run, write_scan

MEAN_NSD = "NSD at 3 mm, at least 2 px, mean over positive slices"


@pytest.fixture(scope="module")
def three_patients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three patients")
    for seed, name in enumerate(("ada", "bea", "cleo")):
        write_scan(folder, name, seed)
    return read_cohort(folder)


@pytest.fixture(scope="module")
def known(three_patients, tmp_path_factory):
    """A finished run by patient, its cache and its spacings."""
    cache = open_slice_cache(three_patients, SIDE, tmp_path_factory.mktemp("cache"))
    config = Config(
        cohort=three_patients.name, grid=SIDE, protocol="patient", seed=0, options={"widths": (2, 3, 4)},
        test_patients=("cleo",),
    )  # fmt: skip
    run = untrained_run(config, cache, tmp_path_factory.mktemp("run"))
    return run, cache, {case.name: grid_spacing(case, SIDE) for case in three_patients.cases}


def test_a_report_agrees_with_the_run_and_with_its_own_lines(known):
    run, cache, spacings = known
    found = report_run(run, cache, spacings)
    strict = json.loads((run.folder / "evaluation.json").read_text(), parse_constant=pytest.fail)
    assert strict == json.loads(json.dumps(found))
    with (run.folder / "slices.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(cache) == 3 * SLICES
    for part, counts in run.counts.items():
        own = [line for line in lines if line["part"] == part]
        assert Counts(*(sum(int(line[name]) for line in own) for name in ("tp", "fp", "fn", "tn"))) == counts
        assert found["parts"][part]["pooled"]["accuracy"] == pytest.approx(counts.accuracy, abs=1e-6)
    test = found["parts"]["test"]  # write_scan leaves every third slice without lesion
    assert test["negative_slices"]["slices"] == SLICES // 3
    assert test["borders"]["mm"]["positive_slices"] == 2 * SLICES // 3
    assert set(test["f1_by_volume"]) == set(test["volume_borders_in_mm"]) == {"cleo"}


def test_the_table_names_the_unit_and_has_a_column_a_part(known):
    run, cache, spacings = known
    rows = report_rows(report_run(run, cache, spacings))
    assert all(set(row) == {"", "train", "validation", "test"} for row in rows)
    labels = [row[""] for row in rows]
    assert {MEAN_NSD, "NSD at 3 mm, at least 2 px, in space, mean over whole volumes"} <= set(labels)
    unknown = [row[""] for row in report_rows(report_run(run, cache))]
    assert "NSD at 2 px, mean over positive slices" in unknown and not any("mm" in label for label in unknown)


def test_several_seeds_stand_as_mean_and_range(known):
    run, cache, spacings = known
    first = report_run(run, cache, spacings)
    second = json.loads(json.dumps(first))
    second["parts"]["test"]["pooled"]["precision"] = 0.5
    first["parts"]["test"]["pooled"]["precision"] = 0.25
    second["parts"]["test"]["borders"]["mm"] |= {"nsd_mean": 1.0, "hd95_quartiles": [None, None, None]}
    first["parts"]["test"]["borders"]["mm"] |= {"nsd_mean": 0.0, "hd95_quartiles": [1.0, 2.0, 3.0]}
    table = {row["measure"]: row["light_unet"] for row in over_seeds({"light_unet": [first, second]})}
    assert table["precision"] == "0.375 (0.250 to 0.500)"
    assert table[MEAN_NSD] == "0.500 (0.000 to 1.000)"
    assert table["HD95, mm, median over positive slices"] == "2.0", "an infinite distance has no mean"
    first["parts"]["test"]["borders"] = {"pixels": first["parts"]["test"]["borders"]["mm"]}
    assert not any("NSD" in row["measure"] for row in over_seeds({"light_unet": [first, second]}))


def test_another_cohort_than_the_runs_is_refused(known, tmp_path):
    run, _, _ = known
    for seed, name in enumerate(("ada", "bea", "cleo")):
        write_scan(tmp_path / "other", name, seed, slices=SLICES + 3)
    other = open_slice_cache(read_cohort(tmp_path / "other"), SIDE, tmp_path / "cache")
    with pytest.raises(CovidlabError, match="as the run was scored with"):
        report_run(run, other)


def test_weights_are_judged_on_all_they_mark_and_on_what_lies_in_the_lungs(tmp_path):
    hu, _ = chest()
    hu[8:12, 60:68, 30:40] = hu[8:12, 60:68, 62:66] = 240  # a lesion, and something between the lungs
    write_scan(tmp_path, "one", slices=24, side=128)
    write_chest(tmp_path / "images" / "one.nii.gz", hu)
    hu[hu < 240] = 0
    hu[:, :, 62:66] = 0
    write_chest(tmp_path / "masks" / "one.nii.gz", (hu > 0).astype(np.uint8))
    alone, within = judge_weights(
        Segmenter(marks_bright_pixels(), WeightsInfo("light_unet", 128, 0.5, "nothing")),
        open_slice_cache(read_cohort(tmp_path), 128, tmp_path / "cache"),
    )
    assert (alone.pooled().tp, alone.pooled().fp, alone.pooled().fn) == (320, 4 * 8 * 4, 0)
    assert (within.pooled().tp, within.pooled().fp, within.pooled().fn) == (320, 0, 0)
    rows = {row["case"]: row["precision"] for row in case_rows(alone, within=within)}
    assert rows["all, pooled"] == "0.714" and rows["all, inside the lungs"] == "1.000"


def test_borders_are_in_millimetres_where_known_and_a_slice_left_blank_is_infinitely_far(cache):
    marked = np.roll(cache.masks, 2, axis=2).astype(bool)  # every lesion two columns to the right
    cases = list(dict.fromkeys(cache.cases.tolist()))
    blank = np.flatnonzero(cache.positive & (cache.cases == cases[2]))
    marked[blank] = False
    hd95, nsd, units = slice_borders(cache, marked, {cases[0]: (5.0, 2.5, 2.5), cases[1]: None})
    assert np.isnan(hd95[~cache.positive]).all()
    for case, unit, distance in ((cases[0], "mm", 5.0), (cases[1], "pixels", 2.0)):
        which = np.flatnonzero(cache.positive & (cache.cases == case))
        assert set(units[which]) == {unit} and (hd95[which] == distance).all()
    seen = border_summary(hd95[cache.positive], nsd[cache.positive], units[cache.positive])
    assert (seen["mm"]["nothing_marked"], seen["mm"]["hd95_quartiles"]) == (0, (5, 5, 5))
    assert seen["pixels"]["nothing_marked"] == len(blank) and seen["pixels"]["hd95_quartiles"][2] == np.inf
    assert rounded(seen)["pixels"]["hd95_quartiles"][2] is None, "JSON knows no infinity"
    assert (nsd[cache.positive & ~np.isin(np.arange(len(cache)), blank)] == 1).all(), "two columns"


@given(st.integers(50, 800), st.floats(1, 10))
def test_a_shift_by_two_pixels_is_tolerated_whatever_the_zoom_and_one_by_more_than_3_mm_is_not(hundredths, apart):
    pixel, stripe = hundredths / 100, np.zeros((40, 5), bool)
    stripe[3] = True

    def nsd(shift):
        moved = np.roll(stripe, shift, axis=0)
        return surface_scores(stripe, moved, (pixel, pixel), nsd_tolerance((apart, pixel, pixel))).nsd

    far = max(3, 300 // hundredths + 1)
    assert [nsd(1), nsd(2), nsd(far)] == [1, 1, 0] and nsd(far - 1) == 1
