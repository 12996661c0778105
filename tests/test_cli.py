import json
import re
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from functools import partial

import nibabel as nib
import numpy as np
import pytest

from covidlab.cli import main
from covidlab.commands import changed
from covidlab.errors import CovidlabError
from covidlab.models import MODELS
from covidlab.tables import read_table
from covidlab.training import LOSSES
from covidlab.training.recipe import Recipe
from tests.chest import chest, write_chest
from tests.conftest import SLICES, run_main, write_scan

pytestmark = pytest.mark.usefixtures("home")
run = partial(run_main, main)
NOTHING_ASKED = dict.fromkeys(("loss", "negatives", "augment", "rate"))


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


def test_a_network_is_trained_read_again_scored_and_used(capsys, cohort_folder, tmp_path):
    options = ("train", "--data", cohort_folder, "--updates", 3, "--seed", 1, "--out", tmp_path / "runs")
    status, out, _ = run(capsys, *options)
    assert status == 0 and "| light_unet | test |" in out and "LEAKS" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert out.splitlines()[-1] == str(folder)
    made = {path.name for path in folder.iterdir()}
    assert made == {"config.json", "history.csv", "best.weights.h5", "scores.json", "figures", ".run.lock"}
    assert run(capsys, *options)[1] == out  # read, not trained again
    assert run(capsys, *options, "--rate", 0.001)[0] == 0 and len(list((tmp_path / "runs").iterdir())) == 2

    weights = folder / "best.weights.h5"
    status, out, _ = run(capsys, "score", "--weights", weights, "--data", cohort_folder, "--table", tmp_path / "score")
    assert status == 0 and "trained on three scans" in out and "CAUTION" in out
    pooled = next(row for row in read_table(tmp_path / "score.csv") if row["case"] == "all, pooled")
    assert pooled["slices"] == str(3 * SLICES)
    text = (tmp_path / "score.md").read_text()
    assert "- command: covidlab score --weights WEIGHTS --data FOLDER --table STEM\n" in text
    assert str(tmp_path) not in text
    scan = cohort_folder / "images" / "someone_else.nii.gz"
    status, out, _ = run(capsys, "predict", scan, "-o", tmp_path / "mask.nii.gz", "--weights", weights)
    assert status == 0 and "0 of 12 slices positive" in out and " 0.0 ml" in out
    assert "in the field" in out and "nothing is marked" in out, "its scans are grey squares"
    before, after = nib.load(scan), nib.load(tmp_path / "mask.nii.gz")
    assert after.shape == before.shape and np.array_equal(after.affine, before.affine)
    several = ("predict", cohort_folder / "images", "-o", tmp_path / "masks", "--weights", weights, "--overlay")
    assert run(capsys, *several)[0] == 0
    status, _, err = run(capsys, "predict", cohort_folder, "-o", tmp_path / "no", "--weights", weights)
    assert status == 2 and f"name {cohort_folder / 'images'}" in err
    assert [len(list((tmp_path / "masks").glob(f"*.{kind}"))) for kind in ("nii.gz", "png")] == [3, 3]


