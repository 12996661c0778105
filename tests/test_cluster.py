import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from covidlab import cluster
from covidlab.cli import main
from tests.chest import chest, write_chest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(4):
        hu, truth = chest()
        hu[10, 60 + number : 70, 30:40] = 0
        write_chest(folder / f"chest_{number}.nii.gz", hu)
    (folder / "poison.nii.gz").write_bytes(b"no scan")
    return folder


def predict(scans, out, *more):
    return main(["predict", str(scans), "-o", str(out), "--weights", "phantom", *more])


def test_workers_mark_the_same_name_what_fails_and_do_nothing_twice(scans, tmp_path, capsys):
    assert predict(scans, tmp_path / "alone") == 2
    assert predict(scans, tmp_path / "masks", "--workers", "2") == 2
    told = capsys.readouterr()
    assert "5 scans: 4 segmented, 0 were done before, 1 failed" in told.out and "poison.nii.gz: found" in told.err
    masks = sorted((tmp_path / "alone").iterdir())
    assert [path.name for path in masks] == [f"chest_{number}.nii.gz" for number in range(4)]
    assert all((tmp_path / "masks" / path.name).read_bytes() == path.read_bytes() for path in masks)

    manifest = tmp_path / "masks" / cluster.MANIFEST
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert sorted(Path(line["scan"]).name for line in lines) == sorted(path.name for path in scans.iterdir())
    # A kill has cut off the last line, one mask is gone, and one scan has changed: these three are done again.
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines if "chest_0" not in line["scan"])
                        + json.dumps(next(line for line in lines if "chest_0" in line["scan"]))[:40])  # fmt: skip
    (tmp_path / "masks" / "chest_1.nii.gz").unlink()
    write_chest(scans / "chest_2.nii.gz", chest(sides=(1,))[0])
    (scans / "poison.nii.gz").unlink()
    assert predict(scans, tmp_path / "masks", "--workers", "1") == 0
    assert "4 scans: 3 segmented, 1 were done before, 0 failed" in capsys.readouterr().out
    assert sorted(one["state"] for one in cluster.read_manifest(manifest).values()) == 4 * ["done"] + ["failed"]


def dies(scan, *_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_scan_that_kills_its_workers_is_set_apart(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "segment_one", dies)
    pairs = [(scans / "chest_0.nii.gz", tmp_path / "mask.nii.gz")]
    (told,) = cluster.predict_many(pairs, tmp_path / cluster.MANIFEST, "phantom", workers=1)
    assert told["state"] == "failed" and "chest_0.nii.gz: " in told["error"] and not pairs[0][1].exists()


def test_a_scheduler_that_does_not_answer_and_one_scan_are_told(scans, tmp_path, capsys):
    assert predict(scans, tmp_path / "masks", "--scheduler", "tcp://127.0.0.1:9") == 2
    assert "tcp://127.0.0.1:9: found no answer" in capsys.readouterr().err
    assert predict(scans / "chest_0.nii.gz", tmp_path / "mask.nii.gz", "--workers", "2") == 2
    assert "leave --workers out" in capsys.readouterr().err and not np.any(list(tmp_path.glob("mask*.gz")))
