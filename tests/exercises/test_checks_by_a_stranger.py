"""Wrong answers by somebody who had read the exercises, and neither the checks nor the solutions, when writing them.

Each is refused, and most are told what is wrong. Mistakes that `test_checks.py` names already are not repeated here.
"""

import numpy as np
import pytest

from covidlab import exercises
from covidlab.exercises import nb02, nb07
from tests.exercises.test_checks import (
    by_isin,
    by_odds,
    by_patient,
    caught,
    far_enough,
    from_the_last_layer_back,
    highest,
    interval,
    over_patients,
    right,
    soft_dice,
    windowed,
)

DOTS = ...

NUMBERS = [
    ("window_ends", "a quarter of the width on each side", (-900, -300), "half a width"),
    ("window_ends", "the window that the course uses", (-1250, 250), "half a width"),
    ("window_ends", "one end only", (-1200, DOTS), "Not yet"),
    ("window_ends", "text", ("-1200", "0"), "plain number"),
    ("grey_to_hu", "level taken for the lower end", 400, "find how far"),
    ("grey_to_hu", "the window ends at 0", -500, "find how far"),
    ("grey_to_hu", "grey taken for HU", 153, "find how far"),
    ("grey_to_hu", "number and unit as text", "-350 HU", "plain number"),
    ("patch_count", "128 - 10 + 1 a side", 119**2, "centre"),
    ("patch_count", "118 rows of 128", 118 * 128, "centre"),
    ("patch_count", "pixels of one patch", 11 * 11, "121 pixels"),
    ("patch_count", "a comma between thousands", (13, 924), "comma"),
    ("bottleneck_field", "started at 0", 139, "start from 1"),
    ("bottleneck_field", "three levels", 68, "four"),
    ("bottleneck_field", "one convolution a level", 110, "two convolutions"),
    ("bottleneck_field", "field and stride together", (140, 16), "plain number"),
    ("bottleneck_field", "places that are left", 8, "layer by layer"),
    ("bottleneck_weights", "bytes", 147456 * 4, "bytes"),
    ("bottleneck_weights", "times the positions", 147456 * 64, "positions"),
    ("bottleneck_weights", "both convolutions", 221184, "second"),
    ("bottleneck_weights", "maps added", 256 * 9, "multiply"),
    ("empty_mask_accuracy", "share of lesion in percent", 20, "wrong"),
    ("empty_mask_accuracy", "the number of section 1", 0.990, "all slices"),
    ("empty_mask_accuracy", "percent as text", "80 %", "plain number"),
    ("empty_mask_accuracy", "its precision", np.nan, "which pixels"),
    ("convolution_gflop", "one place, in operations", 1152, "one place"),
    ("convolution_gflop", "a slice of 128 x 128", 0.0189, "640 x 640"),
    ("convolution_gflop", "divided by 2^30", 0.4395, "2^30"),
    ("convolution_gflop", "maps added", 0.118, "multiply"),
    ("convolution_gflop", "number and unit as text", "0.47 GFLOP", "plain number"),
    ("int8_megabytes", "divided by the 8 bits", 0.0608, "one bit"),
    ("int8_megabytes", "2^20 bytes", 0.4639, "2^20"),
    ("int8_megabytes", "number and unit as text", "0.49 MB", "plain number"),
]


@pytest.mark.parametrize("exercise, mistake, answer, word", NUMBERS, ids=[f"{one[0]}: {one[1]}" for one in NUMBERS])
def test_a_strangers_number_is_refused_with_a_fitting_hint(exercise, mistake, answer, word):
    check = getattr(exercises, f"check_{exercise}")
    sentence = check(*answer) if exercise == "window_ends" else check(answer)
    assert not sentence.startswith("Right") and word in sentence, sentence


def test_a_bias_or_a_rounded_number_is_no_mistake():
    assert nb07.check_convolution_gflop(2 * (8 * 8 * 9 + 8) * 640 * 640 / 1e9).startswith("Right")
    assert nb07.check_convolution_gflop(0.47).startswith("Right")
    assert nb02.check_grey_to_hu(153 * 5.9 - 1250).startswith("Right")


def clips_the_scan_itself(hu, level, width):
    low, high = level - width / 2, level + width / 2
    hu[hu < low] = low
    hu[hu > high] = high
    return (hu - low) / width


def own_darkest_and_brightest(hu, level, width):
    clipped = np.clip(hu, level - width / 2, level + width / 2)
    return (clipped - clipped.min()) / (clipped.max() - clipped.min())


def black_beyond_white(hu, level, width):
    grey = (hu - (level - width / 2)) / width
    return np.where((grey >= 0) & (grey <= 1), grey, 0)


def patients_instead_of_slices(patients, test_patients):
    return by_isin(np.unique(patients), test_patients)


