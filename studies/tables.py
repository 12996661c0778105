"""Tables over several runs: side by side, over seeds, before and after adaptation."""

from collections.abc import Mapping, Sequence

import numpy as np

from covidlab.evaluation.counts import Counts
from covidlab.tables import mean_and_range
from covidlab.training.report import AVERAGED, Measure, borders_in, report_rows


def over_seeds(reports: Mapping[str, Sequence[dict]], part: str = "test") -> list[dict[str, str]]:
    """One part of several reports of each model, a seed each, as a table: mean of the seeds, in brackets the range.

    Borders only where all were measured in one unit. A seed for which something is not defined, as an infinite HD95,
    is left out of that mean.
    """
    units = {unit for found in reports.values() for one in found for unit in one["parts"][part]["borders"]}
    measures = [*AVERAGED, *(borders_in(*units) if len(units) == 1 else ())]

    def cell(measure: Measure, found: Sequence[dict]) -> str:
        values = [measure.read(one["parts"][part]) for one in found]
        return mean_and_range([np.nan if value is None else value for value in values], measure.digits)

    return [
        {"measure": one.label, **{name: cell(one, found) for name, found in reports.items()}} for one in measures
    ]


def adaptation_rows(curves: Mapping[str, Mapping[int, Counts]]) -> list[dict[str, str]]:
    """F1 by number of annotated slices: a line a patient, the mean over patients, and the mean gain over none.

    `curves` holds what `covidlab.beyond.adaptation.adaptation_curve` gives for each patient: the same numbers of
    slices in each, 0 among them.
    """
    numbers = list(next(iter(curves.values())))
    scores = np.array([[counts[number].f1 for number in numbers] for counts in curves.values()])

    def line(name: str, values: Sequence[float], sign: str = "") -> dict[str, str]:
        return {"patient": name} | {f"{n} slices": f"{value:{sign}.3f}" for n, value in zip(numbers, values)}

    rows = [line(patient, values) for patient, values in zip(curves, scores)]
    rows.append(line("mean of patients", scores.mean(axis=0)))
    return [*rows, line("mean gain", (scores - scores[:, [numbers.index(0)]]).mean(axis=0), "+")]


def side_by_side(reports: Mapping[str, dict], part: str = "test") -> list[dict[str, str]]:
    """One part of several reports as a table, a column a run; only what all of them measured."""
    columns = {name: {row[""]: row[part] for row in report_rows(found)} for name, found in reports.items()}
    first = next(iter(columns.values()))
    return [
        {"measure": what, **{name: column[what] for name, column in columns.items()}}
        for what in first
        if all(what in column for column in columns.values())
    ]
