"""Answers to the exercises, checked: right, or what kind of mistake it looks like.

A check takes an answer and returns one sentence; it never raises for a wrong answer and never shows the solution.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from numbers import Real
from typing import Any

import numpy as np

from covidlab import paper
from covidlab.metrics import Counts, count
from covidlab.patches import patch_count
from covidlab.receptive_field import reach_after
from covidlab.volumes import HIGHEST_HU, LOWEST_HU, window

NOT_YET = "Not yet: there is no answer to check."
NOTHING_BACK = "Not yet: the function returns nothing. What stands after `return` is its answer."


def _missing(answer) -> bool:
    """Whether the exercise still stands as it was given: dots, or a function that returns nothing."""
    return answer is None or answer is Ellipsis


def _no_number(*answers) -> str:
    """What to say where a number was asked for, and something else or nothing came; or ""."""
    if any(map(_missing, answers)):
        return NOT_YET
    if not all(isinstance(answer, Real) for answer in answers):
        return "Not quite: a plain number is expected, without quotes, unit, brackets or comma."
    return ""


def _ask(question: Callable[[], Any]) -> tuple[Any, str]:
    """What a learner's function answers, and what to say at once: that it fails, that nothing came; or ""."""
    try:
        answer = question()
    except Exception as error:  # an answer may fail in any way; the learner is told how
        problem = f"Not quite: it fails with {type(error).__name__}: {error}"
        if "truth value of an array" in problem:
            problem += ". An array comes in; `if`, `min` and `max` take one number. NumPy's functions take arrays."
        return None, problem
    return answer, NOTHING_BACK if _missing(answer) else ""


def _ask_for_numbers(question: Callable[[], Any]) -> tuple[np.ndarray | None, str]:
    """The same where the answer has to be a number, or an array of numbers."""
    answer, problem = _ask(question)
    if problem:
        return None, problem
    try:
        numbers = np.asarray(answer)
    except ValueError:  # rows of different lengths
        numbers = np.array(None)
    if numbers.dtype.kind not in "biuf":
        return None, f"Not quite: numbers are expected; it returns something else, of type {type(answer).__name__}."
    return numbers.astype(float), ""


def _right(sentence: str, function: Callable, *given) -> str:
    """That an answer is right, unless the function changes what it is given."""
    before = deepcopy(given)
    _ask(lambda: function(*given))
    if not all(map(np.array_equal, given, before)):
        return "Not quite: the answer is right, but the function changes what it is given. Work on a copy."
    return f"Right: {sentence}"


def _named(mistakes: Iterable[tuple[Any, str]], is_it: Callable[[Any], bool]) -> str:
    """What to say of the first mistake whose value it is; or ""."""
    return next((f"Not quite: {sentence}" for value, sentence in mistakes if is_it(value)), "")


def check_bottleneck_weights(answer: int | None) -> str:
    """Check the number of weights of the second convolution in the light U-Net's bottleneck (notebook 05).

    Parameters
    ----------
    answer : int
        Trainable numbers of a 3 x 3 convolution from 128 to 128 feature maps without bias.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_bottleneck_weights(128 * 128)
    'Not quite: that is a 1 x 1 convolution. Each kernel here covers 3 x 3 pixels.'
    """
    if problem := _no_number(answer):
        return problem
    maps = 128
    mistakes = {
        3 * 3 * maps * maps + maps: "that counts a bias. The batch normalisation that follows brings its own.",
        maps * maps: "that is a 1 x 1 convolution. Each kernel here covers 3 x 3 pixels.",
        3 * 3 * maps: "that is one kernel for each map. Each of the 128 new maps looks at all 128 old ones.",
        3 * 3 * 64 * maps: "that is the first of the two convolutions: 64 maps go in. 128 go into the second.",
        3 * maps * maps: "a kernel of 3 x 3 pixels has nine weights, not three.",
        3 * 3 * maps * maps * 4: "that is in bytes, four a weight. Count the weights.",
        3 * 3 * maps * maps * 8 * 8: "that counts them anew at each of 8 x 8 positions. All share the same weights.",
        3 * 3 * (64 + maps) * maps: "those are both convolutions. Only the second is asked for.",
    }
    if answer == 3 * 3 * maps * maps:
        return "Right: 3 x 3 pixels, 128 maps in, 128 maps out."
    return "Not quite: " + mistakes.get(answer, "multiply pixels of the kernel, maps that go in, maps that come out.")


