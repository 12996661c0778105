import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from covidlab import cluster
from covidlab.cli import main
from covidlab.errors import CovidlabError
from covidlab.models.segment import scan_pairs
from covidlab.weights import find_weights
from tests.chest import chest, write_chest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(5):
        hu, truth = chest()
        hu[10, 60 + number : 70, 30:40] = 0
        write_chest(folder / f"chest_{number}.nii.gz", hu)
    (folder / "chest_3.nii.gz").rename(tmp_path / "content")  # as git-annex and DVC keep files
    (folder / "chest_3.nii.gz").symlink_to(tmp_path / "content")
    (folder / "poison.nii.gz").write_bytes(b"no scan")
    return folder


def predict(scans, out, *more):
    return main(["predict", str(scans), "-o", str(out), "--weights", "phantom", *more])


def test_workers_mark_the_same_name_what_fails_and_do_nothing_twice(scans, tmp_path, capsys):
    assert predict(scans, tmp_path / "alone") == 2
    assert predict(scans, tmp_path / "masks", "--workers", "2") == 2
    told = capsys.readouterr()
    assert "6 scans: 5 segmented, 0 were done before, 1 failed" in told.out and "poison.nii.gz: found" in told.err
    masks = sorted((tmp_path / "alone").iterdir())
    assert [path.name for path in masks] == [f"chest_{number}.nii.gz" for number in range(5)]
    assert all((tmp_path / "masks" / path.name).read_bytes() == path.read_bytes() for path in masks)

    manifest = tmp_path / "masks" / cluster.MANIFEST
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert sorted(Path(line["scan"]).name for line in lines) == sorted(path.name for path in scans.iterdir())
    # A kill has cut off the last line, one mask is gone, one is empty, and one scan has changed: these are done again.
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines if "chest_0" not in line["scan"])
                        + json.dumps(next(line for line in lines if "chest_0" in line["scan"]))[:40])  # fmt: skip
    (tmp_path / "masks" / "chest_1.nii.gz").unlink()
    (tmp_path / "masks" / "chest_4.nii.gz").write_bytes(b"")
    write_chest(scans / "chest_2.nii.gz", chest(sides=(1,))[0])
    (scans / "poison.nii.gz").unlink()
    assert predict(scans, tmp_path / "masks", "--workers", "1") == 0
    assert "5 scans: 4 segmented, 1 were done before, 0 failed" in capsys.readouterr().out
    assert sorted(one["state"] for one in cluster.read_manifest(manifest).values()) == 5 * ["done"] + ["failed"]


def notes_or_dies(scan, *_):
    with scan.with_name("tries.txt").open("a") as file:
        file.write(f"{scan.name}\n")
    if "chest_1" in scan.name:
        time.sleep(1)  # or the scan before it may not have been told
        os.kill(os.getpid(), signal.SIGKILL)
    return {"scan": str(scan), "state": "done"}


def test_a_scan_that_kills_its_workers_is_set_apart_and_costs_no_other_one(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "segment_one", notes_or_dies)
    pairs = [(scans / f"chest_{number}.nii.gz", tmp_path / "mask.nii.gz") for number in range(3)]
    told = list(cluster.predict_many(pairs, tmp_path / cluster.MANIFEST, "phantom", workers=1))
    assert sorted(one["state"] for one in told) == ["done", "done", "failed"]
    failed = next(one for one in told if one["state"] == "failed")
    assert "chest_1.nii.gz: " in failed["error"] and not pairs[1][1].exists()
    # What was done before it is not done again; what waited behind it is not blamed.
    tries = [line[6] for line in (scans / "tries.txt").read_text().splitlines()]
    assert (tries.count("0"), tries.count("2")) == (1, 1) and 1 <= tries.count("1") <= cluster.TRIES


def tells_who(scan, *_):
    return {"scan": str(scan), "state": "done", "pid": os.getpid()}


def worker_processes():
    import psutil

    for process in psutil.Process().children():
        with suppress(psutil.Error):  # it ends just now
            if "spawn_main" in " ".join(process.cmdline()):
                yield process


def test_a_worker_that_is_killed_while_it_starts_is_replaced(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "segment_one", tells_who)
    monkeypatch.setattr(cluster, "AHEAD", 1)
    pairs = [(path, tmp_path / "mask.nii.gz") for path in sorted(scans.iterdir())]
    workers = set()
    for told in cluster.predict_many(pairs, tmp_path / cluster.MANIFEST, "phantom", workers=1):
        workers.add(told["pid"])
        if len(workers) == 1:
            os.kill(told["pid"], signal.SIGKILL)
            new = []
            while not new:
                time.sleep(0.01)
                new = [one for one in worker_processes() if one.pid not in workers]
            new[0].kill()
            workers.add(new[0].pid)
    assert len(workers) == 3


