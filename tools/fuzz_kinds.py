"""What `tools.fuzz` damages: of each kind of file a few whole ones, how covidlab reads them, and what is right."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import nibabel as nib
import numpy as np

from covidlab import cluster, tables
from covidlab.data import masks, volumes
from covidlab.data.cohorts import read_cohort
from covidlab.data.dicom import write_series
from covidlab.data.folders import named_patients
from covidlab.data.scans import read_scan
from covidlab.data.slices import open_slice_cache
from covidlab.models.segmenter import open_segmenter
from covidlab.phantom import writing
from covidlab.weights import SHIPPED, stem

SECRET = "Doe^Jane"  # a patient: never in an error or a finding
SHAPE, AFFINE = (12, 10, 6), np.diag([2.0, 2.0, 2.0, 1.0])
NOISE = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)


@dataclass(frozen=True)
class Kind:
    """A kind of file or folder."""

    seeds: list[dict[str, bytes]]  # each: content by file
    read: Callable  # of a path
    check: Callable = lambda found, path: None  # asserts that what was read is usable
    pack: Callable = bytes  # what is written of a content
    text: bool = False


def _saved(voxels=NOISE, kind=nib.Nifti1Image, order="<", slope=()) -> bytes:
    header = kind.header_class(endianness=order)
    header.set_data_dtype(voxels.dtype)
    content = kind(voxels, AFFINE, header).to_bytes()
    return content[:112] + struct.pack("<2f", *slope) + content[120:] if slope else content


def _is_scan(volume, path: Path) -> None:
    shown, mask = volume.slices(), (volume.voxels > 0).astype(np.uint8)
    assert shown.dtype == np.uint8 and shown.size == volume.voxels.size and np.isfinite(volume.hounsfield()).all()
    assert all(one.isprintable() and SECRET not in one for one in volume.findings), volume.findings
    if mask.sum() % 8 == 0:  # it takes as long as all else
        masks.write_mask(there := path.parent / "written.nii", mask, volume)
        assert np.array_equal(masks.read_mask(there, like=volume), mask)


def _is_whole(volume, path: Path) -> None:  # a checksum stands at the end
    assert np.array_equal(volume.voxels, NOISE)


def _is_mask(mask, path: Path) -> None:
    assert mask.dtype == np.uint8 and mask.shape == SHAPE and mask.max() <= 1


def _scan() -> Kind:
    wide = NOISE.astype(np.float32)
    seeds = (
        _saved(),
        _saved(wide, nib.Nifti2Image, ">"),
        _saved(NOISE + 1024, slope=(1, -1024)),
        _saved(NOISE[..., None]),
    )
    return Kind([{"scan.nii": one} for one in seeds], volumes.read_volume, _is_scan)


def _zipped_scan() -> Kind:
    return Kind([{"scan.nii.gz": _saved()}], volumes.read_volume, _is_scan, partial(gzip.compress, compresslevel=1))


def _gzip() -> Kind:
    content = gzip.compress(_saved(), 1)
    return Kind(
        [{"scan.nii.gz": one} for one in (content, content + gzip.compress(b""))], volumes.read_volume, _is_whole
    )


def _mask() -> Kind:
    drawn = (NOISE > 900).astype(np.uint8)
    like = volumes.as_volume(Path("scan.nii"), nib.Nifti1Image(NOISE, AFFINE).header, AFFINE, NOISE, [])
    turned = nib.Nifti1Image(drawn[::-1], AFFINE @ nib.orientations.inv_ornt_aff([[0, -1], [1, 1], [2, 1]], SHAPE))
    seeds = _saved(drawn), _saved(drawn.astype(np.float64)), turned.to_bytes()
    return Kind([{"mask.nii": one} for one in seeds], lambda path: masks.read_mask(path, like), _is_mask)


def _slices() -> list[dict[str, bytes]]:
    """Series of a patient, by file: as scanners write now, as old ones did, and packed."""
    import pydicom

    with TemporaryDirectory() as folder:
        (scan := Path(folder, "scan.nii")).write_bytes(_saved(NOISE[:6, :5, :3]))
        paths, seeds = write_series(Path(folder, "series"), volumes.read_volume(scan)), []
        for syntax in (pydicom.uid.ExplicitVRLittleEndian, pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.RLELossless):
            files = {}
            for path in paths:
                one, content = pydicom.dcmread(path), io.BytesIO()
                one.PatientName, one.PatientID, one.InstanceNumber = SECRET, SECRET, len(files)
                if syntax == pydicom.uid.RLELossless:
                    one.compress(syntax, generate_instance_uid=False)
                one.file_meta.TransferSyntaxUID = syntax
                one.save_as(content, implicit_vr=syntax == pydicom.uid.ImplicitVRLittleEndian, little_endian=True)
                files[f"series/{path.name}"] = content.getvalue()
            seeds.append(files)
    return seeds


def _series() -> Kind:
    return Kind(_slices(), read_scan, _is_scan)


def _zipped_series() -> Kind:
    seeds = []
    for files in _slices():
        with zipfile.ZipFile(content := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
            for name, one in files.items():
                archive.writestr(name, one)
        seeds.append({"scan.zip": content.getvalue()})
    return Kind(seeds, read_scan, _is_scan)


def _itk() -> Kind:
    import SimpleITK as sitk

    seeds = []
    with TemporaryDirectory() as folder:
        for name, packed in (("scan.mha", False), ("scan.mha", True), ("scan.nrrd", False), ("scan.nrrd", True)):
            sitk.WriteImage(sitk.GetImageFromArray(NOISE.T), path := Path(folder, name), packed)
            seeds.append({name: path.read_bytes()})
    return Kind(seeds, read_scan, _is_scan)


def _is_segmenter(segmenter, path: Path) -> None:
    assert 0 <= segmenter.threshold <= 1 and not segmenter.info.has_seen("a", "b")
    if path.suffix == ".onnx":  # TensorFlow takes half a second to run one
        size = segmenter.info.grid
        found = segmenter.probabilities(np.zeros((1, size, size), np.uint8))
        assert found.shape == (1, size, size) and segmenter.mark(found).dtype == bool


def _weights() -> Kind:
    from covidlab.models import MODELS, WeightsInfo, save_weights

    options = {"widths": [2, 3]}
    with TemporaryDirectory() as folder:
        path = Path(folder, "some.weights.h5")
        save_weights(path, MODELS["light_unet"](**options), WeightsInfo("light_unet", 32, 0.5, "a test", options))
        return Kind([{path.name: path.read_bytes()}], open_segmenter, _is_segmenter)


def _onnx() -> Kind:
    path = stem(SHIPPED["phantom"]).with_suffix(".onnx")
    return Kind([{path.name: path.read_bytes()}], open_segmenter, _is_segmenter)


def _run() -> Kind:
    from covidlab.training.lessons import kept_runs
    from covidlab.training.runs import read_run

    kept = next(iter(kept_runs().values()))
    history = "\n".join(kept["history"]) + "\n"
    files = {
        "config.json": json.dumps(kept["config"]),
        "scores.json": json.dumps(kept["scores"]),
        "history.csv": history,
    }

    def is_run(run, path):
        assert {f"{value:.3f}" for scores in run.scores.values() for value in scores.values()} and run.config.sentence

    return Kind([{f"run/{name}": text.encode() for name, text in files.items()}], read_run, is_run, text=True)


def _patients() -> Kind:
    def are_patients(found, path):
        assert {"a", "b"}.issuperset(found)

    seeds = b"case,patient\na,1\nb,1\n", '\ufeffpatient,case,age\r\n"1",a,5\r\n'.encode()
    read = partial(named_patients, names=["a", "b"])
    return Kind([{"patients.csv": one} for one in seeds], read, are_patients, text=True)


def _marker() -> Kind:
    identity = {"profile": "lesson", "seed": 0, "version": 4, "plans": [{"name": "phantom_01_1", "slices": 3}]}
    content = json.dumps(identity).encode()
    return Kind([{f"phantom/{writing.MARKER}": content}], lambda path: writing._standing(path, identity), text=True)


def _manifest() -> Kind:
    line = {"scan": "a.nii", "mask": "b.nii.gz", "state": "done", "digest": "00", "slices": 3, "findings": ["odd"]}
    content = (json.dumps(line) + "\n").encode() * 2
    return Kind([{"manifest.jsonl": content}], cluster.read_manifest, lambda found, _: json.dumps(found), text=True)


def _table() -> Kind:
    return Kind(
        [{"table.csv": b'model,F1\na,0.5\nb,"0,6"\n'}],
        tables.read_table,
        lambda rows, _: tables.markdown(rows),
        text=True,
    )


def _scores() -> Kind:
    from studies.folds import compare_rows, read_recipes  # loads TensorFlow

    shared = dict.fromkeys(("f1", "precision", "recall", "slice_specificity", "volume_mean"), 0.5)
    more = {"f1_interval": [0.1, 0.6], "per_volume": {"a": 0.5}, "positives_only": {"f1": None}}
    content = json.dumps({"data": "phantom", "grid": 128, "held_out": {"fcn8s": shared | more}}).encode()
    return Kind([{"run/scores.json": content}], lambda path: compare_rows(read_recipes([path])), text=True)


def _cache() -> Kind:
    with TemporaryDirectory() as folder:
        for name, voxels in (("images", NOISE), ("masks", (NOISE > 900).astype(np.uint8))):
            Path(folder, "cohort", name).mkdir(parents=True)
            Path(folder, "cohort", name, "a.nii").write_bytes(_saved(voxels))
        cohort = read_cohort(Path(folder, "cohort"))
        built = open_slice_cache(cohort, 16, Path(folder, "root")).folder
        seed = {f"root/{built.name}/{path.name}": path.read_bytes() for path in sorted(built.iterdir())}

    key = built.name.rpartition("-")[2]

    def read(path):  # the cohort's own files, which name the cache, are gone
        with patch("covidlab.data.slices._content_key", lambda *_: key):
            return open_slice_cache(cohort, 16, path)

    return Kind([seed], read, lambda cache, _: cache.images[:].sum() + cache.masks[:].sum() + cache.positive.sum())


# Those that load TensorFlow come last.
KINDS = {
    "scan": _scan, "zipped-scan": _zipped_scan, "gzip": _gzip, "mask": _mask, "series": _series,
    "zipped-series": _zipped_series, "itk": _itk, "onnx": _onnx, "cache": _cache, "patients": _patients,
    "marker": _marker, "manifest": _manifest, "table": _table, "run": _run, "scores": _scores, "weights": _weights,
}  # fmt: skip
