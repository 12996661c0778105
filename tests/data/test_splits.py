from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidlab import paper
from covidlab.data.splits import (
    PARTS,
    leak_sentence,
    make_split,
    patient_folds,
    shared_patients,
    split_by_patient,
    split_by_slice,
)
from covidlab.errors import CovidlabError

RECORD = np.repeat(["4", "7", "10", "14", "27", "29", "36", "40"], [39, 45, 457, 110, 66, 84, 45, 93])


def covers_everything_once(split, slices):
    together = np.concatenate([split.part(part) for part in PARTS])
    return sorted(together) == list(range(slices))


def test_the_papers_shares_of_its_939_slices():
    sizes = [len(split_by_slice(paper.SLICES).part(part)) for part in PARTS]
    assert sizes == [718, 80, 141]  # 15 % of 939 is 140.85; 10 % of the other 798 is 79.8
    tests = [split_by_slice(paper.SLICES, *seed).test for seed in ((), (0,), (1,))]
    assert np.array_equal(tests[0], tests[1]) and not np.array_equal(tests[1], tests[2])


@given(st.integers(3, 500), st.integers(0, 50))
def test_a_slice_split_is_disjoint_complete_and_seeded(slices, seed):
    split = split_by_slice(slices, seed)
    assert covers_everything_once(split, slices)
    assert all(len(split.part(part)) for part in PARTS)
    assert np.array_equal(split.train, split_by_slice(slices, seed).train)


def test_a_patient_split_holds_out_whole_patients():
    split = split_by_patient(RECORD, ["10", "14"], seed=0)
    assert covers_everything_once(split, len(RECORD))
    assert set(RECORD[split.test]) == {"10", "14"}
    assert shared_patients(split, RECORD) == {"validation": (), "test": ()}
    # The seed's choice is the same on every machine.
    assert [sorted(set(RECORD[split_by_patient(RECORD, ["10", "14"], seed).validation])) for seed in (0, 1)] == [
        ["36", "4"], ["27", "40"],
    ]  # fmt: skip


def test_a_tenth_of_the_slices_validates_and_two_patients_where_at_least_three_are_left_to_train():
    of_one_slice = np.arange(45).astype(str)
    assert [len(split_by_patient(of_one_slice, of_one_slice[:5], seed).validation) for seed in range(3)] == [4] * 3
    assert [len(split_by_patient(of_one_slice[:20], ["0"], seed).validation) for seed in range(3)] == [2] * 3
    five, four = np.repeat(list("abcdef"), 9), np.repeat(list("abcde"), 9)
    assert [len(set(five[split_by_patient(five, ["f"], seed).validation])) for seed in range(5)] == [2] * 5
    assert [len(set(four[split_by_patient(four, ["e"], seed).validation])) for seed in range(5)] == [1] * 5


@given(
    st.lists(st.sampled_from("abcdef"), min_size=8, max_size=60).filter(lambda p: len(set(p)) >= 3), st.integers(0, 9)
)
def test_a_patient_split_never_leaks(patients, seed):
    split = split_by_patient(patients, [patients[0]], seed)
    assert covers_everything_once(split, len(patients))
    assert all(len(split.part(part)) for part in PARTS)
    assert "never seen in training" in leak_sentence(split, patients)


@given(st.integers(2, 8))
def test_folds_hold_every_patient_once(folds):
    dealt = patient_folds(RECORD, folds)
    assert sorted(patient for fold in dealt for patient in fold) == sorted(set(RECORD))
    assert all(dealt) and len(dealt) == folds
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_the_largest_patients_are_dealt_first_and_the_next_where_there_are_fewest_slices():
    # By hand: 457, 110, 93 and 84 slices begin a fold each; 66 go to 84, 45 to 93 and 45 to 110, 39 to 457.
    assert patient_folds(RECORD) == [("10", "4"), ("14", "7"), ("36", "40"), ("27", "29")]
    # Among equals a shuffle decides, on every machine alike.
    assert patient_folds(list("abcdef"), 3) == [("d", "e"), ("a", "c"), ("b", "f")]


def test_a_slice_split_of_the_record_is_said_to_leak():
    split = split_by_slice(len(RECORD))
    assert leak_sentence(split, RECORD) == (
        "protocol slice LEAKS: 8 of the 8 test patients have slices in training, too, so these scores do not say how a "
        "new patient would fare"
    )
    assert shared_patients(split, RECORD)["test"] == ("10", "14", "27", "29", "36", "4", "40", "7")
    kept = split_by_patient(RECORD, ["7", "40", "10", "14"], 0)
    assert leak_sentence(kept, RECORD) == (
        "protocol patient: the 4 test patients (10, 14, 40, 7) were never seen in training"
    )


def test_a_leaking_patient_split_is_refused():
    split = split_by_slice(len(RECORD))
    forged = type(split)(split.train, split.validation, split.test, "patient", 0)
    with pytest.raises(ValueError, match="leaks patients 10, 14, 27, 29, 36, 4, 40, 7 between"):
        leak_sentence(forged, RECORD)


def test_a_split_needs_known_patients_and_somebody_in_each_part():
    few = "at least one patient"
    for held_out, words in ((["99"], "no patient named 99"), ([], few), (set(RECORD) - {"4"}, few)):
        with pytest.raises(ValueError, match=words):
            split_by_patient(RECORD, held_out, 0)
    with pytest.raises(ValueError, match="at least 3"):
        split_by_slice(2)
    with pytest.raises(ValueError, match="cannot fill"):
        patient_folds(["a"] * 9)


def test_a_protocol_and_a_seed_mean_a_split_and_what_they_cannot_mean_is_said():
    cache = SimpleNamespace(patients=RECORD)
    tested = [set(RECORD[make_split(cache, "patient", seed).test]) for seed in range(5)]
    assert [len(patients) for patients in tested] == [2] * 5 and set.union(*tested[:4]) == set(RECORD)
    assert tested[4] == tested[0]
    assert set(RECORD[make_split(cache, "patient", 0, ["10"]).test]) == {"10"}
    assert np.array_equal(make_split(cache, "slice", 3).test, split_by_slice(len(RECORD), 3).test)
    for protocol, named, words in (
        ("file", (), "protocol: found 'file'; expected slice or patient"),
        ("slice", ["10"], "protocol slice: found test patients are named"),
        ("patient", ["99"], "protocol patient: found no patient named 99"),
    ):
        with pytest.raises(CovidlabError, match=words):
            make_split(cache, protocol, 0, named)
    three = make_split(SimpleNamespace(patients=np.repeat(["a", "b", "c"], 9)), "patient", 0)
    assert [len(three.part(part)) for part in PARTS] == [9, 9, 9]
    for patients, words in ((["a"], "1 patient;"), (["a", "b"], "2 patients;")):
        with pytest.raises(CovidlabError, match=f"protocol patient: found {words} at least three are needed"):
            make_split(SimpleNamespace(patients=np.repeat(patients, 9)), "patient", 0)
