import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from covidlab.cli import main
from covidlab.tables import read_table
from tests.conftest import SLICES, write_scan


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIDLAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_inspect_reports_cases_patients_and_totals(capsys, cohort_folder):
    status, out, _ = run(capsys, "inspect", cohort_folder, "--json")
    report = json.loads(out)
    assert status == 0
    assert report["totals"] == {"cases": 3, "patients": 2, "slices": 3 * SLICES, "positive_slices": 3 * 8}
    assert report["cases"][0]["patient"] == "10" and report["cases"][0]["shape"] == [32, 32, SLICES]
    assert list(report["repeated_patients"]) == ["10"]
    _, out, _ = run(capsys, "inspect", cohort_folder)
    assert "3 cases of 2 patients, 36 slices, 24 of them positive" in out and "keep them together" in out


def test_inspect_looks_at_one_scan_without_a_mask(capsys, cohort_folder, tmp_path):
    status, out, _ = run(capsys, "inspect", cohort_folder / "images" / "someone_else.nii.gz")
    assert status == 0 and "someone_else" in out and "no mask" in out and f"{SLICES} slices" in out
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "notes.txt").write_text("no slice")
    status, _, err = run(capsys, "inspect", tmp_path / "series")
    assert status == 2 and str(tmp_path / "series") in err and err.count("\n") == 1


def test_inspect_reports_a_broken_case_among_good_ones_and_exits_with_2(capsys, tmp_path):
    image, _ = write_scan(tmp_path / "data", "bad")
    write_scan(tmp_path / "data", "good")
    image.write_text("text")
    status, out, err = run(capsys, "inspect", tmp_path / "data")
    assert status == 2 and "UNUSABLE" in out and "good" in out
    assert "bad.nii.gz: found" in err and err.count("covidlab:") == 1


def test_reproduce_trains_scores_and_can_be_read_again(capsys, cohort_folder, tmp_path):
    options = ("reproduce", "--data", cohort_folder, "--updates", 3, "--seed", 1, "--out", tmp_path / "run")
    status, out, _ = run(capsys, *options)
    assert status == 0 and "| light_unet | test |" in out and "LEAKS" in out
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert (scores["protocol"], scores["profile"], scores["seed"]) == ("slice", "lesson", 1)
    assert set(scores["models"]["light_unet"]["test"]) == {"precision", "recall", "accuracy", "f1"}
    figures = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert figures == {
        "fig-1-2-slices.png", "fig-3-light_unet.png", "fig-5-precision-recall.png", "fig-6-accuracy-f1.png",
        "fig-7-worst-slices.png", "precision-against-recall.png",
    }  # fmt: skip
    made = {path.name for path in (tmp_path / "run" / "light_unet").iterdir()}
    assert made == {"config.json", "history.csv", "best.weights.h5", "scores.json", "figures", ".run.lock"}
    assert run(capsys, *options)[0] == 0  # read, not trained again
    status, out, _ = run(capsys, "evaluate", tmp_path / "run" / "light_unet")
    assert status == 0 and "| light_unet | test |" in out
    full = ("evaluate", tmp_path / "run" / "light_unet", "--full")
    status, out, _ = run(capsys, *full, "--data", cohort_folder)
    assert status == 0 and "| negative slices left empty |" in out and "protocol slice" in out
    assert len((tmp_path / "run" / "light_unet" / "slices.csv").read_text().splitlines()) == 1 + 3 * SLICES
    _, out, _ = run(capsys, *full, "--data", cohort_folder, "--json")
    report = json.loads(out)["parts"]["test"]
    assert report["pooled"] == pytest.approx(scores["models"]["light_unet"]["test"])
    assert report["detection"]["slices"]["tp"] + report["detection"]["slices"]["fn"] > 0
    status, _, err = run(capsys, *full, "--data", tmp_path / "run")
    assert status == 2
    status, _, err = run(capsys, *full[:2], *full[1:], "--data", cohort_folder)
    assert status == 2 and "the same model and seed twice" in err
    status, out, _ = run(capsys, *full, "--data", cohort_folder, "--table", tmp_path / "tables" / "test-part")
    text = (tmp_path / "tables" / "test-part.md").read_text()
    assert status == 0 and str(tmp_path) not in text
    assert "- command: covidlab evaluate run/light_unet --full --data FOLDER --table STEM\n" in text
    assert read_table(tmp_path / "tables" / "test-part.csv")[0]["measure"] == "precision"
    status, _, err = run(capsys, *options, "--updates", 4)
    assert status == 2 and "a run with another recipe" in err

    weights = tmp_path / "run" / "light_unet" / "best.weights.h5"
    status, out, _ = run(capsys, "score", "--weights", weights, "--data", cohort_folder, "--table", tmp_path / "score")
    assert status == 0 and "trained on three scans" in out and "CAUTION" in out
    table = read_table(tmp_path / "score.csv")
    pooled = next(row for row in table if row["case"] == "all, pooled")
    assert pooled["slices"] == str(3 * SLICES)
    assert str(tmp_path) not in (tmp_path / "score.md").read_text()
    scan = cohort_folder / "images" / "someone_else.nii.gz"
    status, out, _ = run(capsys, "predict", scan, "-o", tmp_path / "mask.nii.gz", "--weights", weights)
    assert status == 0 and "slices positive" in out and " ml" in out
    before, after = nib.load(scan), nib.load(tmp_path / "mask.nii.gz")
    assert after.shape == before.shape and np.array_equal(after.affine, before.affine)
    several = ("predict", cohort_folder / "images", "-o", tmp_path / "masks", "--weights", weights, "--overlay")
    assert run(capsys, *several)[0] == 0
    status, _, err = run(capsys, "predict", cohort_folder, "-o", tmp_path / "no", "--weights", weights)
    assert status == 2 and f"name {cohort_folder / 'images'}" in err
    assert [len(list((tmp_path / "masks").glob(f"*.{kind}"))) for kind in ("nii.gz", "png")] == [3, 3]


