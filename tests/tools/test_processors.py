"""The lanes: what they set, and what becomes of a failed cell; and where the trainings that run in them have to end."""

import xml.etree.ElementTree as ElementTree

from tools import processors
from tools.trained_numbers import faults


def test_a_lane_has_its_own_variables_and_none_of_the_others(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert "ONEDNN_MAX_CPU_ISA" not in processors.environment("default")
    assert processors.environment("sse41")["ONEDNN_MAX_CPU_ISA"] == "SSE41"
    assert processors.environment("4-threads")["TF_NUM_INTRAOP_THREADS"] == "4"


def test_a_lane_that_says_nothing_new_says_why(monkeypatch):
    for lane, has, by_default, words in (
        ("avx512", "Intel AVX2", "Intel AVX2", "has no AVX512_CORE"),
        ("avx2", "Intel AVX2", "Intel AVX2", "the same as default"),
        ("avx2", "Intel AVX2", "Intel AVX-512 with AVX512BW", ""),
        ("sse41", "Intel SSE4.1", "Intel AVX2", ""),
        ("sse41", "", "", "none of its own"),
        ("no-onednn", "", "Intel AVX2", ""),
    ):
        said = {lane: has, "default": by_default}
        monkeypatch.setattr(processors, "instructions", said.get)
        reason = processors.why_not(lane)
        assert words in reason and bool(reason) == bool(words), lane


def test_failed_cells_are_counted_and_a_notebook_without_cells_has_failed():
    cells = ElementTree.fromstring('<x><c time="2"/><c time="3"><failure/></c><c time="4"><error/></c></x>')
    assert processors.outcome(list(cells)[:1]) == "1 passed, 2 s (longest cell 2 s)"
    assert processors.outcome(list(cells)) == "2 of 3 FAILED, 9 s (longest cell 4 s)"
    assert "FAILED" in processors.outcome([])


def test_numbers_behind_a_tilde_have_to_lie_where_such_trainings_ended():
    table = [
        {"recipe": "light U-Net", "train_f1": "0.80", "validation_f1": "0.70", "test_f1": "0.60"},
        {"recipe": "light U-Net", "train_f1": "0.90", "validation_f1": "0.75", "test_f1": "0.65"},
    ]
    ours = "| light U-Net, ours, 3,000 updates | 0.99 | 0.99 | 0.99 | 0.5 |\n"
    for row, wrong in {
        "| light U-Net, yours, 300 updates | ~0.85 | ~0.72 | ~0.62 | ~0.5 |": [],
        "| light U-Net, yours, 300 updates | ~0.71 | ~0.84 | ~0.74 | ~0.5 |": [],  # within the margin
        "| light U-Net, yours, 300 updates | ~0.85 | ~0.72 | ~0.45 | ~0.5 |": ["test_f1 0.45"],
        "| light U-Net, yours, 300 updates | ~0.00 | ~0.00 | ~nan | ~0.5 |": ["train_f1", "validation_f1", "test_f1"],
        "| heavy U-Net, yours, 300 updates | ~0.85 | ~0.72 | ~0.62 | ~0.5 |": ["no recipe"],
    }.items():
        found = faults(ours + row, table)
        assert len(found) == len(wrong), row
        assert all(words in fault for words, fault in zip(wrong, found))
