"""Damaged files of every kind that covidlab reads: each is read into something usable, or refused in one line, and
takes no more memory than its size allows, whatever it claims."""

import gzip
import random
import shutil
import tracemalloc
import zipfile

import nibabel as nib
import numpy as np
import pytest

from covidlab.data import masks, volumes
from covidlab.data.dicom import write_series
from covidlab.data.folders import named_patients
from covidlab.data.scans import read_scan
from covidlab.errors import CovidlabError
from covidlab.models import MODELS, WeightsInfo, save_weights
from covidlab.models.exported import OnnxNetwork
from covidlab.models.segmenter import open_segmenter
from covidlab.training.lessons import kept_runs, unpack
from covidlab.training.runs import read_run
from covidlab.weights import SHIPPED, stem

MEMORY = 2**25  # bytes: each whole file here is of some kilobytes, which a zip may stretch a thousandfold

# The largest and the least numbers, infinity, and what is special in the text of DICOM, JSON and CSV.
CHANGES = b"\xff\x7f", b"\xff\xff\xff\x7f", b"\0\0", b"\0\0\x80\x7f", b"\\", b"-9", b"1e9", b'"', b"[", b",", b"XX"


def damaged(content, chance):
    """A few bytes changed, most of them in the first 400, where headers are; some files are cut off besides."""
    content = bytearray(content)
    for _ in range(chance.choice((1, 2, 4))):
        place = chance.randrange(min(400, len(content)) if chance.random() < 0.8 else len(content))
        change = chance.choice((*CHANGES, chance.randbytes(1), chance.randbytes(4)))
        content[place : place + len(change)] = change
    return bytes(content[: chance.randrange(len(content))] if chance.random() < 0.1 else content)


def is_scan(volume):
    shown = volume.slices()
    return shown.dtype == np.uint8 and shown.size == volume.voxels.size and np.isfinite(volume.hounsfield()).all()


def is_mask(mask):
    return mask.dtype == np.uint8 and mask.ndim == 3 and mask.max() <= 1


def is_network(segmenter):
    network = segmenter.network
    return (isinstance(network, OnnxNetwork) or network.count_params()) and 0 <= segmenter.threshold <= 1


def is_run(run):
    return {f"{value:.3f}" for scores in run.scores.values() for value in scores.values()} and run.config.sentence


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """By kind: a file or folder, which files of it are damaged, how it is read, and whether what was read is usable."""
    folder = tmp_path_factory.mktemp("whole")
    noise = np.random.default_rng(0).integers(-1000, 1000, (12, 10, 6)).astype(np.int16)
    image = nib.Nifti1Image(noise, np.diag([2.0, 2.0, 2.0, 1.0]))
    nib.save(image, folder / "scan.nii"), nib.save(image, folder / "scan.nii.gz")
    nib.save(nib.Nifti1Image((noise > 900).astype(np.uint8), image.affine), folder / "mask.nii.gz")
    with zipfile.ZipFile(folder / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in write_series(folder / "series", volumes.read_volume(folder / "scan.nii")):
            archive.write(path, path.name)
    options = {"widths": [2, 3]}
    info = WeightsInfo("light_unet", 32, 0.5, "a test", options)
    shutil.copy(stem(SHIPPED["phantom"]).with_suffix(".onnx"), folder)
    save_weights(folder / "some.weights.h5", MODELS["light_unet"](**options), info)
    name, kept = next(iter(kept_runs().items()))
    unpack(name, kept, folder / "run")
    (folder / "patients.csv").write_text("case,patient\na,1\nb,1\n")
    series, run = (sorted((folder / name).glob(ending)) for name, ending in (("series", "*.dcm"), ("run", "*.json")))
    return {
        "scan": (folder / "scan.nii", None, volumes.read_volume, is_scan),
        "zipped-scan": (folder / "scan.nii.gz", None, volumes.read_volume, is_scan),
        "mask": (folder / "mask.nii.gz", None, masks.read_mask, is_mask),
        "series": (folder / "series", series, read_scan, is_scan),
        "zipped-series": (folder / "scan.zip", None, read_scan, is_scan),
        "weights": (folder / "some.weights.h5", None, open_segmenter, is_network),
        "onnx": (folder / "light_unet_phantom_128.onnx", None, open_segmenter, is_network),
        "run": (folder / "run", run, read_run, is_run),
        "patients": (folder / "patients.csv", None, lambda path: named_patients(path, "ab"), {"a", "b"}.issuperset),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", "scan zipped-scan mask series zipped-series weights onnx run patients".split())
def test_a_damaged_file_is_usable_or_refused_in_one_line_and_takes_little_memory(whole, tmp_path, kind):
    source, parts, read, is_usable = whole[kind]
    chance, refused, number = random.Random(kind), 0, 10 if kind == "weights" else 27  # weights take long
    assert is_usable(read(source))
    for _ in range(number):
        copy = tmp_path / source.name
        shutil.copytree(source, copy, dirs_exist_ok=True) if parts else shutil.copyfile(source, copy)
        victim = copy / chance.choice(parts).name if parts else copy
        content = victim.read_bytes()
        if victim.suffix == ".gz" and chance.random() < 0.7:
            victim.write_bytes(gzip.compress(damaged(gzip.decompress(content), chance), 1))
        else:
            victim.write_bytes(damaged(content, chance))
        if kind != "weights":  # TensorFlow's memory it does not see, and makes it slow
            tracemalloc.start()
        try:
            assert is_usable(read(copy))
        except CovidlabError as error:
            refused += 1
            assert copy.name in str(error) and "\n" not in str(error)
        finally:
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert most < MEMORY
    assert refused


def test_what_claims_more_than_it_holds_or_than_a_scan_has_is_refused_before_it_is_unpacked(whole, tmp_path):
    content, scan = whole["scan"][0].read_bytes(), tmp_path / "scan.nii.gz"

    def changed(place, *numbers):
        number = np.array(numbers, np.float32 if place == 108 else np.int16).tobytes()
        return content[:place] + number + content[place + len(number) :]

    for claim, words in (
        (changed(42, 32767, 32767, 32767), "a claim of 32767 x 32767 x 32767 voxels"),
        (changed(42, 1000, 1000, 300), "claims 600,000,352 bytes"),
        (changed(42, -16), "a volume without voxels"),
        (changed(108, np.inf), "cannot convert float infinity"),
        (changed(108, 1e30), "bytes, the file has"),
        (content + bytes(2**25), "and it holds fewer, or many more"),
    ):
        scan.write_bytes(gzip.compress(claim, 1))
        tracemalloc.start()
        with pytest.raises(CovidlabError, match=words):
            volumes.read_volume(scan)
        assert tracemalloc.get_traced_memory()[1] < 2**23
        tracemalloc.stop()
