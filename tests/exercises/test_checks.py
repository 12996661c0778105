"""The exercise checks: the reference answer passes, and each typical mistake is named."""

import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.data.intensities import window
from covidlab.data.patches import slice_patches
from covidlab.evaluation.counts import Counts
from covidlab.evaluation.detection import detection
from covidlab.evaluation.patients import patient_interval
from covidlab.evaluation.slices import SliceTable
from covidlab.exercises.nb01 import check_window, check_window_ends
from covidlab.exercises.nb02 import check_grey_to_hu, check_patient_split
from covidlab.exercises.nb03 import check_patch_count, check_true_share
from covidlab.exercises.nb04 import check_bottleneck_field, check_receptive_field
from covidlab.exercises.nb05 import check_bottleneck_weights, check_f1
from covidlab.exercises.nb06 import check_empty_mask_accuracy, check_soft_dice, check_threshold_for_recall
from covidlab.exercises.nb07 import check_caught, check_convolution_gflop, check_patient_interval
from covidlab.exercises.nb08 import check_int8_megabytes, check_scored_slices
from covidlab.models.builders import MODELS
from covidlab.models.receptive_field import reaches
from covidlab.models.stages import gflop_per_slice


def counts(reference, prediction):
    both = np.sum(reference & prediction)
    return both, prediction.sum() - both, reference.sum() - both


def right(reference, prediction):
    tp, fp, fn = counts(reference, prediction)
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else np.nan


def by_precision_and_recall(reference, prediction):
    tp, fp, fn = counts(reference, prediction)
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return 2 * precision * recall / (precision + recall)


def python_numbers(reference, prediction):
    tp, fp, fn = map(int, counts(reference, prediction))
    return 2 * tp / (2 * tp + fp + fn)


def test_the_bottleneck_of_the_model_itself_is_the_right_answer():
    weights = MODELS["light_unet"]().get_layer("bottleneck_b").count_params()
    assert check_bottleneck_weights(weights).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [(147584, "bias"), (16384, "1 x 1"), (1152, "one kernel"), (73728, "first"), (49152, "nine"), (5, "multiply")],
)
def test_a_wrong_number_of_weights_is_explained(answer, word):
    sentence = check_bottleneck_weights(answer)
    assert sentence.startswith("Not quite") and word in sentence


