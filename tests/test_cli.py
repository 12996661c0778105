import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from covidlab import cli
from covidlab.cli import _parser, main
from covidlab.commands import config_of
from covidlab.errors import missing_packages
from covidlab.models import MODELS
from covidlab.tables import read_table
from covidlab.training import LOSSES
from covidlab.training.recipe import GRIDS, OPTIONS, recipe_for
from covidlab.weights import NETWORKS, find_weights
from tests.chest import chest, write_chest
from tests.conftest import SLICES, run_main, write_scan

pytestmark = pytest.mark.usefixtures("home")
run = partial(run_main, main)


def test_inspect_reports_cases_patients_and_totals(capsys, cohort_folder):
    status, out, _ = run(capsys, "inspect", cohort_folder, "--json")
    report = json.loads(out)
    assert status == 0
    assert report["totals"] == {"cases": 3, "patients": 2, "slices": 3 * SLICES, "positive_slices": 3 * 8}
    assert report["cases"][0]["patient"] == "10" and report["cases"][0]["shape"] == [32, 32, SLICES]
    assert list(report["repeated_patients"]) == ["10"]
    _, out, _ = run(capsys, "inspect", cohort_folder)
    assert "3 cases of 2 patients, 36 slices, 24 of them positive" in out and "keep them together" in out


def test_a_name_that_a_terminal_would_obey_is_spelled_out(capsys, tmp_path):
    image, mask = write_scan(tmp_path, "red\x1b[31m\udcff")
    assert main(["inspect", str(tmp_path)]) == 0
    mask.unlink()
    assert main(["inspect", str(tmp_path)]) == 2
    for said in capsys.readouterr():
        assert "red\\x1b[31m\\udcff" in said and said.replace("\n", "").isprintable()


def test_output_that_takes_few_letters_has_the_others_spelled_out(monkeypatch, tmp_path):
    image, _ = write_scan(tmp_path, "Zo\u00eb \u80ba")
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), "cp1252"))  # a file on Windows
    assert main(["inspect", str(image)]) == 0
    assert "Zo\u00eb \\u80ba" in sys.stdout.buffer.getvalue().decode("cp1252")


def test_inspect_looks_at_one_scan_without_a_mask(capsys, cohort_folder, tmp_path):
    status, out, _ = run(capsys, "inspect", cohort_folder / "images" / "someone_else.nii.gz")
    assert status == 0 and "someone_else" in out and "no mask" in out and f"{SLICES} slices" in out
    scan = next((cohort_folder / "images").glob("radiopaedia_10_*"))
    report = json.loads(run(capsys, "inspect", scan, "--json")[1])
    assert report["cases"][0]["patient"] == "10", "as in its cohort"
    assert report["totals"]["positive_slices"] is None is report["cases"][0]["positive_slices"]
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "notes.txt").write_text("no slice")
    status, _, err = run(capsys, "inspect", tmp_path / "series")
    assert status == 2 and str(tmp_path / "series") in err and err.count("\n") == 1


def test_a_home_that_the_shell_leaves_is_found(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path)), monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_scan(tmp_path, "a")
    assert run(capsys, "inspect", "~/images/a.nii.gz")[0] == 0
    assert _parser().parse_args(["predict", "a.nii.gz", "--out=~/m.nii.gz"]).out == tmp_path / "m.nii.gz"


def test_inspect_reports_a_broken_case_among_good_ones_and_exits_with_2(capsys, tmp_path):
    image, _ = write_scan(tmp_path / "data", "bad")
    write_scan(tmp_path / "data", "good")
    image.write_text("text")
    status, out, err = run(capsys, "inspect", tmp_path / "data")
    assert status == 2 and "UNUSABLE" in out and "good" in out
    assert "bad.nii.gz: found" in err and err.count("covidlab:") == 1


@pytest.fixture
def small(monkeypatch):
    """The lesson's grid and networks, as small as they go: what is tried here are the commands."""
    monkeypatch.setitem(GRIDS, "lesson", 32)
    for model in ("light_unet", "nano_unet"):
        monkeypatch.setitem(OPTIONS["lesson"], model, {"widths": (2, 3)})


def test_a_network_is_trained_read_again_scored_and_used(capsys, cohort_folder, tmp_path, small):
    options = ("train", "--data", cohort_folder, "--updates", 3, "--seed", 1, "--out", tmp_path / "runs")
    status, out, _ = run(capsys, *options)
    assert status == 0 and "| light_unet | test |" in out and "LEAKS" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert out.splitlines()[-1] == str(folder)
    made = {path.name for path in folder.iterdir()}
    assert made == {"config.json", "history.csv", "best.weights.h5", "scores.json", "figures", ".run.lock"}
    assert run(capsys, *options)[1] == out  # read, not trained again

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
    if not missing_packages("ai_edge_litert"):  # the extra `export`
        status, out, _ = run(capsys, "export", folder, "-o", tmp_path / "m.tflite", "--data", cohort_folder)
        in_keras, in_file = re.search(r"F1 on test (\S+) in Keras, (\S+) in the file", out).groups()
        assert status == 0 and float(in_file) == pytest.approx(float(in_keras), abs=2e-4)