def test_predict_says_what_share_of_each_lung_is_marked(capsys, tmp_path):
    write_chest(tmp_path / "chest.nii.gz", chest(sides=(2,))[0])
    options = ("predict", tmp_path / "chest.nii.gz", "-o", tmp_path / "mask.nii.gz", "--weights", "phantom")
    status, out, _ = run(capsys, *options)
    assert status == 0 and "note: WARNING: the right lung is not found" in out
    (line,) = (line for line in out.splitlines() if "involvement" in line)
    assert re.fullmatch(r"  lung involvement, the share that is marked: left lung \d+\.\d%", line)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("inspect", "absent"), "absent: found nothing of that name"),
        (("predict", "absent.nii.gz", "-o", "m.nii.gz"), "absent.nii.gz: found no such file"),
        (("predict", __file__, "-o", "m.png"), "add .nii.gz to -o"),
        (("train", "--model", "resnet"), "--model: found 'resnet'; expected names among patch_cnn, fcn8s"),
        (("score", "--weights", "nonsense"), "light_unet, nano_unet, phantom"),
    ],
)
def test_what_the_user_got_wrong_is_one_line_and_status_2(capsys, tmp_path, arguments, words):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and words in err.splitlines()[-1]
    assert not list(tmp_path.glob("m.*"))


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"loss": "hinge"}, "--loss: found 'hinge'; expected one of cross_entropy, "),
        ({"negatives": "-1"}, "0 or more, or `all`"),
        ({"negatives": "some"}, "--negatives: found 'some'"),
        ({"rate": float("nan")}, "--rate: found nan; expected a number between 0 and 1"),
        ({"augment": -1.0}, "--augment: found -1"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(wrong, words):
    with pytest.raises(CovidlabError, match=re.escape(words)):
        changed(Recipe(updates=2), Namespace(**NOTHING_ASKED | wrong))


def test_a_recipe_that_cannot_be_is_one_line_before_anything_is_built(capsys, cohort_folder, tmp_path):
    status, _, err = run(capsys, "train", "--data", cohort_folder, "--rate", 7)
    assert status == 2 and err.count("\n") == 1 and not list(tmp_path.glob("runs"))


def test_a_recipe_is_changed_where_asked_and_kept_elsewhere():
    recipe = Recipe(updates=2)
    asked = Namespace(loss="focal", negatives="0.5", augment=0.0, rate=1e-3)
    wanted = replace(recipe, loss="focal", negatives_per_positive=0.5, augment=0.0, learning_rate=1e-3)
    assert changed(recipe, asked) == wanted
    assert changed(recipe, Namespace(**NOTHING_ASKED)) == recipe
    assert changed(recipe, Namespace(**NOTHING_ASKED | {"negatives": "all"})).negatives_per_positive is None


@pytest.mark.parametrize(
    "command, option, number, expected",
    [
        ("phantom", "--seed", "-1", "a whole number of 0 or more"),
        ("train", "--seed", "-1", "a whole number from 0 to 4294967295"),
        ("train", "--seed", "4294967296", "a whole number from 0 to 4294967295"),
        ("time", "--rounds", "0", "a whole number of 1 or more"),
        ("time", "--width", "0", "a number above 0 and at most 1"),
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
    monkeypatch.setattr("covidlab.commands.open_cohort", interrupted)
    assert main([*command]) == 130
    assert ("goes on from there" in capsys.readouterr().err) is goes_on


@pytest.mark.parametrize(
    "words, taught",
    [
        ((), "not a medical device"),
        (("train",), "named by what it was asked (default: runs)"),
        (("phantom",), "of a seed other than 0 phantom-PROFILE-seedN)"),
    ],
)
def test_help_teaches_and_names_the_folder_that_is_written(capsys, monkeypatch, words, taught):
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    assert taught in " ".join(capsys.readouterr().out.split())


def test_help_names_every_network_and_loss(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = capsys.readouterr().out
    assert [name for name in (*MODELS, *LOSSES) if name not in told] == []


def test_a_scan_without_a_mask_is_left_out_with_cases_as_the_message_says(capsys, tmp_path):
    for name in ("a", "b", "half"):
        _, mask = write_scan(tmp_path / "cohort", name)
    mask.unlink()
    options = ("train", "--data", tmp_path / "cohort", "--model", "nano_unet", "--updates", 1)
    status, _, err = run(capsys, *options)
    assert status == 2 and "or leave the scan out with --cases" in err
    assert run(capsys, *options, "--cases", "?")[0] == 0


@pytest.mark.parametrize("words", [("--help",), ("inspect",)])
def test_output_that_nobody_reads_any_more_ends_without_a_traceback(cohort_folder, words):
    command = [sys.executable, "-m", "covidlab", *words, *([cohort_folder] if words == ("inspect",) else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()  # as `| head` does, long before the first line is written
        said = process.stderr.read()
    # argparse passes over what it cannot print.
    assert process.returncode in (0, 128 + 13) and "Traceback" not in said and "BrokenPipe" not in said


def test_a_folder_that_may_not_be_opened_is_one_line(capsys, cohort_folder, monkeypatch):
    def forbidden(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("covidlab.commands.is_single_scan", forbidden)
    status, _, err = run(capsys, "inspect", cohort_folder)
    assert status == 2 and str(cohort_folder) in err and "may not be opened" in err and err.count("\n") == 1


def test_importing_the_package_is_quick_because_tensorflow_stays_out():
    code = "import sys; from covidlab import cli, commands, data, evaluation, exercises, phantom, plots; "
    code += "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