def test_the_reference_f1_is_right():
    assert check_f1(right).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda r, p: (r == p).mean(), "accuracy"),
        (lambda r, p: np.sum(r & p) / np.sum(r | p), "IoU"),
        (lambda r, p: np.sum(r & p) / p.sum(), "precision"),
        (lambda r, p: np.sum(r & p) / r.sum(), "recall"),
        (lambda r, p: np.sum(r & p) / (r.sum() + p.sum()), "two"),
        (lambda r, p: (np.sum(r & p) / p.sum() + np.sum(r & p) / r.sum()) / 2, "harmonic"),
        (python_numbers, "divides by zero"),
        (lambda r, p: np.nan_to_num(right(r, p)), "has no F1"),
        (by_precision_and_recall, "all of a lesion is missed. Here F1 is 0."),
        (lambda r, p: r & p, "one number"),
        (lambda r, p: r + missing, "NameError"),  # noqa: F821
        (lambda r, p: 0.123, "give 0.123"),
    ],
)
def test_a_wrong_f1_is_explained(answer, word):
    sentence = check_f1(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_is_not_an_error(answer):
    assert check_f1(lambda r, p: answer).startswith("Not yet")
    assert check_bottleneck_weights(answer).startswith("Not yet")


@pytest.mark.parametrize(
    "black, white, word",
    [
        (-1200, 0, "Right"),
        (0, -1200, "other way round"),
        (-1800, 600, "twice as wide"),
        (-600, 600, "starts at the level"),
        (-1800, -600, "ends at the level"),
        (-600, 1200, "themselves"),
        (0, 1200, "negative"),
        (-1000, 0, "half a width down"),
        (..., 0, "Not yet"),
        (-1200, None, "Not yet"),
    ],
)
def test_the_ends_of_a_window(black, white, word):
    assert word in check_window_ends(black, white)


def windowed(hu, level, width):
    return np.clip((hu - (level - width / 2)) / width, 0, 1)


def in_place(hu, level, width):
    grey = (hu - (level - width / 2)) / width
    grey[grey < 0] = 0
    grey[grey > 1] = 1
    return grey


def scalar_only(hu, level, width):
    return 0 if hu < level - width / 2 else 1


def ends_only(hu, level, width, between):
    """Black below and white above, and whatever one likes between."""
    return np.where(hu < level - width / 2, 0, np.where(hu > level + width / 2, 1, between))


@pytest.mark.parametrize("answer", [windowed, in_place, window])
def test_right_windows(answer):
    assert check_window(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda hu, level, width: np.minimum((hu - (level - width / 2)) / width, 1), "-1000 HU it gives -0.667. Below"),
        (lambda hu, level, width: np.maximum((hu - (level - width / 2)) / width, 0), "3000 HU it gives 3.778. Below"),
        (lambda hu, level, width: np.clip((hu - level) / width, 0, 1), "starts at the level"),
        (lambda hu, level, width: np.clip((hu - (level - width)) / (2 * width), 0, 1), "twice as wide"),
        (lambda hu, level, width: np.clip((hu - (level - width / 4)) / (width / 2), 0, 1), "half as wide"),
        (lambda hu, level, width: np.clip(hu, level - width / 2, level + width / 2), "still in HU"),
        (lambda hu, level, width: 255 * windowed(hu, level, width), "up to 255"),
        (lambda hu, level, width: (255 * windowed(hu, level, width)).astype(np.uint8), "up to 255"),
        (lambda hu, level, width: np.round(255 * windowed(hu, level, width)), "up to 255"),
        (lambda hu, level, width: ends_only(hu, level, width, hu), "in between it is still in HU"),
        (lambda hu, level, width: ends_only(hu, level, width, hu - level + width / 2), "in between it is still in HU"),
        (lambda hu, level, width: ends_only(hu, level, width, 9), "at -175 HU it gives 9.000; 0.250 is expected"),
        (lambda hu, level, width: hu - (level - width / 2) / width, "Subtract first"),
        (lambda hu, level, width: np.clip(hu - (level - width / 2) / width, 0, 1), "Subtract first"),
        (lambda hu, level, width: 1 - windowed(hu, level, width), "changed places"),
        (lambda hu, level, width: hu > level, "only black and white"),
        (lambda hu, level, width: hu >= level, "only black and white"),
        (lambda hu, level, width: windowed(hu, level, width)[0], "shape (3,)"),
        (lambda hu, level, width: windowed(hu, level, width) ** 2, "is expected"),
        (scalar_only, "ValueError"),
        (lambda hu, level, width: None, "Not yet"),
    ],
)
def test_a_wrong_window_is_explained(answer, word):
    sentence = check_window(answer)
    assert not sentence.startswith("Right") and word in sentence, sentence


@pytest.mark.parametrize(
    "answer, word",
    [
        (-350, "Right"),
        (153 / 255 * 1500 - 1250, "Right"),
        (-353, "Right"),  # with 256 steps
        (900, "way up from black"),
        (-650, "counts down"),
        (-400, "-1000"),
        (-1097, "not 1 HU"),
        (350, "sign"),
        (0.6, "share"),
        (77, "find how far"),
        (..., "Not yet"),
        (None, "Not yet"),
    ],
)
def test_a_grey_value_back_to_hu(answer, word):
    assert word in check_grey_to_hu(answer)


def by_isin(patients, test_patients):
    held_out = np.isin(patients, test_patients)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def by_loop(patients, test_patients):
    train, test = [], []
    for position, patient in enumerate(patients):
        (test if patient in test_patients else train).append(position)
    return train, test


