import json
import shutil
from functools import partial
from types import SimpleNamespace

import pytest

from covidlab.data.splits import PARTS
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import PAPER_SCORES
from covidlab.models import MODELS
from covidlab.tables import read_table
from covidlab.training.recipe import GRIDS, OPTIONS, Config, Recipe
from studies import questions
from studies.__main__ import main
from studies.questions import STUDIES, change, choose, find_study, run_variants, study_table
from tests.conftest import SLICES, run_main, write_scan

pytestmark = pytest.mark.usefixtures("home", "small")
run = partial(run_main, main)


@pytest.fixture
def small(monkeypatch):
    """The lesson's grid and networks, as small as they go: what is tried here are the commands."""
    monkeypatch.setitem(GRIDS, "lesson", 32)
    for model in ("light_unet", "nano_unet"):
        monkeypatch.setitem(OPTIONS["lesson"], model, {"widths": (2, 3)})


def test_reproduce_trains_draws_and_its_run_is_judged_in_full(capsys, cohort_folder, tmp_path):
    options = ("reproduce", "--data", cohort_folder, "--updates", 3, "--seed", 1, "--out", tmp_path / "all")
    status, out, _ = run(capsys, *options)
    assert status == 0 and "| light_unet | test |" in out and "LEAKS" in out
    scores = json.loads((tmp_path / "all" / "scores.json").read_text())
    assert (scores["protocol"], scores["profile"], scores["seed"]) == ("slice", "lesson", 1)
    assert set(scores["models"]["light_unet"]["test"]) == {"precision", "recall", "accuracy", "f1"}
    figures = {path.name for path in (tmp_path / "all" / "figures").iterdir()}
    assert figures == {
        "fig-1-2-slices.png", "fig-3-light_unet.png", "fig-5-precision-recall.png", "fig-6-accuracy-f1.png",
        "fig-7-worst-slices.png", "precision-against-recall.png",
    }  # fmt: skip
    (folder,) = (tmp_path / "all").glob("light_unet-slice-seed1-*")
    status, out, _ = run(capsys, "evaluate", folder)
    assert status == 0 and "| light_unet | test |" in out
    full = ("evaluate", folder, "--full", "--data", cohort_folder)
    status, out, _ = run(capsys, *full)
    assert status == 0 and "| negative slices left empty |" in out and "protocol slice" in out
    assert len((folder / "slices.csv").read_text().splitlines()) == 1 + 3 * SLICES
    report = json.loads(run(capsys, *full, "--json")[1])["parts"]["test"]
    assert report["pooled"] == pytest.approx(scores["models"]["light_unet"]["test"])
    assert report["detection"]["slices"]["tp"] + report["detection"]["slices"]["fn"] > 0
    status, _, err = run(capsys, "evaluate", folder, *full[1:])
    assert status == 2 and "the same model and seed twice" in err
    status, out, _ = run(capsys, *full, "--table", tmp_path / "tables" / "test-part")
    text = (tmp_path / "tables" / "test-part.md").read_text()
    command = f"python -m studies evaluate all/{folder.name} --full --data FOLDER --table STEM"
    assert status == 0 and str(tmp_path) not in text and f"- command: {command}\n" in text
    assert read_table(tmp_path / "tables" / "test-part.csv")[0]["measure"] == "precision"


def test_study_writes_a_table_whose_command_repeats_it_and_names_no_folder_of_this_machine(
    capsys, cohort_folder, tmp_path
):
    options = ("study", "borders", "--data", cohort_folder, "--updates", 2, "--seeds", "1")
    options += ("--model", "nano_unet", "--variants", "0 px,1 px")
    status, out, _ = run(capsys, *options, f"--out={tmp_path / 'study'}")
    assert status == 0 and "| 1 px | test |" in out
    table = (tmp_path / "study" / "borders.md").read_text()
    repeated = "python -m studies study borders --data FOLDER --updates 2 --seeds 1 --model nano_unet"
    assert f"- command: {repeated} --variants '0 px,1 px' --out=DIR\n" in table
    assert str(tmp_path) not in table
    assert len(read_table(tmp_path / "study" / "borders.csv")) == 2 * 3
    assert len(list((tmp_path / "study" / "0-px").glob("nano_unet-slice-seed1-*/scores.json"))) == 1
    assert "widths" in run(capsys, "study", "list")[1]
    assert "one of models" in run(capsys, "study", "absent")[2]
    assert "names among concatenate, sum" in run(capsys, "study", "joins", "--variants", "sum,mean")[2]