def empties_the_list(windows):
    field = from_the_last_layer_back(list(windows))
    windows.clear()
    return field


def every_step_halves(windows):
    return from_the_last_layer_back([(kernel, min(step, 2)) for kernel, step in windows])


def whole_neighbours(windows):
    return from_the_last_layer_back([(2 * (kernel // 2) + 1, step) for kernel, step in windows])


def returns_at_once(windows):
    for kernel, _ in windows:
        return kernel


def overlap_in_place(reference, prediction):
    total = reference.sum() + prediction.sum()
    reference &= prediction
    return 2 * reference.sum() / total if total else np.nan


def overlap_of_probabilities_in_place(reference, probability):
    total = reference.sum() + probability.sum()
    probability *= reference
    return 1 - 2 * probability.sum() / total


def shortens_counts(thresholds, counts, wanted):
    while counts[-1].recall < wanted:
        counts.pop()
    return thresholds[len(counts) - 1]


def drawn_twice_counts_once(patients, tp, fp, fn, random):
    scores, names = [], np.unique(patients)
    for _ in range(2000):
        chosen = np.isin(patients, random.choice(names, len(names)))
        scores.append(2 * tp[chosen].sum() / (2 * tp + fp + fn)[chosen].sum())
    return np.percentile(scores, [2.5, 97.5])


def drops_the_found_ones(z, positive, found, reach):
    positive &= ~found
    return caught(z, positive, found, reach)


def pairs(z, positive, found, reach):
    return (np.abs(z[positive & ~found][:, None] - z[found]) <= reach).sum()


def range_without_its_end(slices, annotated, gap):
    near = {z for one in annotated for z in range(one - gap, one + gap)}
    return [z for z in slices if z not in near]


FUNCTIONS = [
    ("window", "changes the scan", clips_the_scan_itself, "Work on a copy"),
    ("window", "stretched to the slice's own values", own_darkest_and_brightest, "Level and width decide"),
    ("window", "white turns black", black_beyond_white, "at 501 HU it gives 0.000; 1.000 is expected"),
    ("window", "whole numbers", lambda *g: windowed(*g).astype(np.uint8), "decimals"),
    ("window", "min and max of Python", lambda hu, level, width: min(max((hu - level) / width, 0), 1), "one number"),
    ("window", "forgets to return", lambda *g: print(windowed(*g)), "`return`"),
    ("patient_split", "np.where without [0]", lambda p, t: tuple(map(np.where, (p != "4", p == "4"))), "first part"),
    ("patient_split", "positions of patients", patients_instead_of_slices, "patient 1 stands on both sides"),
    ("patient_split", "the last slices are test", lambda p, t: (range(5), range(5, 11)), "both sides"),
    ("patient_split", "counted from 1", lambda p, t: [part + 1 for part in by_isin(p, t)], "0 to 10"),
    ("true_share", "probability of healthy", lambda p, share: 1 - by_odds(p, share), "healthy"),
    ("true_share", "odds / (1 - odds)", lambda p, share: p * share / ((1 - p) * (1 - share) - p * share), "become 0.5"),
    ("true_share", "lesion or not", lambda p, share: p >= 1 - share, "become 0.5;"),
    ("true_share", "an if for one number", lambda p, share: 1.0 if p == 1 else by_odds(p, share), "one number"),
    ("receptive_field", "changes the list", empties_the_list, "Work on a copy"),
    ("receptive_field", "a step of 3 taken for 2", every_step_halves, "sees 38 pixels"),
    ("receptive_field", "kernel // 2 on each side", whole_neighbours, "sees 38 pixels"),
    ("receptive_field", "each layer's own step", lambda w: 1 + sum((k - 1) * s for k, s in w), "before it"),
    ("receptive_field", "return inside the loop", returns_at_once, "inside the loop"),
    ("f1", "nan where only the reference is empty", lambda r, p: right(r, p) if r.any() else np.nan, "marked is false"),
    ("f1", "nan where only the prediction is empty", lambda r, p: right(r, p) if p.any() else np.nan, "missed"),
    ("f1", "None where both are empty", lambda r, p: right(r, p) if (r | p).any() else None, "returns nothing"),
    ("f1", "nan as text", lambda r, p: right(r, p) if (r | p).any() else "nan", "numbers"),
    ("f1", "changes the reference", overlap_in_place, "Work on a copy"),
    ("f1", "percent", lambda r, p: 100 * right(r, p), "percent"),
    ("f1", "mean over rows", lambda r, p: np.nanmean([right(*rows) for rows in zip(r, p)]), "an F1 of"),
    ("f1", "whole-number division", lambda r, p: right(r, p) // 1, "an F1 of"),
    ("f1", "F1 of the background", lambda r, p: right(~r, ~p), "an F1 of"),
    ("soft_dice", "changes the probabilities", overlap_of_probabilities_in_place, "Work on a copy"),
    ("soft_dice", "minus the score", lambda r, p: soft_dice(r, p) - 1, "minus the score"),
    ("soft_dice", "smoothed by 1", lambda r, p: 1 - (2 * (r * p).sum() + 1) / (r.sum() + p.sum() + 1), "smooth"),
    ("soft_dice", "sum of Python", lambda r, p: 1 - 2 * sum(r * p) / (sum(r) + sum(p)), "one number"),
    ("soft_dice", "any probability is a yes", lambda r, p: soft_dice(r, p > 0), "whose loss is"),
    ("threshold_for_recall", "changes the list", shortens_counts, "Work on a copy"),
    ("threshold_for_recall", "the recall", lambda t, c, r: min(one.recall for one in c if one.recall >= r), "a recall"),
    ("threshold_for_recall", "recall nearest to wanted", lambda t, c, r: min(
        zip(t, c), key=lambda one: abs(one[1].recall - r))[0], "nearest recall"),
    ("threshold_for_recall", "one too far", lambda t, c, r: t[list(t).index(highest(t, c, r)) + 1], "less than wanted"),
    ("threshold_for_recall", "the Counts", lambda t, c, r: c[list(t).index(highest(t, c, r))], "numbers are expected"),
    ("patient_interval", "drawn twice, counted once", drawn_twice_counts_once, "count twice"),
    ("patient_interval", "as many patients as slices", lambda p, *g: over_patients(p, *g, drawn=len(p)), "as many as"),
    ("patient_interval", "percent", lambda *g: 100 * over_patients(*g), "share"),
    ("patient_interval", "0.025 for percentile", lambda *g: over_patients(*g, ends=(0.025, 0.975)), "np.quantile"),
    ("patient_interval", "lowest and highest", lambda *g: over_patients(*g, ends=(0, 100)), "is expected"),
    ("patient_interval", "the last patient is never drawn", lambda p, tp, fp, fn, random: interval(
        by_patient(p, tp, fp, fn)[:-1], random), "is expected"),
    ("patient_interval", "the width", lambda *g: np.ptp(over_patients(*g)), "two numbers"),
    ("caught", "changes positive", drops_the_found_ones, "Work on a copy"),
    ("caught", "pairs", pairs, "pairs"),
    ("caught", "a share", lambda z, p, f, reach: caught(z, p, f, reach) / (p & ~f).sum(), "share"),
    ("caught", "those not caught", lambda z, p, f, reach: (p & ~f).sum() - caught(z, p, f, reach), "without a found"),
    ("caught", "found ones near a missed one", lambda z, p, f, reach: caught(z, f, p & ~f, reach), "found slices"),
    ("caught", "round the ends", lambda z, p, f, reach: (p & ~f & (np.roll(f, 1) | np.roll(f, -1))).sum(), "it gives"),
    ("scored_slices", "places in the array", lambda s, *g: np.flatnonzero(np.isin(s, far_enough(s, *g))), "places"),
    ("scored_slices", "annotated ones kept", lambda s, a, gap: np.union1d(far_enough(s, a, gap), a), "Training saw"),
    ("scored_slices", "range ends too early", range_without_its_end, "range"),
    ("scored_slices", "how many", lambda *g: len(far_enough(*g)), "list or array"),
    ("scored_slices", "first annotated only", lambda s, a, gap: far_enough(s, a[:1], gap), "2 of them annotated"),
    ("scored_slices", "any instead of all", lambda s, a, gap: s[(np.abs(s[:, None] - a) > gap).any(axis=1)], "nothing"),
]  # fmt: skip


@pytest.mark.parametrize("exercise, mistake, answer, word", FUNCTIONS, ids=[f"{one[0]}: {one[1]}" for one in FUNCTIONS])
def test_a_strangers_function_is_refused_with_a_fitting_hint(exercise, mistake, answer, word):
    sentence = getattr(exercises, f"check_{exercise}")(answer)
    assert not sentence.startswith("Right") and word in sentence, sentence


ODD = [DOTS, "text", ["a", "b"], {}, object(), [[1], [2, 3]], (None, None), [], 1j, np.nan, np.array([7.0]), int,
       (np.zeros((1, 3)), np.zeros((1, 2)))]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=[f"{type(one).__name__}" for one in ODD])
def test_whatever_comes_a_check_answers_with_a_sentence(odd):
    for exercise in {one[0] for one in NUMBERS}:
        check = getattr(exercises, f"check_{exercise}")
        sentence = check(odd, odd) if exercise == "window_ends" else check(odd)
        assert sentence.startswith(("Not quite", "Not yet")), (exercise, sentence)
    for exercise in {one[0] for one in FUNCTIONS}:
        sentence = getattr(exercises, f"check_{exercise}")(lambda *given: odd)
        assert sentence.startswith(("Not quite", "Not yet")), (exercise, sentence)
