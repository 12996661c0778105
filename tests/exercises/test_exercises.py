"""The exercises' tables are their own tests; here they are run, and what no table can say is added."""

import ast
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
import pytest

from covidlab import exercises
from covidlab._tensorflow import keras
from covidlab.evaluation.patients import patient_interval
from covidlab.evaluation.slices import SliceTable
from covidlab.exercises.checking import CHANGES, Function, Number
from covidlab.models import MODELS, Bilinear
from covidlab.models.calibration import expected_counts
from covidlab.models.stages import gflop_per_slice, reaches
from covidlab.training.losses import LOSSES

CHECKS = {name[6:]: check for name, check in vars(exercises).items() if name.startswith("check_")}
PAIRS = [name for name, check in CHECKS.items() if isinstance(check, Number) and isinstance(check.right, tuple)]
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def say(name, answer):
    """What a check says; that of two numbers takes a tuple apart."""
    return CHECKS[name](*answer) if name in PAIRS and isinstance(answer, tuple) else CHECKS[name](answer)


def split(p, t):
    return np.flatnonzero(~np.isin(p, t)), np.flatnonzero(np.isin(p, t))


def in_place(masks):
    masks *= 2
    return exercises.check_positive_fraction.right(masks // 2)


SAID = [
    ("positive_fraction", lambda masks: 0.4, "it gives 0.4; 0.173"),
    ("positive_fraction", in_place, CHANGES),
    ("convolution_gflop", 0.47, "Right"),
    ("int8_megabytes", 0.5, "Right"),
    ("haze_window", ("-500", "700"), "plain number"),
    ("haze_window", (-500, ...), "Not yet"),
    ("fourth_layer", (165, 952), "plain number"),
    ("prior_shift", lambda *g: exercises.check_prior_shift.right(*g).round(3), "Right"),
    ("prior_shift", lambda p, used, trained: p**2, "in slices with a fraction of"),
    ("prior_shift", lambda p, used, trained: 1.0 if p == 1 else p, "take one number"),
    ("prior_shift", lambda p, used, trained: 0.2, "one number instead of 9 numbers"),
    ("prior_shift", lambda p, used, trained: exercises.check_prior_shift.right(p, used, trained) + (used == trained),
     "gives 1.3 where training and use have the same mixture"),
    ("stamp", lambda factor: [1, 3, 3, 1], "for a factor of 2"),
    ("stamp", lambda factor: np.linspace(0, 1, 2 * factor), "rise evenly to the middle"),
    ("f1", lambda r, p: np.nan_to_num(exercises.check_f1.right(r, p)), "gives 0 for two masks without a pixel"),
    ("f1", lambda r, p: exercises.check_f1.right(r, p) + 0 * np.argwhere(r)[0].sum(), "for two masks without a pixel"),
    ("f1", lambda r, p: exercises.check_f1.right(r, p) if p.any() else np.nan, "nan for a prediction without"),
    ("f1", lambda r, p: exercises.check_f1.right(r, p) if r.any() else np.nan, "nan for a reference without"),
    ("f1", lambda r, p: exercises.check_f1.right(r, p) if (r | p).any() else None, "returns nothing for two masks"),
    ("f1", lambda r, p: 2 * int((r & p).sum()) / (int(r.sum()) + int(p.sum())), "ZeroDivisionError"),
    ("f1", lambda r, p: exercises.check_f1.right(~r, ~p), "the F1 of the background"),
    ("soft_dice", lambda r, p: r & p, "multiply instead of `&`"),
    ("soft_dice", lambda r, p: 1 - 2 * sum(r * p) / (sum(r) + sum(p)), "shape (10, 10) instead of one number"),
    ("told_apart_by_luck", 0.33, "Right"),
    ("area_of_scores", 1.25, "Right"),
    ("expected_f1", lambda p, marked: 0.3, "it gives 0.300 where"),
    ("scored_slices", lambda s, a, gap: s[missing], "NameError"),  # noqa: F821
    ("patient_split", lambda p, t: split(p, t)[::-1], "changed places"),
    ("patient_split", lambda p, t: (range(11), split(p, t)[1]), "patients 1, 4 stand on both sides"),
    ("patient_split", lambda p, t: split(p, [name for name in p if "1" in name or name in t]), "patient 10"),
    ("patient_split", lambda p, t: (split(p, t)[0], [0, 5]), "in neither part"),
    ("patient_split", lambda p, t: split(p, t[:1]), "patients in test: 4."),
    ("patient_split", lambda p, t: (np.isin(p, t), ~np.isin(p, t)), "flatnonzero"),
    ("patient_split", lambda p, t: (np.where(p != "4"), np.where(p == "4")), "first part"),
    ("patient_split", lambda p, t: (set(p), t), "two rows"),
    ("patient_split", lambda p, t: ([], t), "whole numbers"),
    ("patient_split", lambda p, t: (split(p, t)[0] + 1, split(p, t)[1]), "0 to 10"),
    ("patient_split", lambda p, t: (np.repeat(split(p, t)[0], 2), split(p, t)[1]), "twice"),
    ("patient_split", lambda p, t: (t.pop(), split(p, ["1", "4"]))[1], CHANGES),
]  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_each_wrong_answer_earns_its_own_hint(name):
    check = CHECKS[name]
    known = check.known()[1:] if isinstance(check, Number | Function) else []
    table = [(f"Not quite: {hint}", say(name, wrong)) for hint, wrong in known]
    if isinstance(check, Number):  # an answer that is in no table
        table.append((f"Not quite: {check.otherwise}", check(*np.ravel(np.pi * np.array(check.right)))))
    beyond = [(words, say(name, answer)) for exercise, answer, words in SAID if exercise == name]
    assert table or beyond
    assert [both for both in table if both[0] != both[1]] + [both for both in beyond if both[0] not in both[1]] == []


def test_the_notebooks_dots_and_solutions_are_told_what_they_store():
    for notebook in NOTEBOOKS:
        given = {"np": np, "keras": keras, "exercises": exercises}
        for cell in nbformat.read(notebook, as_version=4).cells:
            if cell.cell_type == "code" and cell.source.startswith("def "):  # an exercise may build on it
                functions = [node for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)]
                exec(compile(ast.Module(functions, []), notebook, "exec"), given)
            if cell.cell_type == "code" and "exercises.check_" in cell.source:
                said = []
                exec(cell.source, given | {"print": said.append})
                assert [f"{sentence}\n" for sentence in said] == [output.text for output in cell.outputs], notebook
                assert said[0].startswith("Right: " if "solution" in cell.metadata.get("tags", []) else "Not yet: ")


