"""The exercise checks: the reference answer passes, and each typical mistake is named."""

import numpy as np
import pytest

from covidlab.checks import (
    check_bottleneck_weights,
    check_empty_mask_accuracy,
    check_f1,
    check_soft_dice,
    check_threshold_for_recall,
)
from covidlab.metrics import Counts
from covidlab.models import MODELS


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
        (python_numbers, "divide by zero"),
        (lambda r, p: np.nan_to_num(right(r, p)), "has no F1"),
        (by_precision_and_recall, "all of a lesion is missed"),
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


# Notebook 06 ---------------------------------------------------------------------------------------------------------


def test_an_empty_mask_is_right_wherever_there_is_no_lesion():
    assert check_empty_mask_accuracy(Counts(tp=0, fp=0, fn=2, tn=8).accuracy).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [(0.2, "wrong"), (80, "percent"), (0, "recall"), (0.999, "small"), (0.5, "guess"), (1, "without"), (0.7, "which")],
)
def test_a_wrong_accuracy_of_an_empty_mask_is_explained(answer, word):
    sentence = check_empty_mask_accuracy(answer)
    assert sentence.startswith("Not quite") and word in sentence


def keras_dice(reference, probability):
    from covidlab.imbalance import LOSSES

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
        (lambda r, p: soft_dice(r, missing), "NameError"),  # noqa: F821
        (lambda r, p: 0.123, "give 0.123"),
    ],
)
def test_a_wrong_soft_dice_is_explained(answer, word):
    sentence = check_soft_dice(answer)
    assert sentence.startswith("Not quite") and word in sentence, sentence


def highest(thresholds, counts, recall):
    return max(threshold for threshold, one in zip(thresholds, counts) if one.recall >= recall)


def test_the_highest_threshold_with_enough_recall_is_right():
    assert check_threshold_for_recall(highest).startswith("Right")


@pytest.mark.parametrize(
    "answer, word",
    [
        (lambda t, c, r: min(a for a, b in zip(t, c) if b.recall >= r), "higher threshold"),
        (lambda t, c, r: max(a for a, b in zip(t, c) if b.recall > r), "exactly"),
        (lambda t, c, r: max(a for a, b in zip(t, c) if b.precision >= r), "less than wanted"),
        (lambda t, c, r: t[int(np.argmax([one.f1 for one in c]))], "does it use"),
        (lambda t, c, r: [one.recall >= r for one in c].index(False) - 1, "place"),
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
