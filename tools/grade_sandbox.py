"""One submitted notebook in a process, a network and a file system of its own, with caps. bubblewrap makes them.

In the sandbox are Python, its packages, covidlab, the phantom, and an empty /tmp in memory that goes with it; no hidden
test, no other submission, no network, no other process. Whatever the notebook starts ends with it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

import covidlab
from covidlab.data import folders
from covidlab.errors import CovidlabError

HARNESS = Path(__file__).with_name("grade_harness.py")
MEGABYTE = 2**20
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
# Of each process; 64 of them, threads included. What all use together is looked at from outside.
LIMITS = {"RLIMIT_NPROC": 64, "RLIMIT_FSIZE": 16 * MEGABYTE, "RLIMIT_AS": 4096 * MEGABYTE, "RLIMIT_CORE": 0}
STEP = 0.2  # seconds between two looks


@dataclass(frozen=True)
class Caps:
    """What one notebook may use, everything that it starts included."""

    cell: float = 10  # seconds of the processor, for one cell or one call
    cpu: float = 40  # for the whole
    seconds: float = 120  # by the clock, for who sleeps; on a busy machine the processor's time decides
    megabytes: float = 1500


@dataclass(frozen=True)
class Run:
    """What came out of the sandbox. Nothing in `lines` can be believed: a student's code may have written it."""

    lines: tuple[dict, ...]
    fault: str  # why it was ended; "" where it ended by itself
    seconds: float
    cpu: float  # seconds of the processor, as of the last look
    megabytes: float  # the most at one look


def run_notebook(notebook: str, calls: Sequence, number: int = 0, caps: Caps = Caps()) -> Run:  # noqa: B008 (frozen)
    """Run a notebook's text and ask its functions `calls`, each a name and inputs; `number` tells runs apart.

    A CovidlabError if the sandbox itself does not start.
    """
    request = {"notebook": notebook, "calls": calls, "seconds": caps.cell, "limits": LIMITS, "user": 61_000 + number}
    # Files without a name, not pipes: nothing waits for a reader, and no place is there to be written to.
    unnamed = tempfile.TemporaryFile
    with unnamed("w+") as question, unnamed() as answer, unnamed() as words:
        json.dump(request, question)
        question.seek(0)
        start = time.monotonic()
        child = subprocess.Popen(_command(), stdin=question, stdout=answer, stderr=words, start_new_session=True)
        try:
            fault, cpu, megabytes = _watch(child, caps, start)
        finally:
            child.kill()  # the sandbox's first process; all others end with it
            child.wait()
        answer.seek(0)
        lines = _lines(answer.read(16 * MEGABYTE))
        if {"ready": True} not in lines[:1]:  # written before any cell is run
            words.seek(0)
            said = words.read().decode(errors="replace").strip()[-200:] or fault or "no reason"
            raise CovidlabError("the sandbox", said, "a start of bubblewrap", "see docs/grading.md")
    return Run(tuple(lines), fault, time.monotonic() - start, cpu, megabytes)


def _command() -> list[str]:
    """bubblewrap and what it is to run. As root it makes no user of its own: the harness gives root away instead."""
    if not (bwrap := shutil.which("bwrap")):
        remedy = "on Debian or Ubuntu apt install bubblewrap; on Windows do so in WSL 2"
        raise CovidlabError("bwrap", "no such program", "bubblewrap, which only Linux has", remedy)
    inside = {Path(one): one for one in (*SYSTEM, sys.base_prefix, sys.prefix)}
    inside |= {Path(covidlab.__file__).parent: "/course/covidlab", HARNESS: "/course/harness.py"}
    inside |= {folders.data_home() / name: f"/course/data/{name}" for name in ("phantom-lesson", "cache")}
    words = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONPATH": "/course", "MPLBACKEND": "agg",
             "COVIDLAB_HOME": "/course/data", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    command = [bwrap, "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    # First, or it would hide a course that lies in a folder of it.
    command += ["--perms", "1777", "--size", str(64 * MEGABYTE), "--tmpfs", "/tmp"]
    for outside, at in inside.items():
        for folder in reversed(Path(at).parents[:-1]):  # bubblewrap's own are for root alone
            command += ["--perms", "0755", "--dir", str(folder)]
        command += ["--ro-bind", str(outside), str(at)] if outside.exists() else []
    command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--remount-ro", "/", "--chdir", "/tmp"]
    for name, value in words.items():
        command += ["--setenv", name, value]
    return [*command, os.path.abspath(sys.executable), "/course/harness.py"]


def _watch(child: subprocess.Popen, caps: Caps, start: float) -> tuple[str, float, float]:
    """Wait for the end, or until a cap is passed: which one in words, seconds of the processor, the most memory."""
    used = most = 0.0
    fault = ""
    while not fault:
        try:
            child.wait(STEP)
            break
        except subprocess.TimeoutExpired:
            cpu, memory = _use(child.pid)
        used, most = max(used, cpu), max(most, memory)
        if used > caps.cpu:
            fault = f"it used more than {caps.cpu:g} seconds of the processor"
        elif memory > caps.megabytes:
            fault = f"it used more than {caps.megabytes:g} MB of memory"
        elif time.monotonic() - start > caps.seconds:
            fault = f"it did not end within {caps.seconds:g} seconds"
    return fault, used, most


def _use(pid: int) -> tuple[float, float]:
    """Seconds of the processor and megabytes of a process and all that it started."""
    cpu = memory = 0.0
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.Error):  # it has ended meanwhile
                memory += process.memory_info().rss / MEGABYTE
                cpu += sum(process.cpu_times()[:4])  # its own, and that of children that have ended
    return cpu, memory


def _lines(text: bytes) -> list[dict]:
    """The lines that are JSON objects; what else a notebook wrote there is no answer."""
    found = []
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return [one for one in found if isinstance(one, dict)]