def test_predict_says_what_share_of_each_lung_is_marked(capsys, tmp_path):
    write_chest(tmp_path / "chest.nii.gz", chest(sides=(2,))[0])
    options = ("predict", tmp_path / "chest.nii.gz", "-o", tmp_path / "mask.nii.gz", "--weights", "phantom")
    status, out, _ = run(capsys, *options)
    assert status == 0 and "note: WARNING: the right lung is not found" in out
    assert out.startswith("phantom: light_unet, 128 px, threshold 0.2\ntrained on phantom-lesson, ")
    (line,) = (line for line in out.splitlines() if "involvement" in line)
    assert re.fullmatch(r"  lung involvement, the share that is marked: left lung \d+\.\d%", line)
    status, out, _ = run(capsys, *options, "--json", "--overlay")
    told = json.loads(out)
    assert told["overlay"] == str(tmp_path / "mask.png") and "seen" not in told["weights"]
    assert told["seconds"] == round(told["seconds"], 2)
    assert status == 0 and list(told["involvement"]) == ["left"] and told["weights"]["threshold"] == 0.2
    assert told["mask"] == str(options[3]) and told["slices"] == 24 and told["seen"] is False and told["seconds"] > 0
    assert told["millilitres"] == told["positive_voxels"] * 31.25 / 1000 and "right lung" in told["findings"][-1]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("inspect", "absent"), "absent: found nothing of that name"),
        (("inspect", "absent"), "a .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr file, or a folder or .zip of DICOM"),
        (("predict", __file__, "-o", "m.nii.gz"), "or a folder or .zip of DICOM slices"),
        (("predict", __file__, "-o", "m.png"), "or .dcm for a DICOM series"),
        (("predict", "absent.nii.gz", "-o", "m.nii.gz"), "absent.nii.gz: found no such file"),
        (("predict", __file__, "-o", "m.png"), "add .nii.gz to -o"),
        (("score", "--weights", "nonsense"), "light_unet, nano_unet, phantom"),
        (("score", "--weights", "."), "a folder that is no run"),
    ],
)
def test_what_the_user_got_wrong_is_one_line_and_status_2(capsys, tmp_path, arguments, words):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and words in err.splitlines()[-1]
    assert not list(tmp_path.glob("m.*"))


def test_a_recipe_is_changed_where_asked_and_kept_elsewhere():
    def asked(*words):
        parser = _parser()
        cohort = SimpleNamespace(name="three scans", is_phantom=False)
        return config_of(parser.parse_args(["train", *words]), "light_unet", cohort).recipe

    usual = recipe_for(False)
    assert asked() == usual and asked("--updates", "7") == recipe_for(False, 7)
    changed = asked("--loss", "focal", "--negatives", "0.5", "--augment", "0", "--rate", "1e-3")
    assert changed == replace(usual, loss="focal", negatives_per_positive=0.5, augment=0.0, learning_rate=1e-3)
    assert asked("--negatives", "all") == replace(usual, negatives_per_positive=None)


@pytest.mark.parametrize(
    "command, option, word, expected",
    [
        ("phantom", "--seed", "-1", "a whole number of 0 or more"),
        ("train", "--seed", "-1", "a whole number from 0 to 4294967295"),
        ("train", "--seed", "4294967296", "a whole number from 0 to 4294967295"),
        ("train", "--model", "resnet", "one of patch_cnn, fcn8s, light_unet, nano_unet"),
        ("train", "--loss", "hinge", "one of cross_entropy, weighted_cross_entropy, "),
        ("train", "--negatives", "-1", "a number of 0 or more, or `all`"),
        ("train", "--negatives", "some", "a number of 0 or more, or `all`"),
        ("train", "--rate", "nan", "a number between 0 and 1"),
        ("train", "--augment", "-1", "a number from 0, none, to 4"),
        ("time", "--models", "fcn8s,resnet", "names among patch_cnn, fcn8s, light_unet, nano_unet"),
        ("time", "--rounds", "0", "a whole number of 1 or more"),
        ("time", "--width", "0", "a number above 0 and at most 1"),
    ],
)
def test_what_an_option_cannot_be_is_refused_at_once(capsys, command, option, word, expected):
    with pytest.raises(SystemExit) as end:
        main([command, option, word])
    assert end.value.code == 2
    assert f"argument {option}: found '{word}'; expected {expected}" in capsys.readouterr().err


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
        (("train",), "tversky or cross_entropy_and_dice (default: the last)"),
        (("train",), "patch_cnn, fcn8s, light_unet or nano_unet (default: light_unet)"),
        (("phantom",), "of a seed other than 0 phantom-PROFILE-seedN)"),
    ],
)
def test_help_teaches_and_names_the_folder_that_is_written(capsys, monkeypatch, words, taught):
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    assert taught in " ".join(capsys.readouterr().out.split())


def test_the_names_that_are_known_without_tensorflow_are_all_there_are():
    assert set(NETWORKS) == set(MODELS) and set(cli.LOSSES) == set(LOSSES)


