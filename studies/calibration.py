"""How far weights can be believed on patients that they have not seen: measured, fitted, and kept with them.

    python -m studies.calibration phantom --data FOLDER    # into its .weights.h5 and .onnx; a table into results/
    python -m studies.calibration light_unet --data FOLDER --sisters A.weights.h5 B.weights.h5

Sisters, networks of the same recipe that left other cases out, speak for weights that have seen nearly all: their
threshold, too, is the one that is best on the patients that the sisters left out, since the one or two patients that a
training keeps back to validate choose it badly. Scans are judged as they are, then disturbed, so that poor masks are
among them.
"""

import argparse
import json
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
from scipy import ndimage
from scipy.optimize import isotonic_regression

from covidlab.beyond.doubt import error_ranking
from covidlab.beyond.export import describe
from covidlab.data import lung_mask, open_cohort, open_slice_cache
from covidlab.evaluation import Counts, count, reliability
from covidlab.models.calibration import KNOTS, Calibration, expected_counts, logits
from covidlab.models.segmenter import Segmenter, open_segmenter, predict_slices
from covidlab.models.weights_file import ATTRIBUTE, read_info
from covidlab.progress import track
from covidlab.tables import markdown, write_rows, write_table
from covidlab.training.thresholds import THRESHOLDS, best_threshold
from covidlab.weights import find_weights, stem

RESULTS = Path(__file__).parent / "results"
CHANGES = {  # float32 slices on the grid, of greys or of 0 and 1 -> the same; the last alone moves anything
    "": lambda x: x,
    "noise": lambda x: x + np.random.default_rng(0).normal(0, 30, x.shape),
    "blur": lambda x: ndimage.gaussian_filter(x, (0, 2, 2)),
    "another window": lambda x: (x - 128) * 1.3 + 128,
    "brighter": lambda x: x + 20,
    "half the size": lambda x: np.pad(x[:, ::2, ::2], ((0, 0), (32, 32), (32, 32))),
}
MOST = 60, 20  # slices of a scan as it is, and disturbed; of longer ones evenly spaced slices are taken
EVERY = 8  # of the pixels inside the lungs one so many is kept


# What a network makes of a scan of a patient that it has not seen: the F1 if its raw probabilities were right, the real
# one; of scans as they are the pixels inside the lungs, too: raw probabilities and reference.
Judged = namedtuple("Judged", "patient change expected f1 raw lesion")


def unseen(segmenters, cache, doing: str) -> Iterator[tuple[Segmenter, np.ndarray, str]]:
    """Every case that one of the networks has not seen: the first such, the case's slices, its patient."""
    for case in track(list(dict.fromkeys(cache.cases.tolist())), doing):
        rows = cache.case(case)
        patient = str(cache.patients[rows[0]])
        if one := next((one for one in segmenters if not one.info.has_seen(case, patient)), None):
            yield one, rows, patient


def choose_threshold(segmenters, cache) -> tuple[float, str]:
    """The threshold with the highest F1 over the pixels of all patients, as `predict` marks, and in words what comes of
    it on a patient when the others choose."""
    found = {}  # by patient, the counts at each threshold
    for one, rows, patient in unseen(segmenters, cache, "choosing the threshold"):
        images, masks = cache.images[rows], cache.masks[rows]
        lungs = lung_mask(images)
        raw = one.probabilities_of_scan(images, lungs)
        marked = (knowing(one, threshold=float(each)).mark_within(raw, lungs) for each in THRESHOLDS)
        before = found.get(patient, [Counts()] * len(THRESHOLDS))
        found[patient] = [counts + count(masks, mask) for counts, mask in zip(before, marked)]

    def best(patients) -> tuple[float, float]:
        return best_threshold([sum(at, Counts()) for at in zip(*(found[name] for name in patients))], THRESHOLDS)

    threshold, f1 = best(found)
    places = {name: list(THRESHOLDS).index(best(found.keys() - {name})[0]) for name in found}
    told = sum((found[name][place] for name, place in places.items()), Counts()).f1
    words = f"Threshold {threshold:g}, with the highest F1 over the pixels of {len(found)} patients, {f1:.3f}; "
    return threshold, f"{words}chosen for each patient on the others, {told:.3f}."


def knowing(segmenter: Segmenter, **other) -> Segmenter:
    """The same network, where its weights file would say something else."""
    return replace(segmenter, info=replace(segmenter.info, **other))


