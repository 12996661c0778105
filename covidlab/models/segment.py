"""A scan to a mask: resample to the weights' grid, infer, take the probabilities back, threshold, keep the lungs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from covidlab.data.dicom import holds_slices
from covidlab.data.dicom_seg import check_names, write_segmentation
from covidlab.data.folders import ITK, case_name, first_folder_of_files, halves, is_nifti, is_scan, patient_of
from covidlab.data.masks import write_mask
from covidlab.data.scans import read_scan
from covidlab.data.volumes import Volume
from covidlab.errors import CovidlabError, require
from covidlab.models.segmenter import Segmenter
from covidlab.progress import track

# Told what was marked, such as `draw_overlay`: the mask's file, the scan, and bool (slices, rows, columns) in display
# orientation.
Look = Callable[[Path, Volume, np.ndarray], None]


@dataclass(frozen=True)
class Prediction:
    """What was written for one scan."""

    scan: Path  # The file read and the file written
    mask: Path
    slices: int  # Of the scan, and of the mask
    positive_slices: int
    positive_voxels: int
    millilitres: float | None  # Volume of what is marked; None where the file does not say how large a voxel is
    involvement: dict[str, float]  # Share of the "right" and the "left" lung that is marked, 0..1, of those found
    # The F1 to expect and the ends of its 90 % interval; None where nothing is marked, or the weights cannot say
    predicted_f1: tuple[float, ...] | None
    seen: bool  # Whether the weights were trained or chosen on this patient, by the scan's name
    seconds: float  # From opening the scan to the mask written, overlay included
    findings: tuple[str, ...]  # What is odd about the scan and its lungs; see `covidlab.data.volumes` and `lungs`


def predict_file(scan: Path, mask: Path, segmenter: Segmenter, look: Look | None = None) -> Prediction:
    """Segment one scan inside its lungs and write the mask beside its geometry: same shape, affine and header codes.
    Then `look`.

    Raises CovidlabError: if the scan cannot be read or the mask cannot be written; no partial file is left.
    """
    start, volume, name = perf_counter(), read_scan(scan), case_name(scan)
    if mask.suffix == ".dcm":
        check_names(mask, volume)  # what its slices lack is said before the network runs
    found, lungs, f1 = segmenter.predict(volume)
    if mask.suffix == ".dcm":
        write_segmentation(mask, volume.from_display(found), volume, segmenter.info.model)
    else:
        write_mask(mask, volume.from_display(found), like=volume)
    by_slice = np.count_nonzero(found, axis=(1, 2))
    if look:
        look(mask, volume, found)
    millilitres = by_slice.sum() * np.prod(volume.spacing) / 1000 if volume.spacing else None
    return Prediction(
        scan, mask, len(by_slice), int(np.count_nonzero(by_slice)), int(by_slice.sum()), millilitres,
        lungs.involvement(found), f1, segmenter.info.has_seen(name, patient_of(name)),
        round(perf_counter() - start, 2), volume.findings + lungs.findings,
    )  # fmt: skip


def predict_all(
    pairs: list[tuple[Path, Path]], segmenter: Segmenter, look: Look | None = None
) -> Iterator[Prediction]:  # fmt: skip
    """Segment the scans of `scan_pairs`, each as `predict_file` does.

    A scan of several that cannot be read does not stop the others: the error comes after the last one, and names each.
    """
    failed = []
    for scan, mask in track(pairs, "segmenting"):
        try:
            prediction = predict_file(scan, mask, segmenter, look)
        except CovidlabError as error:
            failed.append(error)
            if error.subject == str(mask):  # what cannot be written is segmented in vain, and so would be the next
                break
        else:
            yield prediction
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise CovidlabError(
            pairs[0][0].parent, f"{len(failed)} of {len(pairs)} scans that have no mask now", "a mask for each",
            "\n  ".join(["see to these:", *map(str, failed)]).removesuffix("."),
        )  # fmt: skip


def scan_pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Which scan becomes which mask: one file a file, or every scan of a folder one in a folder.

    - `source`, Path: what `read_scan` reads, or a folder of such files, or of folders with a DICOM series each. One
      with files of scans and slices is the series where the target is a file.
    - `target`, Path: a file name ending in .nii or .nii.gz for one scan, or in .dcm for a DICOM segmentation beside a
      series; a folder for several, made if missing.

    Raises CovidlabError: if there is no scan, the target is the wrong kind of name, or a package is missing for DICOM.
    """
    if not source.exists():
        raise CovidlabError(source, "no such file", "a scan, or a folder of scans or DICOM slices", "check the name")
    scans, to_a_file = _scans_in(source) if source.is_dir() else [], is_nifti(target) or target.suffix == ".dcm"
    if target.suffix == ".dcm" and not (source.is_dir() and holds_slices(source)):
        raise CovidlabError(
            target, "a DICOM segmentation asked of another kind of scan", "a folder with the slices of one series",
            "name that, or end -o in .nii.gz",
        )  # fmt: skip
    if scans and holds_slices(source):
        if not to_a_file:
            raise CovidlabError(
                source, f"DICOM slices, and {scans[0].name} beside them", "one or the other",
                "end -o in .nii.gz or .dcm if the slices are the scan, else move them elsewhere",
            )  # fmt: skip
        scans = []
    if scans and to_a_file:
        raise CovidlabError(target, f"a file name for {len(scans)} scans", "a folder", "leave the extension out of -o")
    if not scans and not to_a_file:
        raise CovidlabError(target, "another kind of name", "NIfTI, or .dcm for a DICOM series", "add .nii.gz to -o")
    pairs = {} if scans else {target: source}
    for scan in scans:
        if (twin := pairs.setdefault(target / f"{case_name(scan)}.nii.gz", scan)) != scan:
            raise CovidlabError(scan, f"{twin.name} too", "one file a scan", "remove one of the two")
    if same := [scan for mask, scan in pairs.items() if scan.resolve() == mask.resolve()]:
        raise CovidlabError(same[0], "the scan itself as the mask to write", "another name or folder", "change -o")
    if target.suffix == ".dcm":
        require(target, "seg", "highdicom")
    if any(scan.is_dir() or scan.suffix.lower() == ".zip" for scan in pairs.values()):
        require(source, "dicom", "pydicom")
    if any(scan.name.endswith(ITK) for scan in pairs.values()):
        require(source, "itk", "SimpleITK")
    return [(scan, mask) for mask, scan in pairs.items()]


def _scans_in(folder: Path) -> list[Path]:
    """The files of scans in a folder, or else its folders of DICOM slices; none where something else in it may be a
    series."""
    scans = sorted(path for path in folder.glob("[!.]*") if is_scan(path) and not path.is_dir())
    inside = next((one for one in halves(folder)[0] if not holds_slices(one)), None)
    if not scans and inside:
        raise CovidlabError(folder, "a cohort with scans and masks", "a folder of scans", f"name {inside}")
    if not scans:
        scans = [path for path in sorted(folder.glob("[!.]*")) if path.is_dir() and holds_slices(path)]
    if not any(path.is_file() or path in scans for path in folder.iterdir()):
        inside = first_folder_of_files(folder)
        remedy = f"name the folder that holds them{f', such as {inside}' if inside else ''}"
        raise CovidlabError(folder, "no scan", "files of scans, or the DICOM slices of one series", remedy)
    return scans
