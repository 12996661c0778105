"""Damaged files without end: each is read into something usable, or refused in one line that names it (`make fuzz`).

Whole files of each kind (`tools.fuzz_kinds`) are changed in a few places. What reaches lines that nothing reached
before, or is refused in new words, is kept and changed further. What is no such outcome (a traceback, a hang, a crash,
memory beyond the limit, an odd line) is stored with only those changes that it needs, and the command that repeats it.
One process works; where it hangs or dies over an input, the next goes on after that.
"""

import argparse
import faulthandler
import io
import json
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from covidlab.errors import CovidlabError
from tools.fuzz_kinds import KINDS, SECRET, Kind

SECONDS, MEMORY = 10, 2**26  # that one input may take, and bytes: each file here has some kilobytes
TRACED = re.compile(r"/(covidlab|studies|nibabel|pydicom)/")
# The largest and the least numbers, infinities and nan, and what is special in the text of DICOM, JSON and CSV.
CHANGES = (
    b"\xff\x7f", b"\x7f\xff", b"\xff\xff\xff\x7f", b"\0\0", b"\0\0\x80\x7f", b"\x7f\x80\0\0", b"\0\0\xc0\x7f",
    b"\xca\xf2\x49\x71", b"\0\x80", b"\0\0\0\0\0\0\xf0\x7f", b"\\", b"-9", b"1e9", b"nan", b'"', b"[", b",", b"XX",
    b"SQ", b"UN", b"\x1b[31m", b"\r\n",
)  # fmt: skip
WORDS = (
    b"null", b"true", b"NaN", b"-1", b"0", b"1.5", b"1e999", b"9" * 30, b"9" * 5000, b"[]", b"{}", b'"x"', b'""',
    b"[" * 2000, b'"\\u001b[31m"', b'"\\ud800"', b'"../../x"', b"\xff", b"\0", b"\n", b",", b'[1, "a"]', b'{"a": null}',
)  # fmt: skip
TOKEN = re.compile(rb'"[^"\n]*"|[\w.+-]+|[\[\]{},:\n]')
Edit = tuple[str, int, int, bytes]  # in which file, from where on, how many bytes, and what then stands there
FINE = {"read", "refused"}
SHARES = {"scan": 3, "mask": 2, "series": 2, "weights": 0.01, "onnx": 0.1}  # of all inputs; the others 1
FOLLOWED = 0.15  # of the inputs: it takes three times as long


def changed(seed: Mapping[str, bytes], edits: tuple[Edit, ...]) -> dict[str, bytes]:
    files = dict(seed)
    for name, place, length, new in edits:
        files[name] = files[name][:place] + new + files[name][place + length :]
    return files


def new_edit(files: Mapping[str, bytes], kind: Kind, chance: random.Random) -> Edit:
    """One change: a word of a text, a few bytes (most of them in the first 400, where headers are), or a cut."""
    name = chance.choice([*files])
    content = files[name]
    end, chosen = len(content), chance.random()
    if kind.text and chosen < 0.7 and (tokens := list(TOKEN.finditer(content))):
        token = chance.choice(tokens)
        new = chance.choice((*WORDS, b"", token[0] * 2, chance.choice(tokens)[0]))
        return name, token.start(), len(token[0]), new
    place = chance.randrange(min(400, end) if chance.random() < 0.8 and not kind.text else end) if end else 0
    if chosen > 0.96:
        return name, place, end, b""
    if chosen > 0.9:  # a piece left out, or twice
        piece = content[place : place + chance.choice((1, 2, 8, 100))]
        return name, place, len(piece), chance.choice((b"", 2 * piece))
    new = chance.choice((*CHANGES, chance.randbytes(1), chance.randbytes(1), chance.randbytes(4)))
    return name, place, len(new), new


def put(files: Mapping[str, bytes], kind: Kind, folder: Path) -> Path:
    """Write an input into a folder; the path that is read."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kind.pack(content))
    return folder / next(iter(files)).split("/")[0]


def judged(kind: Kind, path: Path) -> tuple[str, str]:
    """What became of an input, and the words of it that tell one fault from another."""
    aside = io.StringIO()
    try:
        with redirect_stdout(aside), redirect_stderr(aside), warnings.catch_warnings():
            warnings.simplefilter("error")  # it would be a line that no user understands
            kind.check(kind.read(path), path)
    except CovidlabError as error:
        said = str(error)
        if isinstance(error.__cause__, MemoryError):
            return "memory", repr(error.__cause__)
        if aside.getvalue() or not said.isprintable() or path.name not in said or SECRET in said:
            return "odd line", repr(said.replace(str(path), path.name) + aside.getvalue())
        return "refused", re.sub(r"[\d.'\"\\]+\S*", "0", said.split("; expected")[0])[-80:]
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        at = ([one for one in frames if TRACED.search(one.filename)] or frames)[-1]
        return "traceback", f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {error!s:.100}"
    return ("odd line", repr(aside.getvalue())) if aside.getvalue() else ("read", "")


def followed(kind: Kind, path: Path, lines: set | None) -> tuple[str, str]:
    """`judged`, or too much memory; adds what lines of the readers it went through, if there is a set for them."""

    def enter(frame, *_):
        return line if TRACED.search(frame.f_code.co_filename) else None

    def line(frame, *_):
        lines.add((frame.f_code, frame.f_lineno))
        return line

    before, held = sys.gettrace(), _resident("VmRSS", reset=True)
    if lines is not None:
        sys.settrace(enter)
    try:
        outcome, words = judged(kind, path)
    finally:
        sys.settrace(before)
    most = _resident("VmHWM") - held
    return (outcome, words) if most < MEMORY else ("memory", f"{most / 1e6:.0f} MB for {words or 'what was read'}")


def _resident(name: str, reset: bool = False) -> int:
    """This process's bytes of memory, now or at most since they were reset; 0 where Linux does not say."""
    if not (status := Path("/proc/self/status")).exists():
        return 0
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", status.read_text())[1])


