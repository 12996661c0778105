"""The lanes: what they set, what they say of a processor that cannot run them, and what becomes of a failed cell."""

import xml.etree.ElementTree as ElementTree

import pytest

from tools import processors


def test_a_lane_has_its_own_variables_and_none_of_the_others(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert "ONEDNN_MAX_CPU_ISA" not in processors.environment("default")
    assert processors.environment("sse41")["ONEDNN_MAX_CPU_ISA"] == "SSE41"
    assert processors.environment("4-threads")["TF_NUM_INTRAOP_THREADS"] == "4"


@pytest.mark.parametrize(
    "lane, has, by_default, words",
    [
        ("avx512", "Intel AVX2", "Intel AVX2", "has no AVX512_CORE"),
        ("avx2", "Intel AVX2", "Intel AVX2", "the same as default"),
        ("avx2", "Intel AVX2", "Intel AVX-512 with AVX512BW", ""),
        ("sse41", "Intel SSE4.1", "Intel AVX2", ""),
        ("sse41", "", "", "none of its own"),
        ("no-onednn", "", "Intel AVX2", ""),
    ],
)
def test_a_lane_that_says_nothing_new_says_why(monkeypatch, lane, has, by_default, words):
    monkeypatch.setattr(processors, "instructions", lambda asked: by_default if asked == "default" else has)
    reason = processors.why_not(lane)
    assert words in reason and bool(reason) == bool(words)


def test_failed_cells_are_counted_and_a_notebook_without_cells_has_failed():
    cells = ElementTree.fromstring('<x><c time="2"/><c time="3"><failure/></c><c time="4"><error/></c></x>')
    assert processors.outcome(list(cells)[:1]) == "1 passed, 2 s (longest cell 2 s)"
    assert processors.outcome(list(cells)) == "2 of 3 FAILED, 9 s (longest cell 4 s)"
    assert "FAILED" in processors.outcome([])
