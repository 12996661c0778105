"""Measured tables that may be committed: numbers, with the command, data, seeds, machine and date behind them."""

import csv
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import files
from pathlib import Path

import numpy as np

from covidlab.errors import CovidlabError, refused
from covidlab.files import whole_file


def processor() -> str:
    """This machine's processor: its name and, as clouds call several models alike, the numbers of family and model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return f"{said['model name']} (family {said['cpu family']}, model {said['model']})"
    except (OSError, KeyError):
        return platform.processor() or platform.machine()


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows of equal keys as a Markdown table."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(row[column]) for column in columns) + " |" for row in rows])


def show(rows: Sequence[Mapping[str, str]]) -> None:
    """Put rows of equal keys into a notebook as a table."""
    from IPython.display import Markdown, display  # only notebooks have it

    display(Markdown(markdown(rows)))


def mean_and_range(values: Sequence[float], digits: int = 3) -> str:
    """Several seeds as text; one is given as it is, and what is not defined anywhere as "not defined".

    >>> mean_and_range([0.86, 0.88, 0.87])
    '0.870 (0.860 to 0.880)'
    >>> mean_and_range([0.5])
    '0.500'
    """
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return "not defined"
    mean = f"{np.mean(known):.{digits}f}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.{digits}f} to {max(known):.{digits}f})"


def write_table(stem: Path, title: str, rows: Sequence[Mapping[str, str]], note: str, **source: str) -> None:
    """Write STEM.csv and STEM.md, the second with a note on how to read it and where the numbers come from.

    Rows map columns to text, the same in each. `source` is the command that repeats them, with FOLDER for the reader's
    own path, their data, protocol, grid and seeds; this machine and today's date are added. The folder is made if
    missing; a CovidlabError says that a file cannot be written there.
    """
    source |= {"machine": f"{processor()}, {os.cpu_count()} cores", "day": date.today().isoformat()}
    # Not with_suffix: of a stem v1.2 it would take the .2 away.
    write_rows(stem.with_name(f"{stem.name}.csv"), rows)
    parts = f"# {title}", note, markdown(rows), "\n".join(f"- {k}: {v}" for k, v in source.items())
    with whole_file(stem.with_name(f"{stem.name}.md")) as path:
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows of equal keys as a .csv, whole or not at all; a CovidlabError if it cannot be written there."""
    with whole_file(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def results_folder() -> Path:
    """studies/results of a checkout; where the wheel is installed, those of its tables that notebooks read."""
    here = Path(__file__).resolve().parents[1] / "studies" / "results"
    if here.is_dir():
        return here
    return next(file.locate() for file in files("covidlab") if file.match("share/covidlab/results/models.csv")).parent


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows, column to text, of a .csv that `write_table` wrote; a CovidlabError if there is none, or no row."""
    with refused(path, "no table", "a .csv under studies/results/", "look into that folder"):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        if any(None in (*row, *row.values()) for row in rows):
            raise ValueError("a line with more cells than names, or fewer")
    if not rows:
        raise CovidlabError(path, "a table without a row", "a line of column names and rows", "write it again")
    return rows