def test_study_writes_a_table_whose_command_repeats_it_and_names_no_folder_of_this_machine(
    capsys, cohort_folder, tmp_path
):
    options = ("study", "joins", "--data", cohort_folder, "--updates", 2, "--seeds", "0,1")
    options += ("--model", "nano_unet")
    status, out, _ = run(capsys, *options, f"--out={tmp_path / 'study'}")
    assert status == 0 and "| concatenate | test |" in out
    table = (tmp_path / "study" / "joins.md").read_text()
    repeated = "covidlab study joins --data FOLDER --updates 2 --seeds 0,1 --model nano_unet --out=DIR"
    assert f"- command: {repeated}\n" in table
    assert str(tmp_path) not in table
    assert len(read_table(tmp_path / "study" / "joins.csv")) == 2 * 3
    assert (tmp_path / "study" / "sum" / "seed1" / "scores.json").exists()
    assert "widths" in run(capsys, "study", "list")[1]
    assert "one of models" in run(capsys, "study", "absent")[2]
    assert "names among concatenate, sum" in run(capsys, "study", "joins", "--variants", "sum,mean")[2]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("inspect", "absent"), "absent: found nothing of that name"),
        (("predict", "absent.nii.gz", "-o", "m.nii.gz"), "absent.nii.gz: found no such file"),
        (("predict", __file__, "-o", "m.png"), "add .nii.gz to -o"),
        (("evaluate", "absent"), "no finished run"),
        (("evaluate", "absent", "--table", "t"), "add --full"),
        (("reproduce", "--models", "resnet"), "--models: found 'resnet'; expected names among patch_cnn, fcn8s"),
        (("study", "joins", "--model", "resnet"), "--model: found 'resnet'"),
        (("reproduce", "--seeds", "4294967296"), "--seeds: found '4294967296'"),
    ],
)
def test_what_the_user_got_wrong_is_one_line_and_status_2(capsys, tmp_path, arguments, words):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and words in err.splitlines()[-1]
    assert not list(tmp_path.glob("m.*"))


