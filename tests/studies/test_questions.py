from types import SimpleNamespace

import pytest

from covidlab.data.splits import PARTS
from covidlab.errors import CovidlabError
from covidlab.evaluation.counts import PAPER_SCORES
from covidlab.models import MODELS
from covidlab.training.recipe import Config, Recipe
from studies import questions
from studies.questions import STUDIES, change, choose, find_study, run_variants, study_table

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
