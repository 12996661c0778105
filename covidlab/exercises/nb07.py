"""Checks of the exercises of notebook 07: GFLOP, intervals over patients, neighbouring slices."""

from collections.abc import Callable

import numpy as np

from covidlab.exercises import checking


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
    if problem := checking.no_number(answer):
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
    if mistake := checking.named(mistakes, lambda value: np.isclose(answer, value, rtol=0.01)):
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

    found, problem = checking.ask_for_numbers(lambda: drawn_by(patients.copy(), tp.copy(), fp.copy(), fn.copy()))
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
    return checking.right("whole patients were drawn, and their pixels pooled.", drawn_by, patients, tp, fp, fn)


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

    answers, problem = checking.ask(
        lambda: [function(z.copy(), positive.copy(), found.copy(), reach) for reach in (1, 2, 4)]
    )
    if problem:
        return problem
    if any(map(checking.missing, answers)):
        return checking.NOTHING_BACK
    numbers = [checking.ask_for_numbers(lambda answer=answer: answer) for answer in answers]
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
        sentence = "only missed slices count, on both sides, by slice number."
        return checking.right(sentence, function, z, positive, found, 1)
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
    if mistake := checking.named(mistakes, lambda values: answers == values):
        return mistake
    return f"Not quite: with a reach of 1, 2 and 4 it gives {', '.join(f'{one:g}' for one in answers)}."