def test_folds_recipes_and_adaptation_by_command(capsys, tmp_path):
    """Two of four patients held out; recipes compared, and networks adapted."""
    for name in ("a", "b", "c", "d"):
        write_scan(tmp_path / "cohort", name)
    shared = ("--data", tmp_path / "cohort", "--updates", 2)
    folds = ("reproduce", *shared, "--protocol", "patient", "--augment", 2, "--seeds", "0,1")
    folds += ("--out", tmp_path / "rich")
    status, out, _ = run(capsys, *folds)
    assert status == 0 and "2 of 4 patients held out" in out
    found = json.loads((tmp_path / "rich" / "scores.json").read_text())
    assert set(found["held_out"]) == {"light_unet"}
    page = (tmp_path / "rich" / "held-out-light_unet.md").read_text()
    assert "FOLDER" in page and str(tmp_path) not in page
    status, out, _ = run(capsys, "compare", tmp_path / "rich", "--table", tmp_path / "recipes")
    assert status == 0 and read_table(tmp_path / "recipes.csv")[0]["recipe"] == "rich"
    (first,) = (tmp_path / "rich").glob("light_unet-patient-seed0-*")
    data = ("--data", tmp_path / "cohort")
    status, out, _ = run(capsys, "adapt", first, *data, "--slices", "0,1", "--table", tmp_path / "curve")
    assert status == 0 and [*read_table(tmp_path / "curve.csv")[0]] == ["patient", "0 slices", "1 slices"]
    leaky = shutil.copytree(first, tmp_path / "leaky")
    asked = (leaky / "config.json").read_text()
    (leaky / "config.json").write_text(asked.replace('"protocol": "patient"', '"protocol": "slice"'))
    for words, said in (
        (("adapt", first, *data, "--slices", "0,-1"), "each once"),
        (("adapt", first, first, *data, "--slices", "1"), "two runs that test the same patient"),
        (("adapt", leaky, *data), "protocol slice"),
        (("compare", tmp_path), "no scores.json"),
        (("reproduce", *shared, "--seeds", "0,0"), "each once"),
        (("reproduce", "--seeds", "4294967296"), "--seeds: found '4294967296'"),
        (("evaluate", "absent"), "no finished run"),
        (("evaluate", "absent", "--table", "t"), "add --full"),
    ):
        status, _, err = run(capsys, *words)
        # These runs of a few updates have learnt nothing, and whoever reads one is told so, too.
        problems = [line for line in err.splitlines() if "has learnt nothing" not in line]
        assert status == 2 and said in err and len(problems) == 1, (words, err)


def test_throughput_by_command(capsys, cohort_folder):
    status, out, _ = run(capsys, "throughput", "--volume", cohort_folder / "images" / "someone_else.nii.gz")
    assert status == 0 and "file to file" in out


# --- the questions that the commands put

BASE = Config("three scans", 32, "slice", 0, options={"widths": (2, 3)}, recipe=Recipe(updates=2, updates_per_epoch=2))


def test_every_variant_of_every_study_names_things_that_exist():
    for study in STUDIES.values():
        assert len(study.variants) > 1 and study.question.endswith("?")
        for changes in study.variants.values():
            config = change(BASE, changes)
            assert config.model in MODELS and config.recipe.updates == BASE.recipe.updates


def test_a_variant_changes_what_it_names_and_nothing_else():
    config = change(BASE, {"recipe": {"batch_size": 3}})
    assert config.recipe.batch_size == 3 and config.options == BASE.options and BASE.recipe.batch_size == 8


def test_a_study_runs_each_variant_on_each_seed_in_a_folder_of_its_own(monkeypatch, tmp_path):
    def run(config, cache, folder):
        f1 = config.seed / 4 + len(config.options["widths"]) / 8
        scores = dict.fromkeys(PARTS, dict.fromkeys(PAPER_SCORES, f1))
        return SimpleNamespace(folder=folder, config=config, scores=scores)

    monkeypatch.setattr(questions, "run_experiment", run)
    variants = {"two": {}, "one more": {"options": {"widths": (3, 4, 5)}}}
    found = run_variants(variants, BASE, None, tmp_path, [0, 1])
    assert list(found) == ["two", "one more"]
    runs = [run for some in found.values() for run in some]
    assert [run.folder.name for run in runs] == ["two", "two", "one-more", "one-more"]
    assert [run.config.seed for run in runs] == [0, 1, 0, 1]
    table = study_table(found)
    assert [(line["variant"], line["part"]) for line in table] == [
        (variant, part) for variant in variants for part in PARTS
    ]
    assert table[0]["f1"] == "0.375 (0.250 to 0.500)" and table[-1]["recall"] == "0.500 (0.375 to 0.625)"


def test_some_variants_are_chosen_in_the_studys_own_order():
    assert list(choose(STUDIES["models"], ["light_unet", "patch_cnn"])) == ["patch_cnn", "light_unet"]
    assert choose(STUDIES["joins"], []) == STUDIES["joins"].variants
    with pytest.raises(CovidlabError, match="names among concatenate, sum"):
        choose(STUDIES["joins"], ["mean"])


def test_an_unknown_study_is_refused_with_the_known_ones():
    with pytest.raises(CovidlabError, match="one of models"):
        find_study("astrology")