def explore(kind: Kind, number: int, seed: int, folder: Path, judge=followed) -> Iterator[tuple[str, str, int, tuple]]:
    """Try mutants: of each the outcome, its words, the number of its seed and its changes."""
    chance, known, corpus = random.Random(seed), set(), [(k, ()) for k in range(len(kind.seeds))]
    read = list(corpus)  # what is refused at once goes nowhere
    for k, files in enumerate(kind.seeds):
        assert judge(kind, put(files, kind, folder), known)[0] == "read", f"seed {k} is refused"
    for _ in range(number):
        k, edits = chance.choice(chance.choice((read, read, corpus, corpus[-50:])))
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            edits = (*edits, new_edit(changed(kind.seeds[k], edits), kind, chance))
        lines = set() if chance.random() < FOLLOWED else None
        outcome, words = judge(kind, put(changed(kind.seeds[k], edits), kind, folder), lines)
        lines = {*(lines or ()), words}
        if not lines <= known and len(edits) < 12:
            known |= lines
            corpus.append((k, edits))
            read += [(k, edits)] * (outcome == "read")
        yield outcome, words, k, edits


def needed(kind: Kind, k: int, edits: tuple[Edit, ...], outcome: str, folder: Path) -> dict[str, bytes]:
    """The files of a find with only those changes that it needs."""
    for edit in edits:
        fewer = tuple(one for one in edits if one is not edit)
        if followed(kind, put(changed(kind.seeds[k], fewer), kind, folder), None)[0] == outcome:
            edits = fewer
    return changed(kind.seeds[k], edits)


def work(plan: list[tuple[str, int, int]], folder: Path, finds: Path) -> None:
    """Inputs by kind, number and seed, in this process; what becomes of them as lines of JSON on standard output."""
    for name, number, seed in plan:
        signal.setitimer(signal.ITIMER_PROF, 0)  # the imports of a kind take their time
        (folder / name).mkdir()
        kind, told, said = KINDS[name](), [], set()
        _limit(memory=True)
        for done, (outcome, words, k, edits) in enumerate(explore(kind, number, seed, folder / name), start=1):
            told.append(outcome)
            if outcome not in FINE and (outcome, words[:60]) not in said:
                said.add((outcome, words[:60]))
                put(needed(kind, k, edits, outcome, folder / name), kind, place := finds / f"{name}-{seed}-{done}")
                print(json.dumps([name, [], f"{outcome}: {words}", str(place)]), flush=True)
            if done % 200 == 0 or done == number:
                print(json.dumps([name, told, "", ""]), flush=True)
                told = []
            _limit()


def _limit(memory: bool = False) -> None:
    """Start one input's time, of the processor and on the clock; memory, so that a find does not cost the machine."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    faulthandler.dump_traceback_later(60 * SECONDS, exit=True)
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (_resident("VmSize") + 2**32, resource.RLIM_INFINITY))


def watched(plan: list[tuple[str, int, int]], finds: Path) -> dict[str, Counter]:
    """Counts by outcome of each kind's inputs, in as many processes as hangs and crashes need."""
    total, began = {name: Counter() for name, *_ in plan}, time.monotonic()
    while plan:
        with TemporaryDirectory() as folder:
            asked = [sys.executable, "-m", "tools.fuzz", "--work", json.dumps(plan), folder, str(finds)]
            with subprocess.Popen(asked, stdout=subprocess.PIPE) as one:
                for name, told, find, place in map(json.loads, one.stdout):
                    total[name].update(told)
                    found = f"{find}\n  again: {AGAIN} {name} {place}" if find else f"{dict(total[name])}"
                    print(f"{time.monotonic() - began:.0f} s, {name}: {found}", flush=True)
            if one.returncode:
                name = max(Path(folder).iterdir(), key=lambda path: path.stat().st_mtime).name  # none: told by itself
                place = shutil.copytree(Path(folder, name), finds / f"{name}-{time.time():.0f}", dirs_exist_ok=True)
                total[name]["hang or crash"] += 1
                print(f"{name}: ended with {one.returncode}\n  again: {AGAIN} {name} {place}", flush=True)
            plan = [(name, number - total[name].total(), seed + total[name].total()) for name, number, seed in plan]
            plan = [one for one in plan if one[1] > 0]
    return total


AGAIN = "python -m tools.fuzz --again"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS), help="some of %(default)s")
    parser.add_argument("--finds", type=Path, default=Path("fuzz-finds"), help="where they are kept")
    parser.add_argument(
        "--again", nargs=2, metavar=("KIND", "FOLDER"), help="read a find once more, with the traceback"
    )
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(json.loads(options.work[0]), *map(Path, options.work[1:]))
    if options.again:
        kind, (path, *_) = KINDS[options.again[0]](), sorted(Path(options.again[1]).glob("[!.]*"))
        kind.check(kind.read(path), path)
        return print("read")
    shares = {name: SHARES.get(name, 1) for name in options.kinds.split(",")}
    plan = [
        (name, round(options.inputs * share / sum(shares.values())), options.seed) for name, share in shares.items()
    ]
    total = watched(plan, options.finds)
    print(f"{sum(one.total() for one in total.values()):,} inputs")
    for name, counts in total.items():
        print(f"  {name}: {dict(counts)}")
    return 1 if {outcome for counts in total.values() for outcome in counts} - FINE else 0


if __name__ == "__main__":
    sys.exit(main())
