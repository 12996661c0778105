"""The one family of errors that a user of covidlab can cause, and therefore mend.

Each says which file, what was found, what was expected and what to do, in one line. The command
line prints that line and exits with status 2; anything else that escapes is a bug of ours.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os import PathLike


class CovidlabError(ValueError):
    """A problem with something the user gave us.

    `subject` is the file, folder or option that the message is about; `found` and `expected` say in plain words what is
    there and what would have been right; `remedy` is what to do now, as an imperative.
    """

    def __init__(self, subject: str | PathLike, found: str, expected: str, remedy: str):
        self.subject, self.told = str(subject), (found, expected, remedy)
        lines = f"{plain(subject)}: found {plain(found)}; expected {plain(expected)}; {remedy}.".split("\n")
        super().__init__("\n".join(map(plain, lines)))  # a remedy may list other errors, a line each

    def __reduce__(self):  # so that it comes back from another process
        return type(self), (self.subject, *self.told)


def plain(text: object) -> str:
    """Text in which what a terminal would obey, or cannot show, is spelled out: names may come from anybody.

    >>> plain("scan\\33[2J.nii")
    'scan\\\\x1b[2J.nii'
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(text))


class Plain:
    """A stream that names of files, which may come from anybody, reach only as `plain` text."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text: str) -> int:
        text, kind = "\n".join(map(plain, text.split("\n"))), self.stream.encoding or "utf-8"
        return self.stream.write(text.encode(kind, "backslashreplace").decode(kind))  # on Windows a file takes few

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


def reason(error: Exception) -> str:
    """What an exception says, in one line of at most 200 characters; its kind where it says nothing."""
    said = (getattr(error, "strerror", None) or str(error)).splitlines() or [""]
    return said[0][:200] or type(error).__name__


@contextmanager
def refused(subject: str | PathLike, found: str, expected: str, remedy: str) -> Iterator:
    """Whatever other people's readers raise of a damaged file, which nobody knows, becomes one error; their warnings
    are dropped. Only reading belongs into the block: a bug of ours would be called a damaged file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CovidlabError:
        raise
    except PermissionError as error:
        raise CovidlabError(subject, "a file that may not be opened", expected, "ask its owner for leave") from error
    except Exception as error:
        raise CovidlabError(subject, f"{found} ({reason(error)})", expected, remedy) from error


@contextmanager
def writable(place: str | PathLike, remedy: str = "free space, or choose another folder") -> Iterator[None]:
    """Whatever the system raises of a place that is written to becomes one error, which names the place."""
    try:
        yield
    except OSError as error:
        found = f"a place that cannot be written ({reason(error)})"
        raise CovidlabError(place, found, "room in a folder with write permission", remedy) from error


def missing_packages(*imports: str) -> list[str]:
    """Which of some packages are not installed, by the names that pip knows; none is imported."""
    return [name.replace("_", "-") for name in imports if find_spec(name) is None]


def require(subject: str | PathLike, extra: str, *imports: str) -> None:
    """Refuse what an optional extra is needed for, before any work is done; the error names what is not installed."""
    if missing := missing_packages(*imports):
        found, remedy = f"no package {' and no '.join(missing)}", f"pip install {' '.join(missing)}"
        raise CovidlabError(subject, found, f"the extra `{extra}`", remedy)
