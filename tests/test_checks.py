"""The exercise checks: the reference answer passes, and each typical mistake is named."""

import numpy as np
import pytest

from covidlab.checks import check_bottleneck_weights, check_f1
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