def test_a_scan_without_a_mask_is_left_out_with_cases_as_the_message_says(capsys, tmp_path):
    for name in ("a", "b", "half"):
        _, mask = write_scan(tmp_path / "cohort", name)
    mask.unlink()
    options = ("inspect", tmp_path / "cohort")
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


@pytest.mark.parametrize("where, status, words", [
    (">/dev/full", 2, "standard output: found No space left on device"), (">&-", 0, ""), ("2>&-", 0, ""),
])  # fmt: skip
def test_output_that_has_no_room_or_no_place_ends_without_a_traceback(cohort_folder, where, status, words):
    if os.name == "nt" or not os.path.exists("/dev/full"):
        pytest.skip("this system has no full place")
    command = shlex.join([sys.executable, "-m", "covidlab", "inspect", str(cohort_folder)])
    done = subprocess.run(f"{command} {where}", shell=True, capture_output=True, text=True)
    assert done.returncode == status and words in done.stderr and "Traceback" not in done.stderr


def test_a_folder_that_may_not_be_opened_is_one_line(capsys, cohort_folder, monkeypatch):
    def forbidden(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("covidlab.commands.is_single_scan", forbidden)
    status, _, err = run(capsys, "inspect", cohort_folder)
    assert status == 2 and str(cohort_folder) in err and "may not be opened" in err and err.count("\n") == 1


def test_predicting_needs_no_tensorflow_and_what_is_wrong_or_missing_is_told_before_its_seconds(tmp_path):
    scan, series = tmp_path / "scans" / "chest.nii.gz", tmp_path / "series"
    for folder in (scan.parent, series):
        folder.mkdir()
    write_chest(scan, chest()[0])  # without lungs no network would be asked
    (series / "slice").write_bytes(b"\x02\x00")  # as a DICOM file begins
    alone = shutil.copy(find_weights("phantom"), tmp_path)  # without the ONNX file beside them
    code = f"""if True:
        import contextlib, io, sys
        from covidlab import cli
        assert cli.main(["predict", {str(scan)!r}, "-o", {str(tmp_path / "mask.nii.gz")!r}, "--overlay"]) == 0
        assert "pydicom" not in sys.modules
        from covidlab import commands, data, evaluation, exercises, models, phantom, plots
        sys.modules |= dict.fromkeys(("highdicom", "pydicom", "distributed", "ai_edge_litert"))  # as if not installed
        alone = ["--weights", {alone!r}]
        for words, told in (
            (["score", "--data", {str(tmp_path)!r}], "a folder Infection_Mask"),
            (["predict", {str(series)!r}, "-o", "m.nii.gz", *alone], "no package pydicom"),
            (["predict", {str(series)!r}, "-o", "m.dcm", *alone], "no package highdicom"),
            (["predict", {str(scan.parent)!r}, "-o", "masks", "--workers", "1", *alone], "no package distributed"),
            (["export", "nosuch", "-o", "m.onnx"], "nosuch: found no such file"),
            (["export", "phantom", "-o", "m.onnx", "--int8"], "int8 asked of ONNX"),
            (["export", "phantom", "-o", "m.onnx", "--data", "absent"], "absent"),
            (["export", "phantom", "-o", "m.pt"], "m.pt: found a name of another kind"),
            (["export", "phantom", "-o", "m.tflite"], "no package ai-edge-litert"),
        ):
            with contextlib.redirect_stderr(io.StringIO()) as said:
                assert cli.main(words) == 2
            assert told in said.getvalue(), said.getvalue()
        assert not {{"tensorflow", "keras"}} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lab_copies_what_the_wheel_carries_once_opens_it_and_refuses_a_checkout(tmp_path, monkeypatch, capsys):
    carried = [tmp_path / "share" / "covidlab" / "notebooks" / name for name in ("01_b.ipynb", "00_a.ipynb")]
    carried[0].parent.mkdir(parents=True)
    for path in carried:
        path.write_text("as published")
    found = [SimpleNamespace(match=path.match, locate=lambda path=path: path) for path in (*carried, tmp_path / "x.py")]
    opened = []
    monkeypatch.setitem(sys.modules, "jupyterlab", SimpleNamespace(labapp=SimpleNamespace(main=opened.append)))
    monkeypatch.setattr("covidlab.commands.require", lambda *_: None)
    monkeypatch.setattr("covidlab.commands.files", lambda _: found)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "01_b.ipynb").write_text("my own work")
    assert run(capsys, "lab", "mine", "--", "--no-browser")[0] == 0
    assert [(tmp_path / "mine" / path.name).read_text() for path in carried] == ["my own work", "as published"]
    place = f"--ServerApp.root_dir={tmp_path / 'mine'}"
    assert opened == [[place, "--LabApp.default_url=/lab/tree/00_a.ipynb", "--no-browser"]]
    monkeypatch.setattr("covidlab.commands.files", lambda _: None)
    status, _, err = run(capsys, "lab")
    assert status == 2 and "found a checkout" in err and not (tmp_path / "covidlab-notebooks").exists()
