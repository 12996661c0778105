"""Damaged files of every kind that covidlab reads: each is read into something usable, or refused in one line, and
takes no more memory than its size allows, whatever it claims. `make fuzz` goes on with as many as one likes."""

import gzip
import tracemalloc
import warnings

import numpy as np
import pytest

from covidlab.data import volumes
from covidlab.errors import CovidlabError
from tools import fuzz
from tools.fuzz_kinds import KINDS, Kind

MEMORY = 2**25  # bytes: each whole file here is of some kilobytes, which a zip may stretch a thousandfold


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_usable_or_refused_in_one_line_and_takes_little_memory(tmp_path, name):
    if name == "itk":
        pytest.importorskip("SimpleITK", reason="the extra `itk` is not installed")

    def judged(kind, path, lines):
        if name == "weights":  # TensorFlow's memory tracemalloc does not see, and makes it slow
            return fuzz.judged(kind, path)
        tracemalloc.start()
        try:
            outcome = fuzz.judged(kind, path)
            assert tracemalloc.get_traced_memory()[1] < MEMORY
            return outcome
        finally:
            tracemalloc.stop()

    number = 10 if name == "weights" else 27  # weights take long
    told = list(fuzz.explore(KINDS[name](), number, 0, tmp_path, judged))
    assert not [one for one in told if one[0] not in fuzz.FINE]
    assert name == "manifest" or any(outcome == "refused" for outcome, *_ in told)  # of which no line counts then


def test_what_claims_more_than_it_holds_or_than_a_scan_has_is_refused_before_it_is_unpacked(tmp_path):
    content, scan = KINDS["scan"]().seeds[0]["scan.nii"], tmp_path / "scan.nii.gz"

    def changed(place, *numbers):
        number = np.array(numbers, np.float32 if place == 108 else np.int16).tobytes()
        return content[:place] + number + content[place + len(number) :]

    for claim, words in (
        (changed(42, 32767, 32767, 32767), "a claim of 32767 x 32767 x 32767 voxels"),
        (changed(42, 1000, 1000, 300), "claims 600,000,352 bytes"),
        (changed(42, -16), "a volume without voxels"),
        (changed(108, np.inf), "cannot convert float infinity"),
        (changed(108, 1e30), "bytes, the file has"),
        (content + bytes(2**25), "and it holds fewer, or many more"),
    ):
        scan.write_bytes(gzip.compress(claim, 1))
        tracemalloc.start()
        with pytest.raises(CovidlabError, match=words):
            volumes.read_volume(scan)
        assert tracemalloc.get_traced_memory()[1] < 2**23
        tracemalloc.stop()


# --- that the fuzzer sees what it is there to see: faults planted into a reader, each found and made small


def faulty(path):
    text = path.read_bytes()
    if b"nan" in text:
        raise KeyError("a bug")
    if b"null" in text:
        raise CovidlabError("a file", "two\nlines", "one", "say which")
    if b"true" in text:
        warnings.warn("a stray line", stacklevel=1)
    if b"-1" in text:
        print("a stray line")
    if b"{}" in text:
        raise CovidlabError(path, "braces", "none", "remove them") from MemoryError()
    if len(text) < 9:
        raise CovidlabError(path, "a short file", "a whole one", "copy it again")


@pytest.mark.parametrize("words, outcome", [
    ("nan", "traceback"), ("null", "odd line"), ("true", "traceback"), ("-1", "odd line"), ("{}", "memory"),
])  # fmt: skip
def test_a_planted_fault_is_found_and_stored_with_nothing_that_it_does_not_need(tmp_path, words, outcome):
    kind = Kind([{"list.csv": b"case,patient\na,1\nb,2\n"}], faulty, text=True)
    told = list(fuzz.explore(kind, 600, 0, tmp_path))
    assert {"read", "refused", "traceback", "odd line", "memory"} == {found for found, *_ in told} >= fuzz.FINE
    files, seed = {}, kind.seeds[0]["list.csv"]
    for found, _, k, edits in told:
        if found == outcome and any(words.encode() == new for *_, new in edits):
            files = fuzz.needed(kind, k, edits, outcome, tmp_path)
            break
    assert fuzz.judged(kind, fuzz.put(files, kind, tmp_path))[0] == outcome
    assert abs(len(files["list.csv"]) - len(seed)) <= 10