def shuffled_slices(patients, test_patients):
    order = np.random.default_rng(0).permutation(len(patients))
    return order[2:], order[:2]


def by_substring(patients, test_patients):
    held_out = np.array([any(name in patient for name in test_patients) for patient in patients])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def first_slice_only(patients, test_patients):
    train, test = by_isin(patients, test_patients)
    return train, np.array([np.flatnonzero(patients == name)[0] for name in test_patients])


def only_the_first(patients, test_patients):
    return np.flatnonzero(patients != test_patients[0]), np.flatnonzero(patients == test_patients[0])


def all_train(patients, test_patients):
    return np.arange(len(patients)), by_isin(patients, test_patients)[1]


@pytest.mark.parametrize("answer", [by_isin, by_loop])
def test_right_splits_by_patient(answer):
    assert check_patient_split(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (shuffled_slices, "both sides"),
        (all_train, "1, 4 stand on both sides"),
        (by_substring, "patient 10"),
        (first_slice_only, "in neither part"),
        (only_the_first, "patients in test: 4."),
        (lambda p, t: (np.flatnonzero(p != t), np.flatnonzero(p == t)), "fails with"),
        (lambda p, t: by_isin(p, t)[::-1], "changed places"),
        (lambda p, t: (~np.isin(p, t), np.isin(p, t)), "flatnonzero"),
        (lambda p, t: (sorted(set(p) - set(t)), t), "whole numbers"),
        (lambda p, t: by_isin(p, t)[0], "two arrays"),
        (lambda p, t: (np.repeat(by_isin(p, t)[0], 2), by_isin(p, t)[1]), "twice"),
        (lambda p, t: (np.arange(11) + 1, []), "0 to 10"),
        (lambda p, t: (np.arange(11), []), "none"),
        (lambda p, t: None, "Not yet"),
    ],
)
def test_a_wrong_split_is_explained(answer, word):
    sentence = check_patient_split(answer)
    assert not sentence.startswith("Right") and word in sentence, sentence