def judge(segmenters, cache) -> list[Judged]:
    """Every case that one of the networks has not seen, by the first such."""
    found = []
    for one, rows, patient in unseen(segmenters, cache, "judging"):
        for name, change in CHANGES.items():
            some = rows[:: -(-len(rows) // MOST[bool(name)])]
            images = change(cache.images[some].astype(np.float32)).clip(0, 255).round().astype(np.uint8)
            lesion = change(cache.masks[some] > 0) if name == "half the size" else cache.masks[some] > 0
            lungs = lung_mask(images)
            near, raw = lungs.near, one.probabilities_of_scan(images, lungs)
            marked, kept = one.mark_within(raw, lungs), near & (not name)
            sure, spots = raw[near], one.mark(raw)[near]
            if one.info.fill is not None:  # as `Segmenter.predict` asks it
                sure = predict_slices(one.network, one.greys(images, lungs)[images])[near]
                spots = sure >= one.threshold
            inside, total, mask = expected_counts(sure, spots)
            if mask and marked.any():
                expected, f1 = 2 * inside / (total + mask), count(lesion, marked).f1
                found.append(Judged(patient, name, expected, f1, raw[kept][::EVERY], lesion[kept][::EVERY]))
    return found


def fit_all(scans: list[Judged]) -> Calibration:
    """The line of all scans, and what share of pixels is lesion near each knot, made to rise (isotonic regression)."""
    raw, lesion = np.concatenate([one.raw for one in scans]), np.concatenate([one.lesion for one in scans])
    nearest = np.abs(logits(raw)[:, None] - KNOTS).argmin(axis=1)
    pixels, found = np.bincount(nearest, minlength=len(KNOTS)), np.bincount(nearest, lesion, len(KNOTS))
    rising = isotonic_regression(found / np.maximum(pixels, 1), weights=pixels + 1e-9).x
    return replace(fit_line(scans), shares=tuple(rising.round(4).tolist()))


def fit_line(scans: list[Judged]) -> Calibration:
    """From expected to real F1; patients weigh alike, a scan as it is as all its disturbed ones. The interval is wide
    enough for patients left out of the line (conformal)."""

    def line(some):
        names = [one.patient for one in some]
        weights = [((1 if one.change else len(CHANGES) - 1) / names.count(one.patient)) ** 0.5 for one in some]
        slope, best = np.polyfit([one.expected - 1 for one in some], [one.f1 for one in some], 1, w=weights)
        return Calibration(KNOTS * 0, round(float(np.clip(best, 0, 1)), 3), round(max(0.0, float(slope)), 3))

    left = []
    for name in dict.fromkeys(one.patient for one in scans):
        fit = line([one for one in scans if one.patient != name])
        left += [one.f1 - fit.line(one.expected) for one in scans if one.patient == name]
    reach = min(1.0, np.ceil((len(left) + 1) * 0.95) / len(left))
    below, above = (max(0.001, float(side)) for side in np.quantile(left, [1 - reach, reach]) * (-1, 1))
    return replace(line(scans), f1_below=round(below, 3), f1_above=round(above, 3))


def left_out(scans: list[Judged]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The table, and what of each scan was told and is true: each patient is told of by what was fitted on others."""
    pixels, told, each = [], [], []
    for name in dict.fromkeys(one.patient for one in scans):
        rest, own = ([one for one in scans if (one.patient == name) == mine] for mine in (False, True))
        fit = fit_all(rest)
        for one in own:
            median = np.median([other.f1 for other in rest if bool(other.change) == bool(one.change)])
            said = fit.line(one.expected)
            low, high = max(0.0, said - fit.f1_below), min(1.0, said + fit.f1_above)
            inside = low <= one.f1 <= high
            numbers = {"predicted F1": said, "low": low, "high": high, "F1": one.f1}
            each.append({"patient": name, "change": one.change, **{k: f"{v:.3f}" for k, v in numbers.items()}})
            told.append((not one.change, one.f1, said, inside, abs(one.f1 - said), abs(one.f1 - median)))
            pixels.append((one.raw, fit.probabilities(one.raw), one.lesion))
    *both, lesion = map(np.concatenate, zip(*pixels))
    found = [reliability(lesion[some > 0.05], some[some > 0.05]) for some in both]
    raw, calibrated = (f"{one.error:.3f} ({one.pixels.sum():,} pixels)" for one in found)
    (clean, f1, said, inside, error, usual), rows = map(np.array, zip(*told)), []
    for name, some in {"as they are": clean, "disturbed": ~clean}.items():
        worst = f1[some] <= np.quantile(f1[some], 1 / 3)
        rows.append({
            "scans": f"{some.sum()} {name}",
            "F1: lowest, median, highest": ", ".join(f"{v:.2f}" for v in np.quantile(f1[some], (0, 0.5, 1))),
            "inside the 90 % interval": f"{inside[some].mean():.2f}",
            "AUC of finding the worst third": f"{error_ranking(-said[some], worst):.2f}",
            "mean error of the predicted F1": f"{error[some].mean():.3f}",
            "of others' median": f"{usual[some].mean():.3f}",
            "ECE": raw if some is clean else "", "ECE, calibrated": calibrated if some is clean else "",
        })  # fmt: skip
    return rows, each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--data", required=True)
    parser.add_argument("--sisters", nargs="*")
    options = parser.parse_args()
    cache = open_slice_cache(open_cohort(options.data))
    path, words = find_weights(options.weights), ""
    info, judges = read_info(path), [open_segmenter(one, quick=True) for one in options.sisters or [options.weights]]
    judges = [knowing(one, smallest=info.smallest, fill=info.fill) for one in judges]
    if options.sisters:
        threshold, words = choose_threshold(judges, cache)
        info, judges = replace(info, threshold=threshold), [knowing(one, threshold=threshold) for one in judges]
    scans = judge(judges, cache)
    (rows, each), fit, sisters = left_out(scans), fit_all(scans), " --sisters FILES" if options.sisters else ""
    write_rows(RESULTS / "runs" / f"calibration-{options.weights}.csv", each)  # for notebook 09 to draw
    info = replace(info, calibration=fit)
    with h5py.File(path, "a") as file:  # nothing else in it changes, nor in the .onnx
        file.attrs[ATTRIBUTE] = json.dumps(asdict(info))
    describe(stem(path).with_name(f"{stem(path).name}.onnx"), info)
    words += " Inside the lungs; each patient is told of by what was fitted on the others."
    write_table(
        RESULTS / f"calibration-{options.weights}",
        f"How far the weights {options.weights} can be believed", rows, f"{words} Kept, fitted on all: {fit}.".strip(),
        command=f"python -m studies.calibration {options.weights} --data FOLDER{sisters}",
        data=cache.cohort, protocol=f"patient, {len({one.patient for one in scans})} left out once each",
        grid=f"{cache.size} px", seeds="none: the weights are given",
    )  # fmt: skip
    print(f"{markdown(rows)}\n\n{fit}")


if __name__ == "__main__":
    main()
