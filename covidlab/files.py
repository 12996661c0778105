"""A file that is there whole or as it was before: written under a scratch name beside it, then renamed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from covidlab.errors import CovidlabError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file so that no reader ever sees half of it, and no failure leaves half of it.

    Yields where to write: a hidden name in the same folder, which is made if missing, with the same ending, which no
    other process uses. It becomes `path` when the block ends, and is removed when the block fails. A CovidlabError says
    that the place cannot be written.
    """
    # A process number would not do: two machines may share the folder, and two threads share the number.
    scratch = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        os.replace(scratch, path)
    except OSError as error:
        raise CovidlabError(
            path,
            f"a place that cannot be written ({error.strerror or error})",
            "room for a file in a folder with write permission",
            "free space, or choose another folder",
        ) from error
    finally:
        with suppress(OSError):  # most often there is nothing left to remove
            scratch.unlink()
