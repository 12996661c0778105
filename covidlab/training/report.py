"""Everything that can be said of one finished run: slice by slice, volume by volume, at the borders, and how surely."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from covidlab.evaluation.patients import patient_interval
from covidlab.evaluation.slices import SliceTable, negative_slices
from covidlab.tables import mean_and_range
from covidlab.training.judging import TOLERANCE_MM, TOLERANCE_PIXELS
from covidlab.training.runs import rounded

# In short, and the tolerance of NSD, for tables.
PIXELS = f"{TOLERANCE_PIXELS:g} px"
UNITS = {"mm": ("mm", f"{TOLERANCE_MM:g} mm, at least {PIXELS}"), "pixels": ("px", PIXELS)}

# So few positive slices say nothing of their case, yet their false pixels weigh in the pool.
NEARLY_EMPTY = 2


@dataclass(frozen=True)
class Measure:
    """A number of a part's report."""

    label: str
    read: Callable[[dict], float | None]  # Takes it out of the part's values; None is not defined
    digits: int = 3

    def text(self, values: dict) -> str:
        """As it stands in a table."""
        return _number(self.read(values), self.digits)


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
    Measure("share of positive slices noticed", lambda v: _share(*_slices_noticed(v))),
    Measure("share of runs of positive slices noticed", lambda v: _share(v["runs"]["noticed"], v["runs"]["runs"])),
    *OUTLINES,
)


def borders_in(unit: str) -> tuple[Measure, Measure]:
    """NSD and HD95 where borders were measured in a unit."""
    short, tolerance = UNITS[unit]
    return (
        Measure(f"NSD at {tolerance}, mean over positive slices", lambda v: v["borders"][unit]["nsd_mean"]),
        Measure(f"HD95, {short}, median over positive slices", lambda v: v["borders"][unit]["hd95_quartiles"][1], 1),
    )


def report_rows(found: dict) -> list[dict[str, str]]:
    """The report as a table, a column a part."""
    texts = [
        *((one.label, one.text) for one in SCORES),
        ("F1, pooled (95 % over patients)",
         lambda v: f"{_number(v['f1_interval']['score'])} ({ends(v['f1_interval'])})"),
        ("F1 of a volume, median (quartiles)", lambda v: _spread(v["f1_by_volume_quartiles"])),
        ("F1 of a positive slice, median (quartiles)", lambda v: _spread(v["f1_by_positive_slice_quartiles"])),
        *((one.label, one.text) for one in NEGATIVES),
        ("positive slices noticed", lambda v: "{} of {}".format(*_slices_noticed(v))),
        ("missed ones with a noticed neighbour",
         lambda v: f"{v['detection']['caught_by_neighbour']} of {v['detection']['missed']}"),
        ("runs of positive slices noticed", lambda v: f"{v['runs']['noticed']} of {v['runs']['runs']}"),
        ("runs with a found slice next to each", lambda v: f"{v['runs']['covered']} of {v['runs']['runs']}"),
        *_border_texts(found["parts"].values()),
        *((one.label, one.text) for one in OUTLINES),
    ]  # fmt: skip
    return [{"": label, **{part: text(values) for part, values in found["parts"].items()}} for label, text in texts]


def _border_texts(parts: Collection[dict]) -> list[tuple[str, Callable[[dict], str]]]:
    """The borders' lines: by unit where a part was measured in it, and in space where a part has whole volumes."""
    texts = []
    for unit in UNITS:
        if any(unit in values["borders"] for values in parts):
            nsd, hd95 = borders_in(unit)
            texts.append((nsd.label, lambda v, unit=unit, nsd=nsd: nsd.text(v) if unit in v["borders"] else "none"))
            texts.append((f"{hd95.label} (quartiles)", lambda v, unit=unit: _distance(v["borders"].get(unit))))
    if any(values["volume_borders_in_mm"] for values in parts):
        texts.append((f"NSD at {UNITS['mm'][1]}, in space, mean over whole volumes", _in_space))
    return texts


def _number(value: float | None, digits: int = 3) -> str:
    return "not defined" if value is None else f"{value:.{digits}f}"


def _spread(quartiles: Sequence[float | None]) -> str:
    low, middle, high = quartiles
    return "not defined" if middle is None else f"{middle:.3f} ({low:.3f} to {high:.3f})"


def _distance(borders: dict | None) -> str:
    if borders is None:
        return "none"
    # Quartiles are defined wherever a slice was measured, so None is infinite here.
    low, middle, high = ("infinite" if one is None else f"{one:.1f}" for one in borders["hd95_quartiles"])
    return f"{middle} ({low} to {high})"


def _in_space(values: dict) -> str:
    volumes = values["volume_borders_in_mm"].values()
    return _number(float(np.mean([one["nsd"] for one in volumes]))) if volumes else "none whole"


def _slices_noticed(values: dict) -> tuple[int, int]:
    """Positive slices on which something is marked, and all."""
    counts = values["detection"]["slices"]
    return counts["tp"], counts["tp"] + counts["fn"]


def _share(noticed: int, of: int) -> float | None:
    return noticed / of if of else None


def ends(interval: Mapping) -> str:
    """An interval over patients, of which one has none."""
    return "one patient" if interval["low"] is None else f"{interval['low']:.3f} to {interval['high']:.3f}"


def case_rows(table: SliceTable, seen: Sequence[str] = ()) -> list[dict[str, str]]:
    """Slices by case and pooled: scores, F1's interval over patients, and negative slices left empty.

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

    def line(name: str, part: SliceTable, interval: bool = True) -> dict[str, str]:
        pooled, empty = part.pooled(), negative_slices(part).left_empty
        scores = {score: mean_and_range([getattr(pooled, score)]) for score in ("precision", "recall", "f1")}
        return {
            "case": name, "slices": str(len(part)), "positive": str(int(part.positive.sum())), **scores,
            "95 % over patients": ends(rounded(asdict(patient_interval(part)))) if interval else "",
            "negative slices left empty": "none" if np.isnan(empty) else f"{empty:.3f}",
        }  # fmt: skip

    cases = {case: table[table.cases == case] for case in dict.fromkeys(table.cases.tolist())}
    rows = [line(f"{case} (seen)" if case in seen else case, part, False) for case, part in cases.items()]
    if set(seen) & set(cases) and set(cases) - set(seen):
        rows.append(line("not seen, pooled", table[~np.isin(table.cases, list(seen))]))
    rows.append(line("all, pooled", table))
    if few := [case for case, part in cases.items() if part.positive.sum() <= NEARLY_EMPTY]:
        rows.append(line(f"without {', '.join(few)}", table[~np.isin(table.cases, few)]))
    return [*rows, line("positive slices only", table[table.positive])]
