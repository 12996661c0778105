"""Everything that can be said of one finished run: slice by slice, volume by volume, at the borders, and how surely."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from covidlab.evaluation.patients import patient_interval
from covidlab.evaluation.slices import SliceTable, negative_slices
from covidlab.tables import mean_and_range
from covidlab.training.judging import TOLERANCES, UNITS, plain


@dataclass(frozen=True)
class Measure:
    """A number of a part's report."""

    label: str
    read: Callable[[dict], float | None]  # callable; takes it out of the part's values; None is not defined
    digits: int = 3


SCORES = tuple(Measure(name, lambda v, name=name: v["pooled"][name]) for name in ("precision", "recall", "accuracy"))

NEGATIVES = (
    Measure("negative slices left empty", lambda v: v["negative_slices"]["left_empty"]),
    Measure("false pixels on a negative slice", lambda v: v["negative_slices"]["false_pixels"], 1),
)

OUTLINES = (
    Measure("marked area / reference area", lambda v: v["outlines"]["area"], 2),
    Measure("share of misses within 1 px of the border", lambda v: v["outlines"]["missed_at_border"], 2),
    Measure("roughness of outlines / reference's", lambda v: v["outlines"]["roughness"], 2),
)

# What stands with an interval, quartiles or a count in one run's table is a number in the mean over seeds.
AVERAGED = (
    *SCORES,
    Measure("F1, pooled", lambda v: v["pooled"]["f1"]),
    Measure("F1 of a volume, median", lambda v: v["f1_by_volume_quartiles"][1]),
    Measure("F1 of a positive slice, median", lambda v: v["f1_by_positive_slice_quartiles"][1]),
    *NEGATIVES,
    Measure("share of positive slices noticed",
            lambda v: share(v["detection"]["slices"]["tp"], v["detection"]["missed"])),
    Measure("share of runs of positive slices noticed",
            lambda v: share(v["runs"]["noticed"], v["runs"]["runs"] - v["runs"]["noticed"])),
    *OUTLINES,
)  # fmt: skip


def borders_in(unit: str) -> tuple[Measure, Measure]:
    """NSD and HD95 where borders were measured in a unit."""
    short = UNITS[unit]
    return (
        Measure(f"NSD at {TOLERANCES[unit]:g} {short}, mean over positive slices",
                lambda v: v["borders"][unit]["nsd_mean"]),
        Measure(f"HD95, {short}, median over positive slices", lambda v: v["borders"][unit]["hd95_quartiles"][1], 1),
    )  # fmt: skip


def ends(interval: Mapping) -> str:
    """An interval over patients, of which one has none."""
    return "one patient" if interval["low"] is None else f"{interval['low']:.3f} to {interval['high']:.3f}"


