"""Inside the sandbox: runs a notebook's cells, asks its functions, and writes what they answer as lines of JSON.

It is the one file of the grader that a student's code shares a process with, so it knows no right answer and no
points: whoever forges its lines has to know what is right. `tools.grade_sandbox` starts it.
"""

import json
import os
import resource
import signal
import sys
from contextlib import contextmanager

MOST_NUMBERS = 100_000  # in one answer


class OutOfTime(BaseException):  # no Exception, or `except Exception` would swallow it
    """A cell or a call took more seconds of the processor than it may."""


def main() -> None:
    """Read the request, become nobody, run, ask; then end at once, whatever threads are left."""
    request = json.load(sys.stdin)
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    if os.getuid() == 0:  # root is exempt from the limit on processes
        os.setgroups([])
        os.setgid(request["user"])
        os.setuid(request["user"])
    for limit, most in request["limits"].items():
        resource.setrlimit(getattr(resource, limit), (most, most))
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    signal.signal(signal.SIGPROF, _out_of_time)

    def say(**line):
        lines.write(json.dumps(line) + "\n")

    say(ready=True)
    try:
        cells = json.loads(request["notebook"])["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except Exception as error:
        sources = []
        say(stopped=f"the file is no notebook ({type(error).__name__})")
    for number, source in enumerate(sources, start=1):
        if error := _run(shell, source, request["seconds"]):
            say(stopped=f"code cell {number} stopped with {error}")
    for number, (name, given) in enumerate(request["calls"]):
        say(call=number, **_ask(shell.user_ns.get(name), given, request["seconds"]))
    lines.flush()
    os._exit(0)


@contextmanager
def _at_most(seconds: float):
    """Stop what takes longer, and again each second, should it be caught."""
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _out_of_time(*_) -> None:
    raise OutOfTime("it takes too long")


def _run(shell, source: str, seconds: float) -> str:
    """Run one cell; what stopped it, or ""."""
    try:
        with _at_most(seconds):
            result = shell.run_cell(source)
        error = result.error_before_exec or result.error_in_exec
    except BaseException as caught:  # also one that comes while IPython itself is at work
        error = caught
    return "" if error is None else _words(error)


def _ask(function, given: list, seconds: float) -> dict:
    """What a function answers to one input: `answer`, or `error` with its kind, or `missing`."""
    import numpy as np

    if function is None:
        return {"missing": True}
    try:
        arguments = [np.array(one["array"], one["type"]) if isinstance(one, dict) else one for one in given]
        with _at_most(seconds), np.errstate(all="ignore"):
            answer = function(*arguments)
        if answer is None or answer is ...:
            return {"answer": None}
        array = np.asarray(answer)
        if array.dtype.kind not in "biuf" or array.size > MOST_NUMBERS:
            raise TypeError(f"numbers are expected, at most {MOST_NUMBERS}, not {type(answer).__name__}")
        return {"answer": array.tolist()}
    except BaseException as error:
        return {"error": _words(error)}


def _words(error) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:200]
    except BaseException:  # an error of the student's own may fail to say what it is
        return "an error"


if __name__ == "__main__":
    main()
