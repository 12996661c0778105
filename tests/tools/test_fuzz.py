"""That the fuzzer sees what it is there to see: faults planted into a reader, each found and made small."""

import warnings

import pytest

from covidlab.errors import CovidlabError
from tools.fuzz import FINE, explore, judged, needed, put
from tools.fuzz_kinds import Kind


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
    told = list(explore(kind, 600, 0, tmp_path))
    assert {"read", "refused", "traceback", "odd line", "memory"} == {found for found, *_ in told} >= FINE
    files, seed = {}, kind.seeds[0]["list.csv"]
    for found, _, k, edits in told:
        if found == outcome and any(words.encode() == new for *_, new in edits):
            files = needed(kind, k, edits, outcome, tmp_path)
            break
    assert judged(kind, put(files, kind, tmp_path))[0] == outcome
    assert abs(len(files["list.csv"]) - len(seed)) <= 10
