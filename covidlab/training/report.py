"""What weights get right on a cohort, case by case, as `covidlab score` prints it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from covidlab.data.lungs import lung_mask
from covidlab.data.slices import SliceCache
from covidlab.evaluation.patients import patient_interval
from covidlab.evaluation.slices import SliceTable, negative_slices, slice_table
from covidlab.models.segmenter import Segmenter
from covidlab.progress import track
from covidlab.tables import mean_and_range
from covidlab.training.runs import rounded

# So few positive slices say nothing of their case, yet their false pixels weigh in the pool.
NEARLY_EMPTY = 2


def judge_weights(segmenter: Segmenter, cache: SliceCache) -> tuple[SliceTable, SliceTable]:
    """What weights get right and wrong on every slice of a cohort, such as one that their training never saw: the
    network alone, slice by slice, and as `covidlab predict` marks, inside the lungs of each scan."""

    def both(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lungs, info = lung_mask(slices), segmenter.info
        seen = segmenter.probabilities_of_scan(slices, lungs)
        # Where no grey is moved, and no scan brought nearer, the network would see the same once more.
        raw = seen if info.lung is None and info.fill is None else segmenter.probabilities(slices)
        return segmenter.mark(raw), segmenter.mark_within(seen, lungs)

    alone, within = case_by_case(cache, both)
    return count_marked(cache, alone), count_marked(cache, within)


def case_by_case(cache: SliceCache, judge: Callable[[np.ndarray], tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """What a function says of a case's slices, some arrays with an entry for each, for a whole cohort: as many."""
    cases = [cache.case(case) for case in dict.fromkeys(cache.cases.tolist())]
    said = [judge(cache.images[rows]) for rows in track(cases, "judging")]
    order = np.argsort(np.concatenate(cases))
    return [np.concatenate(one)[order] for one in zip(*said)]


def count_marked(cache: SliceCache, marked: np.ndarray) -> SliceTable:
    return slice_table(cache.masks, marked, cache.cases, cache.patients, cache.z)


def case_rows(table: SliceTable, seen: Sequence[str] = (), within: SliceTable | None = None) -> list[dict[str, str]]:
    """Slices by case and pooled: scores, F1's interval over patients, and negative slices left empty, as text.

    Cases named in `seen`, whose patients were in training, are marked, and the others pooled on a line of their own.
    Then come all slices; all with what is marked outside the lungs dropped, where `within` holds that; the same without
    cases of hardly any positive slices, where there are such; and positive slices only.
    """

    def line(name: str, part: SliceTable, interval: bool = True) -> dict[str, str]:
        pooled, empty = part.pooled(), negative_slices(part).left_empty
        scores = {score: mean_and_range([getattr(pooled, score)]) for score in ("precision", "recall", "f1")}
        return {
            "case": name, "slices": str(len(part)), "positive": str(int(part.positive.sum())), **scores,
            "95 % over patients": interval_ends(rounded(asdict(patient_interval(part)))) if interval else "",
            "negative slices left empty": "none" if np.isnan(empty) else f"{empty:.3f}",
        }  # fmt: skip

    cases = {case: table[table.cases == case] for case in dict.fromkeys(table.cases.tolist())}
    rows = [line(f"{case} (seen)" if case in seen else case, part, False) for case, part in cases.items()]
    if set(seen) & set(cases) and set(cases) - set(seen):
        rows.append(line("not seen, pooled", table[~np.isin(table.cases, list(seen))]))
    rows.append(line("all, pooled", table))
    if within is not None:
        rows.append(line("all, inside the lungs", within))
    few = [case for case, part in cases.items() if part.positive.sum() <= NEARLY_EMPTY]
    if 0 < len(few) < len(cases):
        rows.append(line(f"without {', '.join(few)}", table[~np.isin(table.cases, few)]))
    return [*rows, line("positive slices only", table[table.positive])]


def interval_ends(interval: Mapping) -> str:
    """An interval over patients, of which one has none."""
    if interval["low"] is None:
        return "one patient" if interval["patients"] == 1 else "not defined"
    return f"{interval['low']:.3f} to {interval['high']:.3f}"