def report_rows(found: dict) -> list[dict[str, str]]:
    """The report as a table, a column a part."""
    parts = found["parts"]

    def line(what: str, read) -> dict[str, str]:
        return {"": what, **{part: read(values) for part, values in parts.items()}}

    def number(value, digits: int = 3) -> str:
        return "not defined" if value is None else f"{value:.{digits}f}"

    def numbers(measures: Sequence[Measure]) -> list[dict[str, str]]:
        return [line(one.label, lambda v, one=one: number(one.read(v), one.digits)) for one in measures]

    def interval(values: dict) -> str:
        return f"{number(values['f1_interval']['score'])} ({ends(values['f1_interval'])})"

    def spread(quartiles: list) -> str:
        low, middle, high = quartiles
        return "not defined" if middle is None else f"{middle:.3f} ({low:.3f} to {high:.3f})"

    def noticed(values: dict) -> str:
        counts = values["detection"]["slices"]
        return f"{counts['tp']} of {counts['tp'] + counts['fn']}"

    def neighbours(values: dict) -> str:
        return f"{values['detection']['caught_by_neighbour']} of {values['detection']['missed']}"

    def at_borders(unit: str, read):
        return lambda values: read(values["borders"][unit]) if unit in values["borders"] else "none"

    def distance(borders: dict) -> str:
        # Quartiles are defined wherever a slice was measured, so None is infinite here.
        low, middle, high = ("infinite" if one is None else f"{one:.1f}" for one in borders["hd95_quartiles"])
        return f"{middle} ({low} to {high})"

    def in_space(values: dict) -> str:
        return number(float(np.mean([one["nsd"] for one in values["volume_borders_in_mm"].values()])))

    borders = []
    for unit in UNITS:
        if any(unit in values["borders"] for values in parts.values()):
            nsd, hd95 = borders_in(unit)
            borders.append(line(nsd.label, at_borders(unit, lambda at: number(at["nsd_mean"]))))
            borders.append(line(f"{hd95.label} (quartiles)", at_borders(unit, distance)))
    if any(values["volume_borders_in_mm"] for values in parts.values()):
        what = f"NSD at {TOLERANCES['mm']:g} mm in space, mean over whole volumes"
        borders.append(line(what, lambda values: in_space(values) if values["volume_borders_in_mm"] else "none whole"))
    return [
        *numbers(SCORES),
        line("F1, pooled (95 % over patients)", interval),
        line("F1 of a volume, median (quartiles)", lambda v: spread(v["f1_by_volume_quartiles"])),
        line("F1 of a positive slice, median (quartiles)", lambda v: spread(v["f1_by_positive_slice_quartiles"])),
        *numbers(NEGATIVES),
        line("positive slices noticed", noticed),
        line("missed ones with a noticed neighbour", neighbours),
        line("runs of positive slices noticed", lambda v: f"{v['runs']['noticed']} of {v['runs']['runs']}"),
        line("runs with a found slice next to each", lambda v: f"{v['runs']['covered']} of {v['runs']['runs']}"),
        *borders,
        *numbers(OUTLINES),
    ]


def share(hits: int, misses: int) -> float | None:
    return hits / (hits + misses) if hits + misses else None


# So few positive slices say nothing of their case, yet their false pixels weigh in the pool.
NEARLY_EMPTY = 2


def case_rows(table: SliceTable, seen: Sequence[str] = ()) -> list[dict[str, str]]:
    """Slices by case and pooled: F1 with its interval over patients, and negative slices left empty.

    Parameters
    ----------
    table : SliceTable
    seen : sequence of str
        Cases whose patients were in training: they are marked, and the others pooled on a line of their own.

    Returns
    -------
    list of dict of column -> text
        A line a case; all slices pooled; the same without cases of hardly any positive slices, where there are such;
        positive slices only.
    """

    def line(name: str, part: SliceTable, interval: bool = False) -> dict[str, str]:
        pooled, empty = part.pooled(), negative_slices(part).left_empty
        scores = {score: mean_and_range([getattr(pooled, score)]) for score in ("precision", "recall", "f1")}
        return {
            "case": name, "slices": str(len(part)), "positive": str(int(part.positive.sum())), **scores,
            "95 % over patients": ends(plain(asdict(patient_interval(part)))) if interval else "",
            "negative slices left empty": "none" if np.isnan(empty) else f"{empty:.3f}",
        }  # fmt: skip

    cases = list(dict.fromkeys(table.cases.tolist()))
    rows = [line(f"{case} (seen)" if case in seen else case, table[table.cases == case]) for case in cases]
    if set(seen) & set(cases) and set(cases) - set(seen):
        rows.append(line("not seen, pooled", table[~np.isin(table.cases, list(seen))], interval=True))
    rows.append(line("all, pooled", table, interval=True))
    if few := [case for case in cases if table[table.cases == case].positive.sum() <= NEARLY_EMPTY]:
        rows.append(line(f"without {', '.join(few)}", table[~np.isin(table.cases, few)], interval=True))
    return [*rows, line("positive slices only", table[table.positive], interval=True)]
