"""Progress on everything over three seconds: a bar in the terminal, a widget in a notebook.

Long functions take `progress`, a callable `(done, total, text)`, and know nothing of screens. `progress_bar`
makes one that suits where it runs. The widget publishes its own fixed text form, so that a stored notebook
output stays the same on every run and with every version of ipywidgets, and it needs no `clear_output`.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int, str], None]


def silent(done: int, total: int, text: str = "") -> None:
    """The progress of those who asked for none."""


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show how far a long piece of work is, for as long as the `with` block lasts.

    Parameters
    ----------
    title : str
        What is being done, a few words.

    Yields
    ------
    callable (done: int, total: int, text: str) -> None
    """
    if _in_notebook():
        yield from _widget_bar(title)
    elif sys.stderr.isatty():
        yield from _terminal_bar(title)
    else:
        yield from _log_lines(title)


def _widget_bar(title: str) -> Iterator[Progress]:
    import ipywidgets
    from IPython.display import publish_display_data

    bar = ipywidgets.IntProgress(value=0, max=1, layout=ipywidgets.Layout(width="300px"))
    label = ipywidgets.Label(title)
    box = ipywidgets.HBox([bar, label])
    # Not display(box): its text form differs between ipywidgets 7 and 8, and nbval compares text.
    publish_display_data(
        {
            "text/plain": f"[progress bar: {title}]",
            "application/vnd.jupyter.widget-view+json": {
                "model_id": box.model_id,
                "version_major": 2,
                "version_minor": 0,
            },
        }
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
    shown = -1

    def show(done: int, total: int, text: str = "") -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if tenth > shown:
            shown = tenth
            print(f"{title}: {done}/{total} {text}".rstrip(), file=sys.stderr, flush=True)

    yield show
