"""The exercise checks: the reference answer passes, and each typical mistake is named."""

import numpy as np
import pytest

from covidlab.checks import check_bottleneck_weights, check_f1, check_int8_megabytes, check_scored_slices
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


def test_one_byte_a_weight_of_the_model_itself_is_the_right_answer():
    assert check_int8_megabytes(MODELS["light_unet"]().count_params() / 1e6).startswith("Right")
    assert check_int8_megabytes(0.5).startswith("Right")


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