def test_the_patches_inside_a_slice_are_counted_by_making_them():
    patches = np.lib.stride_tricks.sliding_window_view(np.zeros((128, 128), np.uint8), (11, 11))
    assert check_patch_count(patches.shape[0] * patches.shape[1]).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (slice_patches(np.zeros((128, 128))).shape[0] ** 2, "stick out"),
        ((128 - 11) ** 2, "one row and one column short"),
        ((128 - 5) ** 2, "edge across"),
        ((128 - 22) ** 2, "5 pixels from"),
        (121, "fit beside"),
        (118, "one row"),
        (384_400, "630"),
        (13_925, "count the rows"),
    ],
)
def test_a_wrong_number_of_patches_is_explained(answer, word):
    sentence = check_patch_count(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def by_odds(balanced, share):
    odds = balanced / (1 - balanced) * share / (1 - share)
    return odds / (1 + odds)


def by_counting(balanced, share):
    """A million patches of each probability, drawn as the slices have them."""
    lesion, healthy = balanced * 1e6, (1 - balanced) * 1e6
    return lesion * share / (lesion * share + healthy * (1 - share))


def rounded(balanced, share):
    return by_odds(balanced, share).round(3)


@pytest.mark.parametrize("answer", [by_odds, by_counting, rounded])
def test_the_true_share_is_right_in_any_form(answer):
    assert check_true_share(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda p, share: p * share, "sum to one"),
        (lambda p, share: p, "nothing changes"),
        (lambda p, share: by_odds(p, 1 - share), "swapped"),
        (lambda p, share: p / (1 - p) * share / (1 - share), "odds"),
        (lambda p, share: p * share / (p * share + 1 - p), "only lesion"),
        (lambda p, share: p * share / 0.5, "rise above"),
        (lambda p, share: p * share / (p * share + 0.5 * (1 - share)), "in place of 1 - balanced"),
        (lambda p, share: np.full_like(p, share), "0.9 at a share of 0.2 must become 0.692; yours becomes 0.2."),
        (lambda p, share: p - (0.5 - share), "0.1 at a share of 0.2 must become 0.027; yours becomes -0.2."),
        (lambda p, share: p**2, "0.8 at a share of 0.2 must become 0.5; yours becomes 0.64."),
        (lambda p, share: 0.2, "shape"),
        (lambda p, share: p + missing, "NameError"),  # noqa: F821
    ],
)
def test_a_wrong_share_is_explained(answer, word):
    sentence = check_true_share(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def test_the_bottlenecks_field_is_the_models_own():
    field = reaches(MODELS["light_unet"](), "bottleneck_b")[-1].field
    assert check_bottleneck_field(field).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [(16, "stride"), (76, "before"), (108, "or each adds 16 in place of"),
     (25, "forgets the strides"), (21, "poolings"), (125, "itself"), (128, "layer by layer")],
)  # fmt: skip
def test_a_wrong_field_of_the_bottleneck_is_explained(answer, word):
    sentence = check_bottleneck_field(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def from_the_last_layer_back(windows):
    field = 1
    for kernel, step in reversed(windows):
        field = (field - 1) * step + kernel
    return field


def forgets_to_start(windows):
    return from_the_last_layer_back(windows) - 1


def steps_too_early(windows):
    field, stride = 1, 1
    for kernel, step in windows:
        stride *= step
        field += (kernel - 1) * stride
    return field


def adds_whole_kernels(windows):
    field, stride = 1, 1
    for kernel, step in windows:
        field += kernel * stride
        stride *= step
    return field


def test_the_field_worked_out_backwards_is_right():
    assert check_receptive_field(from_the_last_layer_back).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda windows: 1 + sum(kernel - 1 for kernel, _ in windows), "forgets the steps"),
        (steps_too_early, "too early"),
        (adds_whole_kernels, "k - 1"),
        (forgets_to_start, "start from 1"),
        (lambda windows: np.prod([step for _, step in windows]), "that is the stride"),
        (lambda windows: (27, 4), "one number"),
        (lambda windows: max(1, len(windows)) * 5, "yours says"),
        (lambda windows: from_the_last_layer_back(windows) if windows else 0, "sees itself"),
        (lambda windows: from_the_last_layer_back(windows) + 0 * windows[0][0], "without any layer it fails"),
    ],
)
def test_a_wrong_receptive_field_is_explained(answer, word):
    sentence = check_receptive_field(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_to_the_model_notebooks_is_not_an_error(answer):
    assert check_patch_count(answer).startswith("Not yet")
    assert check_bottleneck_field(answer).startswith("Not yet")
    assert check_true_share(lambda balanced, share: answer).startswith("Not yet")
    assert check_receptive_field(lambda windows: answer).startswith("Not yet")


def test_an_empty_mask_is_right_wherever_there_is_no_lesion():
    assert check_empty_mask_accuracy(Counts(tp=0, fp=0, fn=2, tn=8).accuracy).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [(0.2, "wrong"), (80, "percent"), (0, "recall"), (0.999, "small"), (0.99, "all slices"), (0.9903, "all slices"),
     (0.5, "guess"), (1, "without"), (0.7, "which")],
)  # fmt: skip
def test_a_wrong_accuracy_of_an_empty_mask_is_explained(answer, word):
    sentence = check_empty_mask_accuracy(answer)
    assert sentence.startswith("Not quite") and word in sentence


def keras_dice(reference, probability):
    from covidlab.training.losses import LOSSES

    return float(LOSSES["dice"]()(reference.astype(np.float32), probability.astype(np.float32)))


def soft_dice(reference, probability):
    return 1 - 2 * np.sum(reference * probability) / (np.sum(reference) + np.sum(probability))