def check_f1(function: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Check a function that computes F1 from two masks (notebook 05).

    Parameters
    ----------
    function : callable (reference, prediction) -> float
        Both masks are bool arrays of the same shape. Where neither holds a pixel, it must return nan.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_f1(lambda reference, prediction: (reference == prediction).mean())
    'Not quite: that is accuracy. F1 leaves true negatives out.'
    """
    random = np.random.default_rng(7)
    reference, prediction = random.random((2, 12, 12)) < np.array([0.2, 0.35])[:, None, None]
    nothing = np.zeros((12, 12), bool)
    found, problem = _ask_for_numbers(lambda: function(reference.copy(), prediction.copy()))
    if problem:
        return problem
    if np.size(found) != 1:
        return f"Not quite: one number is expected, and it returns {np.size(found)}."
    pooled = count(reference, prediction)
    mistakes = [
        (pooled.accuracy, "that is accuracy. F1 leaves true negatives out."),
        (pooled.iou, "that is IoU. F1 counts the pixels that both masks hold twice."),
        (pooled.precision, "that is precision: it never asks what was missed."),
        (pooled.recall, "that is recall: it never asks what was marked falsely."),
        ((pooled.precision + pooled.recall) / 2, "that is the plain mean of precision and recall. F1 is the harmonic."),
        (pooled.f1 / 2, "a factor of two is missing."),
        (pooled.f1 * 100, "that is in percent. F1 is a share."),
    ]
    if mistake := _named(mistakes, lambda value: np.isclose(found, value)):
        return mistake
    if not np.isclose(found, pooled.f1):
        return f"Not quite: two masks with an F1 of {pooled.f1:.3f} give {found.item():.3f}."
    edges = [
        ((nothing, nothing), "for two masks without a pixel. Return nan: such a pair has no F1."),
        ((reference, nothing), "for a prediction without a pixel, where all of a lesion is missed. Here F1 is 0."),
        ((nothing, prediction), "for a reference without a pixel, where all that is marked is false. Here F1 is 0."),
    ]
    for masks, sentence in edges:
        with np.errstate(all="ignore"):
            found, problem = _ask_for_numbers(lambda masks=masks: function(*map(np.copy, masks)))
        if "ZeroDivisionError" in problem:
            return f"Not quite: it divides by zero {sentence}"
        if problem == NOTHING_BACK:
            return f"Not quite: it returns nothing {sentence}"
        if problem:
            return problem
        if found.size != 1:
            return f"Not quite: it gives {found.size} numbers {sentence}"
        if not (np.isnan(found) if masks[0] is masks[1] else found == 0):
            return f"Not quite: it gives {found.item():.3f} {sentence}"
    return _right("also where one mask or both hold no pixel.", function, reference, prediction)


def check_window_ends(black: float | None, white: float | None) -> str:
    """Check which CT numbers a window of level -600 and width 1200 HU shows black and white (notebook 01).

    Parameters
    ----------
    black, white : float
        The highest CT number that is black, the lowest that is white, HU.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_window_ends(0, -1200)
    'Not quite: the other way round. What is thin is dark.'
    """
    if problem := _no_number(black, white):
        return problem
    level, width = -600, 1200
    mistakes = {
        (level + width / 2, level - width / 2): "the other way round. What is thin is dark.",
        (level - width, level + width): "that is twice as wide. The width goes from black to white, not to the middle.",
        (level, level + width): "that starts at the level. The level is the middle of the window.",
        (level - width, level): "that ends at the level. The level is the middle of the window.",
        (level, width): "those are level and width themselves. Go half a width down from the level, and up.",
        (-level - width / 2, -level + width / 2): "the level is negative.",
    }
    if (black, white) == (level - width / 2, level + width / 2):
        return "Right: half a width below the level, half a width above it."
    return "Not quite: " + mistakes.get((black, white), "go half a width down from the level, and half a width up.")


def check_window(function: Callable[[np.ndarray, float, float], np.ndarray]) -> str:
    """Check a function that maps CT numbers to grey values by a window (notebook 01).

    Parameters
    ----------
    function : callable (hu, level, width) -> array of the same shape
        0 at the window's lower end and below, 1 at its upper end and above, straight between. It gets an int16 array,
        as scans are stored.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_window(lambda hu, level, width: (hu - level) / width + 0.5)
    'Not quite: at 3000 HU it gives 3.778. Below the window all is 0, above it all is 1.'
    """
    level, width = 50, 900
    lowest = level - width / 2
    # No number lies on an end or on the level: an answer may treat those either way.
    hu = np.array([[-1000, -401, -175], [20, 275, 499], [501, 1200, 3000]], np.int16)
    found, problem = _ask_for_numbers(lambda: function(hu.copy(), level, width))
    if problem:
        return problem
    if found.shape != hu.shape:
        return f"Not quite: an array of shape {hu.shape} goes in, and one of shape {found.shape} comes out."
    right = window(hu, level, width)
    if np.allclose(found, right, atol=1e-3):
        inside = np.array([[-175, 50, 275]], np.int16)
        found, _ = _ask_for_numbers(lambda: function(inside.copy(), level, width))
        if np.shape(found) != inside.shape or not np.allclose(found, window(inside, level, width), atol=1e-3):
            return (
                "Not quite: on a slice without black and white it is wrong. Level and width decide what is black "
                "and white, not the lowest and the highest value of the slice."
            )
        return _right("black below, white above, straight between.", function, hu, level, width)
    outside = (hu < lowest) | (hu > lowest + width)
    unbracketed = hu - lowest / width
    brackets = "brackets are missing: Python divides before it subtracts. Subtract first, then divide."
    middle = "black and white are right, but in between it is still in HU. Subtract the lower end, divide by the width."
    mistakes = [
        (right.round(), "only black and white. Between the ends grey rises in a straight line."),
        (np.floor(right), "only whole numbers come out. Greys between 0 and 1 need decimals."),
        (1 - right, "black and white have changed places."),
        (np.clip((hu - float(level)) / width, 0, 1), "it starts at the level. The level is the middle of the window."),
        (np.clip((hu - float(level)) / (2 * width) + 0.5, 0, 1), "that window is twice as wide as it should be."),
        (np.clip((hu - float(level)) / (width / 2) + 0.5, 0, 1), "that window is half as wide as it should be."),
        (right * width + lowest, "clipped, but still in HU. Scale it to 0..1."),
        (np.where(outside, right, hu), middle),
        (np.where(outside, right, hu - lowest), middle),
        (unbracketed, brackets),
        (np.clip(unbracketed, 0, 1), brackets),
    ]
    if mistake := _named(mistakes, lambda wrong: np.allclose(found, wrong, atol=1e-3)):
        return mistake
    if np.allclose(found, right * 255, atol=1):  # whole numbers may be cut or rounded
        return "Not quite: grey values up to 255. Here white is 1."
    place = np.unravel_index(np.abs(found - right).argmax(), hu.shape)
    what = f"Not quite: at {hu[place]} HU it gives {found[place]:.3f}"
    if outside[place] and not 0 <= found[place] <= 1:
        return f"{what}. Below the window all is 0, above it all is 1."
    return f"{what}; {right[place]:.3f} is expected."


def check_grey_to_hu(answer: float | None) -> str:
    """Check the CT number behind the grey value 153 of the record's window (notebook 02).

    Parameters
    ----------
    answer : float
        HU.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_grey_to_hu(900)
    'Not quite: that is the way up from black. Black itself is -1250 HU.'
    """
    if problem := _no_number(answer):
        return problem
    grey, lowest, span = 153, LOWEST_HU, HIGHEST_HU - LOWEST_HU
    mistakes = [
        (grey / 255 * span, "that is the way up from black. Black itself is -1250 HU."),
        (HIGHEST_HU - grey / 255 * span, "that counts down from white. 0 is black, and black is -1250 HU."),
        (grey / 255 * 1000 - 1000, "that takes black for -1000 and white for 0. The record's window is wider."),
        (grey + lowest, "a step of grey is not 1 HU: 255 steps span 1500 HU."),
        (-(grey / 255 * span + lowest), "the sign: less than water is negative."),
        (grey / 255, "that is the share of the way from black to white. Now in HU."),
    ]
    if np.isclose(answer, grey / 255 * span + lowest, atol=4):  # within one step of grey
        return "Right: three fifths of the way from -1250 to 250 HU."
    if mistake := _named(mistakes, lambda value: np.isclose(answer, value, atol=0.6)):
        return mistake
    return "Not quite: find how far 153 is from 0 to 255, and go as far from -1250 to 250 HU."


def check_patient_split(function: Callable[[np.ndarray, list[str]], tuple[np.ndarray, np.ndarray]]) -> str:
    """Check a function that holds out whole patients (notebook 02).

    Parameters
    ----------
    function : callable (patients, test_patients) -> (train, test)
        `patients` is the patient of each slice, a str array; `test_patients` a list of str. Both parts are positions.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_patient_split(lambda patients, test_patients: (range(7), range(7, 11)))
    'Not quite: patients 1, 10, 4 stand on both sides: that leaks.'
    """
    patients = np.array(["1", "1", "1", "10", "10", "4", "4", "1", "7", "4", "10"])
    held_out = ["4", "1"]
    found, problem = _ask(lambda: function(patients.copy(), list(held_out)))
    if problem:
        return problem
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Not quite: two arrays are expected, train and test."
    parts, problem = _ask(lambda: [np.asarray(part) for part in found])
    if problem:
        return problem
    train, test = parts
    if any(part.ndim != 1 for part in parts):
        return (
            "Not quite: two rows of positions are expected; these have the shapes "
            f"{train.shape} and {test.shape}. What np.where returns is a tuple: take its first part."
        )
    if any(part.dtype == bool for part in (train, test)):
        return "Not quite: that is a yes or no for each slice. Positions are expected: np.flatnonzero makes them."
    if any(part.size and part.dtype.kind not in "iu" for part in (train, test)):
        return "Not quite: positions are whole numbers; these are something else, perhaps the patients' names."
    train, test = train.astype(int), test.astype(int)
    if any(part.size and not 0 <= part.min() <= part.max() < len(patients) for part in (train, test)):
        return f"Not quite: there are {len(patients)} slices, so positions go from 0 to {len(patients) - 1}."
    right = np.flatnonzero(np.isin(patients, held_out))
    rest = np.flatnonzero(~np.isin(patients, held_out))
    if np.array_equal(np.sort(train), right) and np.array_equal(np.sort(test), rest):
        return "Not quite: train and test have changed places."
    leaking = sorted(set(patients[train]) & set(patients[test]))
    if leaking:
        who = f"patient {leaking[0]} stands" if len(leaking) == 1 else f"patients {', '.join(leaking)} stand"
        return f"Not quite: {who} on both sides: that leaks."
    if "10" in patients[test]:
        return "Not quite: patient 10 was not to be held out. Is it taken for patient 1?"
    if set(patients[test]) != set(held_out):
        return f"Not quite: patients {', '.join(held_out)} were to be held out; patients in test: " + (
            ", ".join(sorted(set(patients[test]))) or "none"
        ) + "."
    missing = len(patients) - len(set(train) | set(test))
    if missing:
        return f"Not quite: no patient leaks, but {missing} of {len(patients)} slices are in neither part."
    if len(train) + len(test) != len(patients):
        return "Not quite: a slice stands twice in a part."
    return _right("every slice in one part, every patient on one side.", function, patients, held_out)


def check_patch_count(answer: int | None) -> str:
    """Check how many patches of 11 x 11 lie wholly inside a slice of 128 x 128 (notebook 03).

    Parameters
    ----------
    answer : int

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_patch_count(128 * 128)
    'Not quite: that is a patch around every pixel. Near the border a patch would stick out.'
    """
    if problem := _no_number(answer):
        return problem
    right = patch_count(128, 128)
    mistakes = {
        128**2: "that is a patch around every pixel. Near the border a patch would stick out.",
        117**2: "one row and one column short: 128 - 11 counts the steps between patches, not the patches.",
        123**2: "5 pixels are lost at one edge, and 5 more at the edge across.",
        106**2: "that takes 11 pixels away at each edge. The centre is only 5 pixels from its patch's edge.",
        (128 // 11) ** 2: "121 fit beside each other, and one has 121 pixels. But each starts one pixel further.",
        118: "that is one row of patches.",
        paper.PATCHES_PER_SLICE: "that is the paper's slice of 630 x 630. This one has 128 x 128 pixels.",
    }
    if answer == right:
        return "Right: 118 rows of 118 patches."
    return "Not quite: " + mistakes.get(answer, "count the rows in which a patch's centre may lie, then the columns.")


def check_true_share(function: Callable[[np.ndarray, float], np.ndarray]) -> str:
    """Check a function that takes a probability learnt from balanced patches back to the true share (notebook 03).

    Parameters
    ----------
    function : callable (balanced, share) -> probability
        `balanced` is an array of probabilities from a model half of whose training patches were lesion, `share` the
        share of lesion where the model is used.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_true_share(lambda balanced, share: balanced * share)
    'Not quite: the two classes no longer sum to one. Divide by their sum.'
    """
    balanced, share = np.linspace(0.1, 0.9, 9), 0.2
    found, problem = _ask_for_numbers(lambda: function(balanced.copy(), share))
    if problem:
        return problem
    if np.shape(found) != balanced.shape:
        return f"Not quite: {len(balanced)} probabilities go in, and something of shape {np.shape(found)} comes out."
    lesion, healthy = balanced * share, (1 - balanced) * (1 - share)
    mistakes = [
        (lesion, "the two classes no longer sum to one. Divide by their sum."),
        (balanced, "nothing changes. Among balanced patches lesion is far more frequent than in a slice."),
        (balanced * (1 - share) / (balanced * (1 - share) + (1 - balanced) * share), "the shares are swapped."),
        (lesion / healthy, "that is the odds, lesion against healthy. A probability is lesion against both."),
        (lesion / (lesion + 1 - balanced), "only lesion has been weighed. Healthy patches became more frequent too."),
        (1 - lesion / (lesion + healthy), "that is the probability of healthy. Which class do the odds put on top?"),
        (lesion / (lesion + 0.5 * (1 - share)), "healthy is weighed, but with one half in place of 1 - balanced."),
        (balanced * 2 * share, "that may rise above one. Weigh both classes, then divide by their sum."),
    ]
    if mistake := _named(mistakes, lambda value: np.allclose(found, value)):
        return mistake
    right = lesion / (lesion + healthy)
    if not np.allclose(found, right, atol=1e-3):  # less would not show in the digits printed
        k = np.abs(found - right).argmax()
        asked = f"{balanced[k]:.1f} at a share of {share}"
        return f"Not quite: {asked} must become {right[k]:.3g}; yours becomes {found[k]:.3g}."
    return _right("and at a share of one half it changes nothing.", function, balanced, share)


def check_bottleneck_field(answer: int | None) -> str:
    """Check the receptive field at the end of the light U-Net's bottleneck (notebook 04).

    Parameters
    ----------
    answer : int
        Pixels a side, after four times (two 3 x 3 convolutions, one 2 x 2 pooling) and two more convolutions.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_bottleneck_field(16)
    'Not quite: that is the stride, how far two places lie apart. Each of them sees much more.'
    """
    if problem := _no_number(answer):
        return problem
    levels = [(3, 1), (3, 1), (2, 2)] * 4
    right, stride = reach_after([*levels, (3, 1), (3, 1)])
    halfway = reach_after([*levels, (3, 1)])[0]
    mistakes = {
        stride: "that is the stride, how far two places lie apart. Each of them sees much more.",
        reach_after(levels)[0]: "that is before the bottleneck's own two convolutions, 2 x 16 pixels each.",
        halfway: "either one of the two convolutions is missing, or each adds 16 in place of (3 - 1) x 16.",
        1 + 2 * 10 + 4: "that forgets the strides: after a pooling, a step on the map is worth twice as many pixels.",
        reach_after(levels)[0] + 2 + 2: "a step in the bottleneck is worth its stride, 16 pixels.",
        1 + 2 * 10: "that forgets the poolings: they see a pixel more themselves, and double every later step.",
        reach_after([(3, 1), (3, 1), (1, 2)] * 4 + [(3, 1), (3, 1)])[0]: "a pooling of 2 x 2 sees a place more itself.",
        right - 1: "start from 1: a pixel sees itself.",
        reach_after(levels[:9] + [(3, 1), (3, 1)])[0]: "that is after three levels. There are four.",
        reach_after([(3, 1), (2, 2)] * 4 + [(3, 1), (3, 1)])[0]: "each level has two convolutions, not one.",
    }
    if answer == right:
        return "Right: 140 pixels, more than a slice of 128 has."
    return "Not quite: " + mistakes.get(answer, "add (kernel - 1) x stride layer by layer; poolings double the stride.")


def check_receptive_field(function: Callable[[list[tuple[int, int]]], int]) -> str:
    """Check a function that computes a receptive field from kernels and steps (notebook 04).

    Parameters
    ----------
    function : callable (list of (kernel, step)) -> int

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_receptive_field(lambda windows: 1 + sum(kernel - 1 for kernel, step in windows))
    'Not quite: that forgets the steps. After a pooling, one place further on the map is two pixels further.'
    """
    windows = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 3), (5, 1)]  # a step of 3, for not every pooling halves
    found, problem = _ask_for_numbers(lambda: function(list(windows)))
    nothing, problem_without = _ask_for_numbers(lambda: function([]))
    if problem:
        return problem
    if np.ndim(found):
        return "Not quite: one number is expected. Return the field alone, without the stride."
    right, stride = reach_after(windows)
    too_early = with_kernel = step_before = 1
    for kernel, step in windows:
        too_early += (kernel - 1) * step_before * step
        with_kernel += kernel * step_before
        step_before *= step
    mistakes = [
        (1 + sum(k - 1 for k, _ in windows),
         "that forgets the steps. After a pooling, one place further on the map is two pixels further."),
        (too_early, "the stride grows too early: a layer's own step counts only for the layers after it."),
        (with_kernel, "a kernel of k places reaches k - 1 places further, not k."),
        (right - 1, "start from 1: without any layer, a pixel sees itself."),
        (stride, "that is the stride, not the field."),
        (1 + sum((k - 1) * step for k, step in windows),
         "each layer counts with its own step. What counts is the product of all steps before it."),
        (windows[0][0], "that is the first layer alone. Does `return` stand inside the loop?"),
    ]  # fmt: skip
    if mistake := _named(mistakes, lambda value: found == value):
        return mistake
    if found != right:
        return f"Not quite: {windows} sees {right} pixels; yours says {found:g}."
    if problem_without not in ("", NOTHING_BACK):
        return problem_without.replace("it fails", "without any layer it fails")
    if not np.array_equal(nothing, 1):
        return f"Not quite: without any layer a pixel sees itself, 1; yours says {nothing}."
    return _right("also without any layer.", function, windows)


def check_empty_mask_accuracy(answer: float | None) -> str:
    """Check the accuracy of an empty mask on a slice of which 20 % is lesion (notebook 06).

    Parameters
    ----------
    answer : float
        A share, 0 to 1.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_empty_mask_accuracy(0.2)
    'Not quite: that is the share of pixels it gets wrong.'
    """
    if problem := _no_number(answer):
        return problem
    mistakes = {
        0.2: "that is the share of pixels it gets wrong.",
        20: "that is the share of pixels it gets wrong, and in percent.",
        80: "that is in percent. Give a share between 0 and 1.",
        0.0: "that is its recall. Accuracy counts the healthy pixels too.",
        0.999: "that is the slice with the smallest lesion, 0.1 %. The question is about the largest.",
        0.5: "an empty mask does not guess: it calls every pixel healthy.",
        1.0: "that would be a slice without lesion.",
    }
    if np.isclose(answer, 0.8):
        return "Right: four pixels in five are healthy, and it calls all of them so."
    if np.isclose(answer, 0.99, rtol=0, atol=0.002):  # rounded as one likes, and apart from 0.999
        return "Not quite: that is the accuracy over all slices of the notebook. The question is about a very full one."
    if mistake := _named(mistakes.items(), lambda value: np.isclose(answer, value)):
        return mistake
    return "Not quite: which pixels does an empty mask get right, and what share of the slice are they?"


def check_soft_dice(function: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Check a function that computes the soft Dice loss, pooled over a batch (notebook 06).

    Parameters
    ----------
    function : callable (reference, probability) -> float
        Both are float arrays (slices, height, width); the reference holds 0 and 1, the probability 0..1.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_soft_dice(lambda r, p: 2 * (r * p).sum() / (r.sum() + p.sum()))
    'Not quite: that is the score, 1 where all is right. A loss must be 0 there.'
    """
    random = np.random.default_rng(6)
    # Two slices with very different amounts of lesion, so that pooling shows.
    reference = (random.random((2, 10, 10)) < np.array([0.05, 0.5])[:, None, None]).astype(float)
    probability = np.clip(0.6 * reference + random.random(reference.shape) * 0.4, 0, 1)
    found, problem = _ask_for_numbers(lambda: function(reference.copy(), probability.copy()))
    if "bitwise_and" in problem:
        return f"{problem}. Probabilities are floats: multiply instead of `&`."
    if problem:
        return problem
    if np.size(found) != 1:
        return f"Not quite: one number is expected, and it returns {np.size(found)}."

    def dice(r, p, squared=False):
        return 2 * (r * p).sum() / ((r**2).sum() + (p**2).sum() if squared else r.sum() + p.sum())

    right = 1 - dice(reference, probability)
    both, marked = (reference * probability).sum(), reference.sum() + probability.sum()
    by_slice = np.mean([dice(r, p) for r, p in zip(reference, probability)])
    mistakes = [
        (1 - right, "that is the score, 1 where all is right. A loss must be 0 there."),
        (right - 1, "that is minus the score, -1 where all is right. A loss must be 0 there."),
        (1 - (2 * both + 1) / (marked + 1), "that adds 1 on top and below, to smooth. Here the sums stand alone."),
        (1 - both / marked, "a factor of two is missing: a perfect answer would cost one half."),
        (1 - both / (marked - both), "that is built on IoU: its denominator counts the common part once only."),
        (1 - dice(reference, probability >= 0.5), "that thresholds first. A step has no slope to learn from."),
        (1 - dice(reference, probability, squared=True), "that squares in the denominator, as V-Net [13] does."),
        (1 - by_slice, "that is the mean over slices. Here the sums run over the whole batch."),
        (1 - both / reference.sum(), "that is soft recall: marking everything would cost nothing."),
        (1 - both / probability.sum(), "that is soft precision: it never asks what was missed."),
    ]
    if np.isclose(found, right):
        return _right("one number for the whole batch, with a slope everywhere.", function, reference, probability)
    if mistake := _named(mistakes, lambda value: np.isclose(found, value)):
        return mistake
    return f"Not quite: two slices whose loss is {right:.3f} give {found.item():.3f}."


def check_threshold_for_recall(function: Callable[[np.ndarray, Sequence[Counts], float], float]) -> str:
    """Check a function that chooses a threshold for a wanted recall (notebook 06).

    Parameters
    ----------
    function : callable (thresholds, counts, recall) -> float
        Thresholds are an array, and increase; counts hold a `covidlab.metrics.Counts` for each. The highest threshold
        whose recall is at least the wanted one must come back.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_threshold_for_recall(lambda thresholds, counts, recall: thresholds[0])
    'Not quite: 0.1 reaches the recall, but so does a higher threshold, with fewer false pixels.'
    """
    thresholds = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    found = [100, 90, 80, 60, 10]
    false = [900, 200, 60, 20, 0]
    counts = [Counts(tp, fp, 100 - tp, 8900 - fp) for tp, fp in zip(found, false)]
    first = None
    for wanted, right in ((0.8, 0.5), (0.65, 0.5), (0.85, 0.3)):
        answer, problem = _ask_for_numbers(lambda wanted=wanted: function(thresholds.copy(), list(counts), wanted))
        if problem:
            return problem
        if answer.size != 1:
            return f"Not quite: one threshold is expected, and it returns {answer.size}."
        answer = answer.item()
        if answer not in thresholds:
            if answer in range(len(thresholds)):
                return "Not quite: that is the threshold's place in the list. Return the threshold itself."
            what = "a recall, and " if answer in [one.recall for one in counts] else ""
            return f"Not quite: {answer} is {what}none of the thresholds."
        if wanted == 0.8 and answer == 0.3:
            return "Not quite: at least means that a recall of exactly the wanted one will do."
        if wanted == 0.65 and answer == 0.7:  # recall 0.6; that of 0.5 is 0.8
            return "Not quite: that is the threshold with the nearest recall; it may fall short."
        if answer > right:
            recall = counts[thresholds.tolist().index(answer)].recall
            return f"Not quite: at {answer} recall is {recall}, less than wanted ({wanted})." + (
                " The answer is the same as for 0.8. Does it use `wanted`?" if answer == first else ""
            )
        if answer < right:
            return f"Not quite: {answer} reaches the recall, but so does a higher threshold, with fewer false pixels."
        first = answer
    return _right("the highest threshold that still finds enough.", function, thresholds, counts, 0.8)


def check_convolution_gflop(answer: float | None) -> str:
    """Check the arithmetic of one convolution of the light U-Net on a slice of the record (notebook 07).

    Parameters
    ----------
    answer : float
        10^9 operations of a 3 x 3 convolution from 8 to 8 feature maps at 640 x 640 places, a multiply-add counted as
        two.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_convolution_gflop(3 * 3 * 8 * 8 * 640 * 640 / 1e9)
    'Not quite: a multiplication and an addition are two operations.'
    """
    if problem := _no_number(answer):
        return problem
    kernel, maps, places = 9, 8, 640 * 640
    right = 2 * kernel * maps * maps * places / 1e9
    mistakes = [
        (right / 2, "a multiplication and an addition are two operations."),
        (right / kernel, "that is a kernel of 1 x 1. Here each new number looks at 3 x 3 places."),
        (right / 3, "a kernel of 3 x 3 has nine weights, not three."),
        (right / maps, "each of the 8 new maps looks at all 8 old ones."),
        (2 * kernel * maps * maps / 1e9, "that is one place. The kernels are applied at every place of the map."),
        (2 * kernel * maps * maps, "that is one place, in operations. The kernels are applied at every place."),
        (right * (128 / 640) ** 2, "that is a slice of 128 x 128. This one is padded to 640 x 640."),
        (right * 1e9 / 2**30, "that divides by 2^30. A GFLOP is 10^9 operations."),
        (right / 640, "that is one row of places. The map has 640 rows."),
        (right * 1e9, "that is in operations. A GFLOP is 10^9 of them."),
        (right * 1e3, "that is in MFLOP. A GFLOP is 10^9 operations."),
    ]
    # 1.5 %: neither biases nor rounding matter; 630 instead of 640 does.
    if np.isclose(answer, right, rtol=0.015):
        return "Right: two operations for each weight, at every place."
    if np.isclose(answer, right * (630 / 640) ** 2, rtol=0.005):
        return "Not quite: the slice is padded to 640 x 640, so that four poolings divide it."
    if mistake := _named(mistakes, lambda value: np.isclose(answer, value, rtol=0.01)):
        return mistake
    return "Not quite: multiply weights of the kernels, places, and operations for each weight at each place."


def check_patient_interval(function: Callable[..., tuple[float, float]]) -> str:
    """Check a function that draws patients with replacement and returns a 95 % interval of pooled F1 (notebook 07).

    Parameters
    ----------
    function : callable (patients, tp, fp, fn, random) -> (low, high)
        Arrays over slices: whose each is, and its pixel counts; and a `numpy.random.Generator` to draw with. Each
        drawing takes as many patients as there are; 2.5 % of the drawings lie below low, 2.5 % above high.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".
    """
    patients, tp, fp, fn = _slices_of_twelve_patients()

    def drawn_by(*slices):
        return function(*slices, np.random.default_rng(3))

    found, problem = _ask_for_numbers(lambda: drawn_by(patients.copy(), tp.copy(), fp.copy(), fn.copy()))
    if problem:
        return problem
    if np.size(found) != 2:
        return f"Not quite: two numbers are expected, low and high, and it returns {np.size(found)}."
    low, high = (float(one) for one in np.ravel(found))
    if np.isnan(low) or np.isnan(high):
        return "Not quite: it gives nan. Each patient here has lesion, so each drawing has an F1."
    if low > high:
        return "Not quite: low comes first, then high."
    if high > 1:
        return f"Not quite: F1 is a share, at most 1. It gives {low:.2f} to {high:.2f}: in percent?"
    per_patient = np.array([[one[patients == name].sum() for one in (tp, fp, fn)] for name in np.unique(patients)])
    per_slice = np.stack([tp, fp, fn], axis=1)
    drawn = {"patients": _drawn_f1(per_patient), "slices": _drawn_f1(per_slice)}
    each = _f1(per_patient)
    expected = [
        (np.percentile(drawn["patients"], [2.5, 97.5]), ""),
        (np.percentile(drawn["slices"], [2.5, 97.5]), "that is as narrow as an interval over slices, which are alike "
         "in one patient. Draw patients, as many as there are, and take all slices of each."),
        (np.percentile(_drawn_f1(per_patient, once=True), [2.5, 97.5]), "that is too narrow. Whoever is drawn twice "
         "has to count twice, with all slices."),
        (np.percentile(drawn["patients"], [5, 95]), "that leaves out 5 % on each side: it is a 90 % interval."),
        (np.percentile(drawn["patients"], [25, 75]), "these are quartiles: half of the drawings lie outside."),
        (np.percentile(_drawn_mean(each), [2.5, 97.5]), "that is a mean of scores, of patients or of slices. Pooled "
         "F1 adds up pixels first."),
        ((each.min(), each.max()), "these are the worst and the best patient, as if each drawing had one. It has "
         "as many patients as there are."),
    ]  # fmt: skip
    right = expected[0][0]
    if np.isclose(low, high):
        return "Not quite: all drawings give the same F1. With replacement a patient may come twice, or not at all."
    # Two thousand drawings leave the ends uncertain by about this much; the mistakes are further apart.
    near = [(np.abs(np.subtract((low, high), ends)).max(), sentence) for ends, sentence in expected]
    distance, sentence = min(near, key=lambda one: one[0])
    if distance > 0.015:
        return f"Not quite: it gives {low:.2f} to {high:.2f}; about {right[0]:.2f} to {right[1]:.2f} is expected." + (
            " np.percentile counts to 100, np.quantile to 1." if high < right[0] else ""
        )
    if sentence:
        return f"Not quite: {sentence}"
    return _right("whole patients were drawn, and their pixels pooled.", drawn_by, patients, tp, fp, fn)


def _slices_of_twelve_patients() -> tuple[np.ndarray, ...]:
    """Patients, tp, fp and fn of slices; each patient's slices are alike, and the typical mistakes far apart."""
    random = np.random.default_rng(11)
    recall = np.linspace(0.15, 0.9, 12)
    size = np.array([70, 200, 390, 350, 340, 430, 90, 340, 130, 80, 110, 820])
    patients = np.repeat([f"patient {k:02d}" for k in range(12)], 20)
    lesion = random.poisson(np.repeat(size, 20))
    tp = random.binomial(lesion, np.repeat(recall, 20))
    return patients, tp, random.poisson(0.2 * lesion), lesion - tp


def _f1(counts: np.ndarray) -> np.ndarray:
    tp, fp, fn = np.moveaxis(counts, -1, 0)
    return 2 * tp / (2 * tp + fp + fn)


def _drawn_f1(counts: np.ndarray, drawings: int = 20_000, once: bool = False) -> np.ndarray:
    """Pooled F1 of drawings with replacement; `once` counts a row that is drawn twice a single time, a mistake."""
    drawn = np.random.default_rng(0).integers(len(counts), size=(drawings, len(counts)))
    if once:
        chosen = np.zeros(drawn.shape)
        np.put_along_axis(chosen, drawn, 1, axis=1)
        return _f1(chosen @ counts)
    return _f1(sum(counts[column] for column in drawn.T))


def _drawn_mean(scores: np.ndarray, drawings: int = 20_000) -> np.ndarray:
    return scores[np.random.default_rng(0).integers(len(scores), size=(drawings, len(scores)))].mean(axis=1)


def check_caught(function: Callable[[np.ndarray, np.ndarray, np.ndarray, int], int]) -> str:
    """Check a function that counts missed slices with a found one nearby (notebook 07).

    Parameters
    ----------
    function : callable (z, positive, found, reach) -> int
        Slices of one case: their numbers, whether they show lesion, whether a lesion pixel in them was marked. How
        many positive slices were not found, but have a found one at most `reach` slice numbers away?

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_caught(lambda z, positive, found, reach: int((positive & ~found).sum()))
    'Not quite: that is how many were missed. Which of them have a found slice nearby?'
    """
    # Numbers 17 to 19 are missing, as where a part of a case is held out: place in the array is not place in the body.
    z = np.array([*range(10, 17), *range(20, 27)])
    positive = np.array([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], bool)
    found = np.array([0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0], bool)

    answers, problem = _ask(lambda: [function(z.copy(), positive.copy(), found.copy(), reach) for reach in (1, 2, 4)])
    if problem:
        return problem
    if any(map(_missing, answers)):
        return NOTHING_BACK
    numbers = [_ask_for_numbers(lambda answer=answer: answer) for answer in answers]
    if problem := next((problem for _, problem in numbers if problem), ""):
        return problem
    if any(number.size != 1 for number, _ in numbers):
        return f"Not quite: one number is expected, and it returns {numbers[0][0].size}."
    answers = [number.item() for number, _ in numbers]

    def counted(which, places, ahead=True, behind=True, reaches=(1, 2, 4)) -> list[float]:
        steps = places[:, None] - places  # above 0 where the other one lies below
        sides = (ahead & (steps <= 0)) | (behind & (steps >= 0))
        return [float((which & ((np.abs(steps) <= k) & sides & found).any(axis=1)).sum()) for k in reaches]

    missed = positive & ~found
    places = np.arange(len(z))
    if answers == counted(missed, z):
        return _right("only missed slices count, on both sides, by slice number.", function, z, positive, found, 1)
    mistakes = [
        ([float(missed.sum())] * 3, "that is how many were missed. Which of them have a found slice nearby?"),
        (counted(positive, z), "a slice that was found itself is counted. It needs no neighbour."),
        (counted(~found, z), "slices without lesion are counted. Nothing was missed there."),
        (counted(missed, places), "that goes by place in the array. Slice numbers may jump: compare z."),
        (counted(missed, z, behind=False), "only the slices above are asked. Look below, too."),
        (counted(missed, z, ahead=False), "only the slices below are asked. Look above, too."),
        (counted(missed, z, reaches=(1, 1, 1)), "right for a reach of 1, but a larger reach changes nothing. Does it "
         "use `reach`?"),
        (counted(missed, z, reaches=(0, 1, 3)), "one slice number too few: at most `reach` away, so exactly `reach` "
         "counts."),
        ([one / missed.sum() for one in counted(missed, z)], "that is a share of the missed slices. Their number is "
         "asked for."),
        ([missed.sum() - one for one in counted(missed, z)], "those are the missed slices without a found one nearby."),
        ([float((missed[:, None] & found & (np.abs(z[:, None] - z) <= k)).sum()) for k in (1, 2, 4)], "that counts "
         "pairs. A missed slice with two found ones nearby is still one slice."),
        ([float(found.sum())] * 3, "found slices are counted. Count the missed ones that have one nearby."),
    ]  # fmt: skip
    if mistake := _named(mistakes, lambda values: answers == values):
        return mistake
    return f"Not quite: with a reach of 1, 2 and 4 it gives {', '.join(f'{one:g}' for one in answers)}."


def check_int8_megabytes(answer: float | None) -> str:
    """Check the predicted size of the light U-Net's weights as 8-bit numbers (notebook 08).

    Parameters
    ----------
    answer : float
        Megabytes (10^6 bytes) of its 486,441 weights alone.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_int8_megabytes(1.95)
    'Not quite: that is 4 bytes a weight. Eight bits are one byte.'
    """
    if problem := _no_number(answer):
        return problem
    weights = 486_441 / 1e6
    mistakes = [
        (4 * weights, "that is 4 bytes a weight. Eight bits are one byte."),
        (8 * weights, "that is 8 bytes a weight. Eight bits are one byte."),
        (2 * weights, "that is 2 bytes a weight. Eight bits are one byte."),
        (weights / 2, "that is half a byte a weight. Eight bits are one byte."),
        (weights / 8, "that is one bit a weight. Here each has eight, and eight bits are one byte."),
        (weights * 1e6 / 2**20, "that is in units of 2^20 bytes. Here a megabyte is a million bytes."),
        (weights * 1000, "that is in kilobytes. A megabyte is a million bytes."),
        (weights * 1e6, "that is in bytes. A megabyte is a million bytes."),
    ]
    if np.isclose(answer, weights, rtol=0.03):
        return "Right: one byte a weight. The file adds names and scales, and keeps biases in 32 bits."
    if mistake := _named(mistakes, lambda value: np.isclose(answer, value, rtol=0.05)):
        return mistake
    return "Not quite: count the weights, then ask how many bytes one of them takes."


def check_scored_slices(function: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> str:
    """Check a function that says which slices of a patient may be scored after adaptation (notebook 08).

    Parameters
    ----------
    function : callable (slices, annotated, gap) -> slices
        All are slice numbers, whole and in increasing order; they may jump. It must leave out every slice whose number
        is at most `gap` away from that of an annotated one, on either side.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_scored_slices(lambda slices, annotated, gap: np.setdiff1d(slices, annotated))
    'Not quite: neighbours of annotated slices are scored. With a gap of 2, two on either side are left out.'
    """
    # Numbers 52 to 54 are missing, close to an annotated slice: place in the array is not place in the body.
    slices, annotated = np.r_[40:52, 55:70], np.array([41, 50, 58])

    def right(gap: int) -> np.ndarray:
        return slices[np.abs(slices[:, None] - annotated).min(axis=1) > gap]

    answers, problem = _ask(lambda: [function(slices.copy(), annotated.copy(), gap) for gap in (2, 0)])
    if problem:
        return problem
    if any(map(_missing, answers)):
        return NOTHING_BACK
    answers, problem = _ask(lambda: [np.asarray(answer) for answer in answers])
    if problem:
        return problem
    found, without_gap = answers
    if found.dtype == bool:
        return "Not quite: that is a mask of True and False. Return the slices themselves: slices[mask]."
    if found.ndim != 1 or found.dtype.kind not in "iuf":
        return "Not quite: one list or array is expected, with the numbers of the slices to score."
    if np.array_equal(found, right(2)):
        if np.array_equal(without_gap, right(0)):
            sentence = "neither an annotated slice nor one that lies too near to it."
            return _right(sentence, function, slices, annotated, 2)
        return "Not quite: with a gap of 0, only the annotated slices themselves are left out."
    ahead, behind = slices[:, None] - annotated, annotated - slices[:, None]
    places = np.arange(len(slices))[:, None] - np.searchsorted(slices, annotated)
    mistakes = [
        (annotated, "these are the annotated slices. They are what training saw; return the others."),
        (np.setdiff1d(slices, right(2)), "these are the slices to leave out. Return the others."),
        (slices, "nothing is left out. The annotated slices have been trained on."),
        (right(0), "neighbours of annotated slices are scored. With a gap of 2, two on either side are left out."),
        (right(1), "one slice too few is left out. A slice exactly `gap` away is still too near."),
        (right(3), "one slice too many is left out. A slice `gap` + 1 away may be scored."),
        (slices[np.abs(places).min(axis=1) > 2], "that goes by place in the array; slice numbers may jump."),
        (np.searchsorted(slices, right(2)), "those are places in the array. Return the slices that stand there."),
        (np.union1d(right(2), annotated), "the annotated slices themselves are still there. Training saw them."),
        (slices[~((ahead >= -2) & (ahead < 2)).any(axis=1)], "a slice exactly `gap` above an annotated one is still "
         "there. Does a range end too early?"),
        (slices[~((ahead >= 0) & (ahead <= 2)).any(axis=1)], "only the slices above are left out. Look below, too."),
        (slices[~((behind >= 0) & (behind <= 2)).any(axis=1)], "only the slices below are left out. Look above, too."),
    ]
    if mistake := _named(mistakes, lambda value: np.array_equal(found, value)):
        return mistake
    if found.shape == right(2).shape and np.array_equal(np.sort(found), right(2)):
        return "Not quite: these are the right slices in another order. Keep them increasing."
    kept = np.intersect1d(found, annotated)
    return f"Not quite: {len(found)} slices are returned, {len(kept)} of them annotated; {len(right(2))} may be scored."