def test_an_interrupt_costs_one_line_and_the_server_says_nothing(scans, tmp_path):
    for number in range(300):  # more than it can do before it is told, on any machine
        os.link(scans / "chest_0.nii.gz", scans / f"more_{number}.nii.gz")
    manifest = tmp_path / "masks" / cluster.MANIFEST
    command = [sys.executable, "-m", "covidlab", "predict", scans, "-o", manifest.parent, "--weights", "phantom"]
    asked = {"stderr": subprocess.PIPE, "text": True, "process_group": 0}
    asked["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    with subprocess.Popen([*command, "--workers", "1"], **asked) as run:
        while run.poll() is None and not (manifest.exists() and manifest.stat().st_size):
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal's Ctrl-C: to the workers, too
        lines = [line for line in run.communicate()[1].splitlines() if not line.startswith("segmenting: ")]
    assert lines == ["covidlab: interrupted; give the same command again and it goes on from there"]
    assert run.returncode == 130


def test_a_scan_done_without_a_picture_is_done_again_for_one(scans, tmp_path):
    asked = (scans / "chest_0.nii.gz", tmp_path / "mask.nii.gz", (find_weights("phantom"), b""), 1)
    told, states = None, []
    for overlay in (False, False, True, True, False):
        told = cluster.segment_one(*asked, overlay, told and told | {"state": "done"})
        states.append(told["state"])
    assert states == ["done", "kept", "done", "kept", "kept"] and (tmp_path / "mask.png").exists()


def test_a_worker_that_outlives_a_run_opens_weights_anew_that_have_changed(monkeypatch):
    opened = []
    monkeypatch.setattr(cluster, "open_segmenter", lambda *given, **_: opened.append(given))
    cluster._open_once.cache_clear()
    for digest in (b"old", b"old", b"new"):
        cluster._open_once((Path("a.weights.h5"), digest), 1)
    cluster._open_once.cache_clear()
    assert len(opened) == 2


def test_a_folder_of_series_is_a_scan_a_folder(tmp_path):
    series = pytest.importorskip("tests.data.test_dicom", reason="the extra `dicom` is not installed")
    for uid in ("1.2", "1.3"):
        (tmp_path / "in" / uid / "notes").mkdir(parents=True)
        series.write_series(tmp_path / "in" / uid, chest()[0].transpose(2, 1, 0), uid)
    pairs = scan_pairs(tmp_path / "in", tmp_path / "out")
    assert [mask.name for _, mask in pairs] == ["1.2.nii.gz", "1.3.nii.gz"]
    weights = find_weights("phantom"), b""
    states = [cluster.segment_one(scan, mask, weights, 1, False, None) for scan, mask in pairs]
    assert [told["state"] for told in states] == 2 * ["done"], states
    assert states[0]["digest"] != states[1]["digest"]


def test_a_training_whose_worker_is_killed_is_gone_on_with_by_another(cohort, cohort_folder, home, tmp_path):
    pytest.importorskip("tensorflow", reason="the extra `train` is not installed")
    from covidlab.training.recipe import Config, Recipe

    recipe = Recipe(updates=8, updates_per_epoch=2)
    names = tuple(case.name for case in cohort.cases)
    config = Config("three scans", 32, "slice", 0, options={"widths": [2, 3]}, recipe=recipe, cases=names)
    killed = []

    def kill():
        while not list(tmp_path.glob("runs/*/history.csv")):
            time.sleep(0.01)
        killed.append(next(worker_processes()))
        killed[0].kill()

    threading.Thread(target=kill, daemon=True).start()
    cluster.train_many([(str(cohort_folder), "lesson", "*", config, tmp_path / "runs")], workers=1)
    (run,) = tmp_path.glob("runs/*")
    epochs = [line.split(",")[0] for line in (run / "history.csv").read_text().splitlines()[1:]]
    assert killed and (run / "scores.json").exists() and epochs == [str(epoch) for epoch in range(1, 5)]


def test_one_process_at_a_time_adds_to_a_manifest_and_a_full_disk_costs_one_line(scans, tmp_path, capsys):
    manifest = tmp_path / "masks" / cluster.MANIFEST
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    with cluster._appended(manifest) as add:
        add({"scan": "a", "state": "done"})
        assert predict(scans, tmp_path / "masks", "--workers", "1") == 2
        assert "another process is at work on" in capsys.readouterr().err
        resource.setrlimit(resource.RLIMIT_FSIZE, (manifest.stat().st_size + 9, kept[1]))
        with pytest.raises(CovidlabError, match="No space left on device.*then go on"):
            add({"scan": "b", "state": "done"})
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    with cluster._appended(manifest) as add:
        add({"scan": "c", "state": "done"})
    assert list(cluster.read_manifest(manifest)) == ["a", "c"] and manifest.read_text().count("\n") == 3


def test_a_scheduler_that_goes_away_ends_the_run_and_blames_no_scan(scans, tmp_path):
    from distributed import LocalCluster

    pairs = [(scans / f"chest_{number}.nii.gz", tmp_path / f"{number}.nii.gz") for number in range(5)]
    manifest = tmp_path / cluster.MANIFEST
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as here:
        with pytest.raises(CovidlabError, match="found no scheduler any more.*it goes on"):
            for _ in cluster.predict_many(pairs, manifest, "phantom", scheduler=here.scheduler_address):
                here.close()
    assert {one["state"] for one in cluster.read_manifest(manifest).values()} == {"done"}


def test_a_scheduler_that_does_not_answer_and_one_scan_are_told(scans, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 1)
    assert predict(scans, tmp_path / "masks", "--scheduler", "tcp://127.0.0.1:9") == 2
    assert "tcp://127.0.0.1:9: found no answer" in capsys.readouterr().err
    assert predict(scans / "chest_0.nii.gz", tmp_path / "mask.nii.gz", "--workers", "2") == 2
    assert "leave --workers out" in capsys.readouterr().err and not np.any(list(tmp_path.glob("mask*.gz")))