@pytest.mark.parametrize("answer", [soft_dice, keras_dice])
def test_soft_dice_by_hand_and_from_keras_are_right(answer):
    assert check_soft_dice(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda r, p: 1 - soft_dice(r, p), "score"),
        (lambda r, p: 1 - (r * p).sum() / (r.sum() + p.sum()), "factor of two"),
        (lambda r, p: 1 - (r * p).sum() / (r + p - r * p).sum(), "IoU"),
        (lambda r, p: soft_dice(r, p > 0.5), "slope"),
        (lambda r, p: 1 - 2 * (r * p).sum() / ((r * r).sum() + (p * p).sum()), "V-Net"),
        (lambda r, p: np.mean([soft_dice(*both) for both in zip(r, p)]), "mean over slices"),
        (lambda r, p: 1 - (r * p).sum() / r.sum(), "soft recall"),
        (lambda r, p: 1 - (r * p).sum() / p.sum(), "soft precision"),
        (lambda r, p: [soft_dice(*both) for both in zip(r, p)], "one number"),
        (lambda r, p: 1 - 2 * np.sum(r & p) / (r.sum() + p.sum()), "multiply instead of `&`"),
        (lambda r, p: soft_dice(r, missing), "NameError"),  # noqa: F821
        (lambda r, p: 0.123, "give 0.123"),
    ],
)
def test_a_wrong_soft_dice_is_explained(answer, word):
    sentence = check_soft_dice(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def highest(thresholds, counts, recall):
    return max(threshold for threshold, one in zip(thresholds, counts) if one.recall >= recall)


def highest_by_numpy(thresholds, counts, recall):
    return thresholds[np.array([one.recall for one in counts]) >= recall].max()


@pytest.mark.parametrize("answer", [highest, highest_by_numpy])
def test_the_highest_threshold_with_enough_recall_is_right(answer):
    assert check_threshold_for_recall(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda t, c, r: min(a for a, b in zip(t, c) if b.recall >= r), "higher threshold"),
        (lambda t, c, r: max(a for a, b in zip(t, c) if b.recall > r), "exactly"),
        (lambda t, c, r: max(a for a, b in zip(t, c) if b.precision >= r), "less than wanted"),
        (lambda t, c, r: t[int(np.argmax([one.f1 for one in c]))], "does it use"),
        (lambda t, c, r: [one.recall >= r for one in c].index(False) - 1, "place"),
        (lambda t, c, r: t[np.argmin([abs(one.recall - r) for one in c])], "nearest recall; it may fall short"),
        (lambda t, c, r: r, "none of"),
        (lambda t, c, r: [a for a, b in zip(t, c) if b.recall >= r], "one threshold"),
        (lambda t, c, r: c.recall, "AttributeError"),
    ],
)
def test_a_wrong_threshold_is_explained(answer, word):
    sentence = check_threshold_for_recall(answer)
    assert sentence.startswith("Not quite") and word.lower() in sentence.lower(), sentence


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_to_notebook_06_is_not_an_error(answer):
    assert check_empty_mask_accuracy(answer).startswith("Not yet")
    assert check_soft_dice(lambda r, p: answer).startswith("Not yet")
    assert check_threshold_for_recall(lambda t, c, r: answer).startswith("Not yet")


