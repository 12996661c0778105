"""Damaged files of every kind that covidlab reads: each is read into something usable, or refused in one line, and
takes no more memory than its size allows, whatever it claims. `make fuzz` goes on with as many as one likes."""

import gzip
import tracemalloc

import numpy as np
import pytest

from covidlab.data import volumes
from covidlab.errors import CovidlabError
from tools import fuzz
from tools.fuzz_kinds import KINDS

MEMORY = 2**25  # bytes: each whole file here is of some kilobytes, which a zip may stretch a thousandfold


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_usable_or_refused_in_one_line_and_takes_little_memory(tmp_path, name):
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
