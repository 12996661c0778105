"""Progress on everything over three seconds: a bar in the terminal, a widget in a notebook.

Long functions walk along `for case in track(cases, "reading")`, and know nothing of screens. What is no walk, a
training, asks `progress_bar` for a function to call; what finds its work done goes through nothing at all.
The widget publishes its own fixed text form, so that a stored notebook output stays the same on every run and with
every version of ipywidgets; it is there even where nothing is left to do, and it needs no `clear_output`.
"""

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

from covidlab.errors import plain

Progress = Callable[[int, int, str], None]  # how many are done, of how many, and a few words on the present one
Item = TypeVar("Item")
SHORT = 3  # seconds: shorter work is done before a line about it is read


def track(items: Collection[Item], title: str) -> Iterator[Item]:
    """Go through items, showing how far one is, and the name of an item that has one.

    >>> [case.upper() for case in track(["a", "b"], "reading")]
    ['A', 'B']
    """
    with progress_bar(title) as show:
        for done, item in enumerate(items):
            show(done, len(items), plain(getattr(item, "name", "")))
            yield item
        show(len(items), len(items), "")


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show how far a long piece of work is, for as long as the `with` block lasts; it yields what to call."""
    bar = _widget_bar if _in_notebook() else _terminal_bar if sys.stderr.isatty() else _log_lines
    yield from bar(title)


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None


def _widget_bar(title: str) -> Iterator[Progress]:
    import ipywidgets
    from IPython.display import publish_display_data

    bar = ipywidgets.IntProgress(value=0, max=1, layout=ipywidgets.Layout(width="300px"))
    label = ipywidgets.Label(title)
    box = ipywidgets.HBox([bar, label])
    # Not display(box): its text form differs between ipywidgets 7 and 8, and nbval compares text.
    view = {"model_id": box.model_id, "version_major": 2, "version_minor": 0}
    publish_display_data(
        {"text/plain": f"[progress bar: {title}]", "application/vnd.jupyter.widget-view+json": view}
    )

    def show(done: int, total: int, text: str = "") -> None:
        bar.max, bar.value = max(total, 1), done
        label.value = f"{title}: {done}/{total} {text}"

    yield show
    # Work that was already done calls nobody; an unmoved bar would look stuck, an old score would look like the last.
    bar.value, bar.bar_style, label.value = bar.max, "success", f"{title}: done"


def _terminal_bar(title: str) -> Iterator[Progress]:
    from tqdm import tqdm

    with tqdm(desc=title, file=sys.stderr, dynamic_ncols=True, delay=0.5) as bar:  # quick work shows none

        def show(done: int, total: int, text: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(text, refresh=False)
            bar.update(done - bar.n)

        yield show


def _log_lines(title: str) -> Iterator[Progress]:
    """For a log file: a line each tenth, not a thousand carriage returns."""
    shown, began = -1, time.monotonic()

    def show(done: int, total: int, text: str = "") -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if tenth > shown and time.monotonic() > began + SHORT:
            shown = tenth
            print(f"{title}: {done}/{total} {text}".rstrip(), file=sys.stderr, flush=True)

    yield show