def test_the_arithmetic_that_tensorflow_does_is_the_right_answer():
    maps = keras.Input((None, None, 1))
    spread = keras.layers.Conv2D(8, 1, use_bias=False)(maps)
    model = keras.Model(maps, keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(spread))
    alone = gflop_per_slice(model, 640) - gflop_per_slice(keras.Model(maps, spread), 640)
    assert check_convolution_gflop(alone).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [(0.236, "two operations"), (0.0524, "1 x 1"), (0.157, "nine"), (0.059, "all 8"), (0.457, "padded"),
     (1.152e-6, "one place"), (7.37e-4, "one row"), (471859200, "in operations"), (471.9, "MFLOP"), (3, "multiply")],
)  # fmt: skip
def test_a_wrong_count_of_operations_is_explained(answer, word):
    sentence = check_convolution_gflop(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def by_patient(patients, *counts):
    return np.array([[one[patients == name].sum() for one in counts] for name in dict.fromkeys(patients.tolist())])


def f1_of(rows):
    tp, fp, fn = np.sum(rows, axis=0)
    return 2 * tp / (2 * tp + fp + fn)


def interval(rows, random, score=f1_of, ends=(2.5, 97.5), drawn=None):
    drawn = drawn or len(rows)
    return np.percentile([score(rows[random.integers(len(rows), size=drawn)]) for _ in range(2000)], ends)


def over_patients(patients, tp, fp, fn, random, **options):
    return interval(by_patient(patients, tp, fp, fn), random, **options)


def as_the_package_does(patients, tp, fp, fn, random):
    table = SliceTable(patients, patients, np.arange(len(tp)), tp, fp, fn, 0 * tp)
    found = patient_interval(table)
    return found.low, found.high


@pytest.mark.parametrize("answer", [over_patients, as_the_package_does])
def test_an_interval_over_patients_is_right(answer):
    assert check_patient_interval(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda p, tp, fp, fn, random: interval(np.stack([tp, fp, fn], 1), random), "over slices"),
        (lambda *given: over_patients(*given, ends=(5, 95)), "90 %"),
        (lambda *given: over_patients(*given, ends=(25, 75)), "quartiles"),
        (lambda *given: over_patients(*given, ends=(97.5, 2.5)), "low comes first"),
        (lambda *given: over_patients(*given, score=lambda rows: np.mean([f1_of([row]) for row in rows])), "mean"),
        (lambda *given: over_patients(*given, drawn=1), "the worst and the best"),
        (lambda p, tp, fp, fn, random: (lambda each: (min(each), max(each)))(
            [f1_of([row]) for row in by_patient(p, tp, fp, fn)]), "the worst and the best"),
        (lambda p, tp, fp, fn, random: [f1_of(by_patient(p, tp, fp, fn)[random.permutation(12)])] * 2, "replacement"),
        (lambda p, tp, fp, fn, random: 0.7, "two numbers"),
        (lambda p, tp, fp, fn, random: (np.nan, 1), "nan"),
        (lambda p, tp, fp, fn, random: (0.1, 0.2), "expected"),
        (lambda p, tp, fp, fn, random: missing, "NameError"),  # noqa: F821
    ],
)  # fmt: skip
def test_a_wrong_interval_is_explained(answer, word):
    sentence = check_patient_interval(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def caught(z, positive, found, reach):
    return sum(any(found & (abs(z - one) <= reach)) for one in z[positive & ~found])


def caught_by_the_package(z, positive, found, reach):
    tp, fn = found.astype(int), (positive & ~found).astype(int)
    case = np.array(["a"] * len(z))
    return detection(SliceTable(case, case, z, tp, 0 * tp, fn, 0 * tp), reach=reach).caught_by_neighbour


@pytest.mark.parametrize("answer", [caught, caught_by_the_package])
def test_missed_slices_with_a_found_neighbour_are_counted(answer):
    assert check_caught(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda z, positive, found, reach: (positive & ~found).sum(), "how many were missed"),
        (lambda z, positive, found, reach: caught(z, positive, found, reach) + found.sum(), "found itself"),
        (lambda z, positive, found, reach: caught(z, np.ones_like(positive), found, reach), "without lesion"),
        (lambda z, positive, found, reach: caught(np.arange(len(z)), positive, found, reach), "place in the array"),
        (lambda z, positive, found, reach: caught(z, positive, found, 1), "use `reach`"),
        (lambda z, positive, found, reach: caught(z, positive, found, reach - 1), "exactly `reach`"),
        (lambda z, positive, found, reach: sum(any(found & (z >= one) & (z - one <= reach))
                                               for one in z[positive & ~found]), "below"),
        (lambda z, positive, found, reach: sum(any(found & (z <= one) & (one - z <= reach))
                                               for one in z[positive & ~found]), "above"),
        (lambda z, positive, found, reach: z[positive & ~found], "one number"),
        (lambda z, positive, found, reach: 99, "it gives 99"),
        (lambda z, positive, found, reach: missing, "NameError"),  # noqa: F821
    ],
)  # fmt: skip
def test_a_wrong_count_of_caught_slices_is_explained(answer, word):
    sentence = check_caught(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_to_notebook_07_is_not_an_error(answer):
    assert check_convolution_gflop(answer).startswith("Not yet")
    assert check_patient_interval(lambda *given: answer).startswith("Not yet")
    assert check_caught(lambda *given: answer).startswith("Not yet")


def test_one_byte_a_weight_of_the_model_itself_is_the_right_answer():
    assert check_int8_megabytes(MODELS["light_unet"]().count_params() / 1e6).startswith("Right")
    assert check_int8_megabytes(0.5).endswith("The file adds names and scales, and keeps biases in 32 bits.")


@pytest.mark.parametrize(
    "answer, word",
    [(1.95, "4 bytes"), (3.9, "8 bytes"), (0.97, "2 bytes"), (0.24, "half"), (486, "kilobytes"), (486441, "in bytes"),
     (0, "count"), (2.5, "count")],
)  # fmt: skip
def test_a_wrong_size_is_explained(answer, word):
    sentence = check_int8_megabytes(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def far_enough(slices, annotated, gap):
    return slices[(np.abs(slices[:, None] - annotated) > gap).all(axis=1)]


def loop(slices, annotated, gap):
    return [z for z in slices if all(abs(z - a) > gap for a in annotated)]


def by_place(slices, annotated, gap):
    """Right only where slice numbers do not jump."""
    places = np.searchsorted(slices, annotated)
    near = np.abs(np.arange(len(slices))[:, None] - places) <= gap
    return slices[~near.any(axis=1)]


@pytest.mark.parametrize("answer", [far_enough, loop])
def test_slices_far_from_annotated_ones_may_be_scored(answer):
    assert check_scored_slices(answer).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda s, a, gap: np.setdiff1d(s, a), "neighbours"),
        (lambda s, a, gap: a, "annotated slices"),
        (lambda s, a, gap: s, "nothing is left out"),
        (lambda s, a, gap: far_enough(s, a, gap - 1), "too few"),
        (lambda s, a, gap: far_enough(s, a, gap + 1), "too many"),
        (lambda s, a, gap: np.setdiff1d(s, far_enough(s, a, gap)), "Return the others"),
        (lambda s, a, gap: far_enough(s, a, gap)[::-1], "another order"),
        (lambda s, a, gap: far_enough(s, a, 2), "gap of 0"),
        (lambda s, a, gap: (np.abs(s[:, None] - a) > gap).all(axis=1), "mask"),
        (lambda s, a, gap: np.setdiff1d(s, np.concatenate([a, a + 1, a + 2])), "Look below"),
        (lambda s, a, gap: np.setdiff1d(s, np.concatenate([a, a - 1, a - 2])), "Look above"),
        (lambda s, a, gap: (np.abs(s[:, None] - a) > gap), "mask"),
        (by_place, "goes by place in the array; slice numbers may jump"),
        (lambda s, a, gap: s[missing], "NameError"),  # noqa: F821
        (lambda s, a, gap: s[:5], "5 slices are returned"),
    ],
)
def test_a_wrong_choice_of_slices_is_explained(answer, word):
    sentence = check_scored_slices(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_to_notebook_08_is_not_an_error(answer):
    assert check_int8_megabytes(answer).startswith("Not yet")
    assert check_scored_slices(lambda s, a, gap: answer).startswith("Not yet")
