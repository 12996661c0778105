"""A file that is there whole or as it was before, a folder for one process, and a dataclass out of JSON."""

import os
import re
import secrets
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from filelock import FileLock, Timeout

from covidlab.errors import CovidlabError, plain, writable

SCRATCH = ".covidlab-"  # how the name of what is being written begins
DAY = 24 * 60 * 60  # seconds


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file so that no reader ever sees half of it, and no failure leaves half of it.

    Yields where to write: a hidden name in the same folder, which is made if missing, with the same ending, which no
    other process uses. It becomes `path` when the block ends, and is removed when the block fails. A CovidlabError says
    that the place cannot be written.
    """
    # A process number would not do: two machines may share the folder, and two threads share the number.
    scratch = path.with_name(f"{SCRATCH}{secrets.token_hex(4)}-{path.name}")
    try:
        with writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_scratch(path.parent)
            try:
                yield scratch
            except (OSError, RuntimeError) as error:  # HDF5 raises either, and says why late in many lines
                if why := re.search(r"error message = '([^']+)", str(error)):
                    raise OSError(why[1]) from error
                raise
            os.replace(scratch, path)
    finally:
        with suppress(OSError):  # most often there is nothing left to remove
            scratch.unlink()


def claim(lock: Path) -> AbstractContextManager:
    """Keep other processes out of a folder, which is made if missing, as long as a `with` block lasts: two would write
    the same files. A CovidlabError says that one is at work in it, or that it cannot be written."""
    with writable(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            return FileLock(lock, timeout=0, mode=0o666).acquire()  # not private: others may share the folder
        except Timeout as error:
            found, remedy = "a folder that another process is at work on", "when it has ended give the command again"
            raise CovidlabError(lock.parent, found, "one at a time", remedy) from error


def waited_for(lock: FileLock) -> AbstractContextManager:
    """Have a lock as long as a `with` block lasts; a warning says so where another process keeps it over a second."""
    try:
        return lock.acquire(timeout=1)
    except Timeout:
        told = f"{plain(lock.lock_file)}: another process is at work on the same; waiting until it has ended"
        warnings.warn(told, RuntimeWarning, stacklevel=2)
        return lock.acquire()


@cache
def remove_scratch(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder, a day later, when none can be still at work; once a
    process and folder."""
    for left in folder.glob(f"{SCRATCH}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > DAY:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def from_json(kind: type, found: dict):
    """A dataclass of what JSON says of it, lists as tuples; some error where a field is not as the class says, or a
    number is negative or not finite."""
    made = kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})
    for name, wanted in get_type_hints(kind).items():
        if not _fits(getattr(made, name), wanted):
            raise ValueError(f"field {name} is {str(getattr(made, name))[:40]!r}")
    return made


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is UnionType:
        return any(_fits(value, one) for one in get_args(kind))
    if get_origin(kind) is Sequence:
        return isinstance(value, tuple) and all(_fits(one, *get_args(kind)) for one in value)
    if kind in (int, float):
        return type(value) in (int, kind) and 0 <= value < 2**63  # nan is neither
    return isinstance(value, kind)
