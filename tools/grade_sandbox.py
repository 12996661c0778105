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
from dataclasses import dataclass
from pathlib import Path

import psutil

import covidlab
from covidlab.data import folders
from covidlab.errors import CovidlabError

HARNESS = Path(__file__).with_name("grade_harness.py")
MEGABYTE = 2**20
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
STEP = 0.2  # seconds between two looks at what a notebook uses


@dataclass(frozen=True)
class Caps:
    """What one notebook may use, everything that it starts included."""

    seconds: float = 120  # by the clock, for who sleeps; the machine may be busy, so the processor decides
    cpu: float = 40  # seconds of the processor
    step: float = 10  # of the processor, for one cell or one call
    megabytes: int = 1500
    processes: int = 64  # threads, too


@dataclass(frozen=True)
class Run:
    """What came out of the sandbox: nothing in it can be believed, but that it ended."""

    lines: tuple[dict, ...]
    fault: str  # why it was ended; "" where it ended by itself
    seconds: float
    megabytes: float  # the most at one look


def run_notebook(notebook: str, calls: list, caps: Caps, slot: int = 0) -> Run:
    """Run a notebook's text and ask its functions, `calls` of (name, inputs); `slot` tells apart who runs at once.

    A CovidlabError if the sandbox itself does not start.
    """
    limits = {"RLIMIT_NPROC": caps.processes, "RLIMIT_FSIZE": 16 * MEGABYTE, "RLIMIT_AS": 4096 * MEGABYTE,
              "RLIMIT_CORE": 0}  # fmt: skip
    request = {"notebook": notebook, "calls": calls, "seconds": caps.step, "limits": limits, "user": 61_000 + slot}
    with (tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer,
          tempfile.TemporaryFile() as complaint):  # fmt: skip
        question.write(json.dumps(request).encode())
        question.seek(0)
        start = time.monotonic()
        child = subprocess.Popen(_command(), stdin=question, stdout=answer, stderr=complaint, start_new_session=True)
        try:
            fault, megabytes = _watch(child, caps, start)
        finally:
            child.kill()  # the first process of the sandbox; all others end with it
            child.wait()
        answer.seek(0)
        lines = _lines(answer.read(16 * MEGABYTE))
        if {"ready": True} not in lines[:1] and not fault:
            complaint.seek(0)
            said = complaint.read(500).decode(errors="replace").strip()[-200:] or "nothing said why"
            raise CovidlabError("the sandbox", said, "a start of bubblewrap", "see docs/grading.md")
    return Run(tuple(lines), fault, time.monotonic() - start, megabytes)


def _command() -> list[str]:
    """bubblewrap and what it is to run. As root it makes no user of its own: the harness gives root away instead."""
    if not (bwrap := shutil.which("bwrap")):
        remedy = "on Debian or Ubuntu: apt install bubblewrap; on Windows in WSL 2"
        raise CovidlabError("bwrap", "no such program", "bubblewrap, which only Linux has", remedy)
    course, data = Path(covidlab.__file__).parent, folders.data_home()
    inside = {Path(one): one for one in (*SYSTEM, sys.base_prefix, sys.prefix)}
    inside |= {course: "/course/covidlab", HARNESS: "/course/harness.py"}
    inside |= {data / name: f"/course/data/{name}" for name in ("phantom-lesson", "cache")}
    words = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONPATH": "/course", "MPLBACKEND": "agg",
             "COVIDLAB_HOME": "/course/data", "PYTHONDONTWRITEBYTECODE": "1", **ONE_THREAD}  # fmt: skip
    command = [bwrap, "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    for outside, at in inside.items():
        for folder in reversed(Path(at).parents[:-1]):  # bubblewrap's own are for root alone
            command += ["--perms", "0755", "--dir", str(folder)]
        command += ["--ro-bind", str(outside), str(at)] if outside.exists() else []
    command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--perms", "1777", "--size", str(64 * MEGABYTE), "--tmpfs", "/tmp", "--chdir", "/tmp"]
    command += ["--remount-ro", "/"]
    for name, value in words.items():
        command += ["--setenv", name, value]
    return [*command, os.path.abspath(sys.executable), "/course/harness.py"]


def _watch(child: subprocess.Popen, caps: Caps, start: float) -> tuple[str, float]:
    """Wait for the end, or for a cap to be passed; returns which one in words, and the most memory seen."""
    most = 0.0
    while True:
        try:
            child.wait(STEP)
            return "", most
        except subprocess.TimeoutExpired:
            cpu, memory = _use(child.pid)
        most = max(most, memory)
        if cpu > caps.cpu:
            return f"it used more than {caps.cpu:g} seconds of the processor", most
        if memory > caps.megabytes:
            return f"it used more than {caps.megabytes} MB of memory", most
        if time.monotonic() - start > caps.seconds:
            return f"it did not end within {caps.seconds:g} seconds", most


def _use(pid: int) -> tuple[float, float]:
    """Seconds of the processor and megabytes of a process and all that it started."""
    cpu = memory = 0.0
    try:
        tree = psutil.Process(pid)
        tree = [tree, *tree.children(recursive=True)]
    except psutil.Error:
        return 0.0, 0.0
    for process in tree:
        try:
            times = process.cpu_times()
            cpu += sum(times[:4])  # its own, and that of children that have ended
            memory += process.memory_info().rss / MEGABYTE
        except psutil.Error:  # ended meanwhile
            continue
    return cpu, memory


def _lines(text: bytes) -> list[dict]:
    """The lines that are JSON objects; what else a notebook wrote there is no answer."""
    found = []
    for line in text.splitlines():
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            continue
        found += [one] if isinstance(one, dict) else []
    return found