ODD = [..., None, "text", ["a", "b"], {}, object(), [[1], [2, 3]], (None, None), [], 1j, np.nan, np.array([7.0]), int,
       10**400, -1, (np.zeros((1, 3)), np.zeros((1, 2)))]  # fmt: skip


def test_whatever_comes_a_sentence_comes_back():
    for name, odd in product(CHECKS, ODD):
        wanted = "Not yet: " if odd is None or odd is ... else ("Not yet: ", "Not quite: ")
        answers = [odd] if isinstance(CHECKS[name], Number) else [odd, lambda *given, odd=odd: odd]
        for answer in [(odd, odd)] if name in PAIRS else answers:
            assert say(name, answer).startswith(wanted), (name, odd)


def test_what_the_package_works_out_is_right():
    unet, maps = MODELS["light_unet"](), keras.Input((None, None, 1))
    spread = keras.layers.Conv2D(8, 1, use_bias=False)(maps)
    convolution = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(spread)
    # A shift, a scale and two statistics a map, in place of the bias.
    normalisation = 2 * 3 * unet.get_layer("bottleneck_b").output.shape[-1]
    gflop, less = (gflop_per_slice(keras.Model(maps, end), 640) for end in (convolution, spread))

    def table(case, z, tp, fp, fn):
        return SliceTable(case, case, z, tp, fp, fn, 0 * tp)

    def interval(patients, tp, fp, fn, random):
        found = patient_interval(table(patients, np.arange(len(tp)), tp, fp, fn))
        return found.low, found.high

    def expected_f1(p, marked):
        inside, lesion, size = expected_counts(p, marked)
        return 2 * inside / (lesion + size)

    for name, answer in {
        "bottleneck_field": reaches(unet, "bottleneck_b")[-1].field,
        "stamp": lambda factor: np.asarray(Bilinear()((2 * factor, 2 * factor, 1, 1)))[factor - 1, :, 0, 0] / (
            1 - 0.5 / factor),
        "way_up": unet.count_params() - normalisation,
        "soft_dice": lambda *g: float(LOSSES["dice"]()(*(one.astype(np.float32) for one in g))),
        "convolution_gflop": gflop - less,
        "patient_interval": interval,
        "expected_f1": expected_f1,
        "int8_megabytes": unet.count_params() / 1e6,
    }.items():
        assert say(name, answer).startswith("Right"), name