@pytest.mark.parametrize(
    "wrong, words",
    [
        (("--loss", "hinge"), "one of cross_entropy, "),
        (("--negatives=-1",), "0 or more, or `all`"),
        (("--negatives", "some"), "found 'some'"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_before_anything_is_built(capsys, cohort_folder, tmp_path, wrong, words):
    status, _, err = run(capsys, "train", "--data", cohort_folder, *wrong)
    assert status == 2 and words in err
    assert not list(tmp_path.glob("*"))


@pytest.mark.parametrize(
    "command, option, number, expected",
    [
        ("phantom", "--seed", "-1", "a whole number of 0 or more"),
        ("train", "--seed", "-1", "a whole number from 0 to 4294967295"),
        ("train", "--seed", "4294967296", "a whole number from 0 to 4294967295"),
        ("train", "--updates", "-5", "a whole number of 1 or more"),
        ("study", "--updates", "0", "a whole number of 1 or more"),
        ("time", "--rounds", "0", "a whole number of 1 or more"),
        ("time", "--size", "0", "a whole number of 1 or more"),
        ("time", "--width", "0", "a number above 0 and at most 1"),
        ("export", "--size", "0", "a whole number of 1 or more"),
        ("adapt", "--seed", "one", "a whole number from 0 to 4294967295"),
    ],
)
def test_a_number_out_of_range_is_refused_at_once(capsys, command, option, number, expected):
    with pytest.raises(SystemExit) as end:
        main([command, option, number])
    assert end.value.code == 2
    assert f"argument {option}: found '{number}'; expected {expected}" in capsys.readouterr().err


@pytest.mark.parametrize("command, goes_on", [(("fetch",), True), (("inspect",), False)])
def test_only_a_command_that_goes_on_says_so_when_it_is_interrupted(capsys, monkeypatch, command, goes_on):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("covidlab.data.download.fetch_record", interrupted)
    monkeypatch.setattr("covidlab.data.cohorts.open_cohort", interrupted)
    assert main([*command]) == 130
    assert ("goes on from there" in capsys.readouterr().err) is goes_on


@pytest.mark.parametrize(
    "command, place",
    [
        ("train", "runs/DATA-PROTOCOL-seedN/MODEL)"),
        ("reproduce", "runs/DATA-PROTOCOL-seedN, of several seeds runs/DATA-PROTOCOL)"),
        ("study", "runs/DATA-PROTOCOL-study/NAME)"),
        ("phantom", "of a seed other than 0 phantom-PROFILE-seedN)"),
    ],
)
def test_help_names_the_folder_that_is_written(capsys, monkeypatch, command, place):
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert place in " ".join(capsys.readouterr().out.split())


def test_train_writes_where_its_help_says_and_evaluates_what_only_its_cases_allow(capsys, tmp_path):
    """A scan without a mask is left out with --cases, as the message says, and the run can be judged afterwards."""
    for name in ("a", "b", "half"):
        _, mask = write_scan(tmp_path / "cohort", name)
    mask.unlink()
    options = ("train", "--data", tmp_path / "cohort", "--model", "nano_unet", "--updates", 1)
    status, _, err = run(capsys, *options)
    assert status == 2 and "or leave the scan out with --cases" in err
    assert run(capsys, *options, "--cases", "?")[0] == 0
    folder = tmp_path / "runs" / "cohort-slice-seed0" / "nano_unet"
    assert run(capsys, "evaluate", folder, "--full", "--data", tmp_path / "cohort")[0] == 0


def test_importing_the_package_is_quick_because_tensorflow_stays_out():
    code = "import covidlab, covidlab.cli, sys; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "not a medical device" in capsys.readouterr().out


def test_a_network_with_neighbours_trained_on_squares_is_used_like_any_other(capsys, tmp_path):
    for name in ("a", "b"):
        write_scan(tmp_path / "cohort", name)
    scan, run_folder = tmp_path / "cohort" / "images" / "a.nii.gz", tmp_path / "run"
    weights = ("--weights", run_folder / "best.weights.h5")
    options = ("--neighbours", 1, "--crop", 64, "--rate", 0.001, "--updates", 2)
    assert run(capsys, "train", "--data", tmp_path / "cohort", *options, "--out", run_folder)[0] == 0
    config = json.loads((run_folder / "config.json").read_text())
    assert config["options"] == {"channels": 3}
    assert (config["recipe"]["crop"], config["recipe"]["learning_rate"]) == (64, 0.001)
    assert run(capsys, "predict", scan, "-o", tmp_path / "mask.nii.gz", *weights)[0] == 0
    assert nib.load(tmp_path / "mask.nii.gz").shape == nib.load(scan).shape
    status, out, _ = run(capsys, "time", "--volume", scan, *weights)
    assert status == 0 and "file to file" in out
    assert run(capsys, "score", "--data", tmp_path / "cohort", *weights)[0] == 0


def test_folds_recipes_and_adaptation_by_command(capsys, tmp_path):
    """Two of four patients held out, a case of another folder trained on; recipes compared, and networks adapted."""
    for name in ("a", "b", "c", "d"):
        write_scan(tmp_path / "cohort", name)
    write_scan(tmp_path / "other", "e")
    shared = ("--data", tmp_path / "cohort", "--updates", 2)
    assert run(capsys, "train", *shared, "--out", tmp_path / "first")[0] == 0
    more = ("--protocol", "patient", "--augment", 2, "--drop-specks", "--extra-train", f"{tmp_path / 'other'}:e*")
    folds = ("reproduce", *shared, *more, "--seeds", "0,1", "--out", tmp_path / "recipe")
    # The first run has seen the patients that are to be tested.
    status, _, err = run(capsys, *folds, "--pretrained", tmp_path / "first" / "best.weights.h5")
    assert status == 2 and "have seen the test patients" in err
    status, out, _ = run(capsys, *folds)
    assert status == 0 and "2 of 4 patients held out" in out
    found = json.loads((tmp_path / "recipe" / "scores.json").read_text())
    assert found["extra_train"] == ["e"] and found["drop_specks"] and set(found["held_out"]) == {"light_unet"}
    page = (tmp_path / "recipe" / "held-out-light_unet.md").read_text()
    assert "FOLDER" in page and "OTHER-FOLDER:e*" in page and str(tmp_path) not in page
    status, out, _ = run(capsys, "compare", tmp_path / "recipe", "--table", tmp_path / "recipes")
    assert status == 0 and read_table(tmp_path / "recipes.csv")[0]["recipe"] == "recipe"
    runs = [tmp_path / "recipe" / f"seed{seed}" / "light_unet" for seed in range(2)]
    elsewhere = ("--data", tmp_path / "cohort", "--extra-train", tmp_path / "other")
    status, out, _ = run(capsys, "adapt", *runs[:1], *elsewhere, "--slices", "0,1", "--table", tmp_path / "curve")
    assert status == 0 and [*read_table(tmp_path / "curve.csv")[0]] == ["patient", "0 slices", "1 slices"]
    assert run(capsys, "evaluate", runs[0], "--full", *elsewhere)[0] == 0
    for words, said in (
        (("adapt", *runs[:1], *elsewhere, "--slices", "0,-1"), "each once"),
        (("adapt", runs[0], runs[0], *elsewhere, "--slices", "1"), "two runs that test the same patient"),
        (("adapt", tmp_path / "first", "--data", tmp_path / "cohort"), "protocol slice"),
        (("compare", tmp_path), "no scores.json"),
        (("reproduce", *shared, "--seeds", "0,0"), "each once"),
        (("reproduce", *shared, "--test-data", tmp_path / "other"), "--protocol patient"),
        (("reproduce", *shared, "--extra-train", tmp_path / "absent"), "absent"),
        (("reproduce", *shared, "--extra-train", ":e*"), "no folder before the colon"),
        (("reproduce", *shared, "--models", "patch_cnn", "--pretrained"), "weights of light_unet"),
        (("reproduce", *shared, "--models", "patch_cnn", "--crop", "64"), "leave --crop out"),
        (("reproduce", *shared, "--crop", "128"), "less than 128"),
        (("reproduce", *shared, "--crop", "0"), "32 or more"),
        (("reproduce", *shared, "--models", "patch_cnn", "--neighbours", "1"), "0 for patch_cnn"),
        (("study", "widths", *shared, "--neighbours", "1"), "leave --neighbours out"),
        (("score", "--weights", "nonsense"), "light_unet, nano_unet, phantom"),
        (("time", "--training", "--table", tmp_path / "t"), "leave --table"),
    ):
        status, _, err = run(capsys, *words)
        # These runs of a few updates have learnt nothing, and whoever reads one is told so, too.
        problems = [line for line in err.splitlines() if "has learnt nothing" not in line]
        assert status == 2 and said in err and len(problems) == 1, (words, err)
