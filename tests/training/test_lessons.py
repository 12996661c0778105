"""The networks that come along: found by their configs, and as good on this machine as where they were trained."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from covidlab.data.cohorts import open_cohort
from covidlab.data.slices import open_slice_cache
from covidlab.training.lessons import LESSONS, beside_ours, kept_runs, lesson_run
from covidlab.training.thresholds import count_slices
from studies.lessons import CONTEST, LONG

ALL = LONG | CONTEST


@cache
def phantom(size):
    return open_slice_cache(open_cohort(), size=size)


@pytest.mark.parametrize("name", ALL)
def test_a_lesson_s_run_comes_along_and_scores_here_as_it_did_there(name):
    slices = phantom(ALL[name].grid)
    run = lesson_run(ALL[name], slices)
    # A copy: what is written beside it does not touch the package.
    assert run.folder.name in kept_runs() and run.folder.parent != LESSONS
    assert run.warning == ""
    segmenter = run.segmenter
    test = run.config.split(slices).test
    found = count_slices(segmenter.network, slices, test, np.array([segmenter.threshold]))[0]
    assert found.f1 == pytest.approx(run.counts["test"].f1, abs=0.005)


def test_nothing_else_lies_beside_them_and_each_is_small():
    assert set(kept_runs()) == {name.lower().replace(" ", "-") for name in ALL}
    assert {path.name for path in LESSONS.iterdir()} == {"runs.json", *(f"{name}.weights.h5" for name in kept_runs())}
    for name, kept in kept_runs().items():
        assert (LESSONS / f"{name}.weights.h5").stat().st_size < 3e6 and "slices" not in kept["config"]


def test_another_config_is_trained(monkeypatch):
    asked = []
    monkeypatch.setattr("covidlab.training.lessons.run_experiment", lambda *what: asked.append(what) or "trained")
    config = replace(ALL["light U-Net"], seed=1)
    assert lesson_run(config, phantom(128)) == "trained"
    assert asked[0][0] == config


def test_a_reader_s_numbers_stand_behind_a_tilde():
    run = lesson_run(ALL["cross-entropy"], phantom(64))
    lines = beside_ours({"cross-entropy": run}, {"cross-entropy": run}).splitlines()
    assert lines[0] == "| F1 | train | validation | test | threshold |"
    assert lines[2].startswith("| cross-entropy, ours, 180 updates | 0.") and "~" not in lines[2]
    assert lines[3].startswith("| cross-entropy, yours, 180 updates | ~0.") and lines[3].count("~") == 4
