"""A mask as a DICOM segmentation beside its series: what an archive and its viewers take.

Needs highdicom, the extra `seg`. Where each frame lies is copied from the slice it was drawn on, never computed.
"""

import re
from pathlib import Path

import numpy as np

from covidlab import __version__
from covidlab.data.dicom import NAMES
from covidlab.data.volumes import Volume
from covidlab.errors import CovidlabError, refused, require
from covidlab.files import whole_file

# What a segmentation may say of a patient and a study, and leaves empty where its slices say something else.
DATE = r"\d{4}(\.?)(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])"  # with dots before DICOM
VALID = {
    "PatientSex": "[MFO]", "PatientBirthDate": DATE, "StudyDate": DATE,
    "StudyTime": r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?",
}  # fmt: skip


def check_names(path: Path, scan: Volume) -> None:
    """A CovidlabError as `write_segmentation` raises it of a scan, before a network has run in vain."""
    require(path, "seg", "highdicom")
    for name in NAMES:
        if any(name not in one or name.endswith("UID") and not one.get(name) for one in scan.series):
            found, remedy = f"slices that lack what a segmentation names (no {name})", "export the series with its tags"
            raise CovidlabError(scan.path, found, "patient, study and instance", f"{remedy}, or end -o in .nii.gz")
    if (numbers := len({one.SOPInstanceUID for one in scan.series})) < len(scan.series):
        found = f"{numbers} SOPInstanceUID in {len(scan.series)} slices"
        raise CovidlabError(scan.path, found, "a number of its own for each", "end -o in .nii.gz")


def write_segmentation(path: Path, mask: np.ndarray, like: Volume, drawn_by: str) -> None:
    """Write a mask as one DICOM file, whole or not at all.

    - `path`, Path: ends in .dcm; its folder is made if missing.
    - `mask`, bool (column, row, slice), in the stored order of its scan; slices without lesion are left out of the
      file, unless none has any.
    - `like`, Volume: the scan, as `covidlab.data.dicom.read_series` read it. As archives need it, the file names the
      patient and study of its slices: whoever passes it on passes that on.
    - `drawn_by`, str: the network, in words.

    Raises a CovidlabError if highdicom is not installed, or if the slices lack what names patient and study.
    """
    check_names(path, like)
    import highdicom
    from pydicom.sr.codedict import codes

    for one in like.series:  # in which highdicom takes no rounding
        one.ImageOrientationPatient = like.series[0].ImageOrientationPatient
        one.SliceThickness = one.get("SliceThickness") or f"{np.linalg.norm(like.affine[:3, 2]):.8g}"
        if "SpecificCharacterSet" in one:  # nor every alphabet: the same words in UTF-8
            with refused(one.filename, "text that cannot be read", "the alphabet that it names", "end -o in .nii.gz"):
                one.decode()
            one.SpecificCharacterSet = "ISO_IR 192"
        for name, valid in VALID.items():
            if not re.fullmatch(valid, str(one[name].value or "")):  # as anonymised files have it
                one[name].value = ""
    algorithm = highdicom.AlgorithmIdentificationSequence(
        drawn_by, codes.DCM.ArtificialIntelligence, __version__, source="covidlab"
    )
    lesion = highdicom.seg.SegmentDescription(
        1, "infected area", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion, "AUTOMATIC", algorithm
    )
    with refused(like.path, "slices that highdicom refuses", "tags that DICOM allows", "end -o in .nii.gz"):
        made = highdicom.seg.Segmentation(
            like.series, mask.transpose(2, 1, 0), "BINARY", [lesion], highdicom.UID(), 300, highdicom.UID(), 1,
            "covidlab", "covidlab", __version__, "0", series_description="infected area, not for diagnosis",
            omit_empty_frames=bool(mask.any()),
        )  # fmt: skip
    with whole_file(path) as scratch:
        made.save_as(scratch)
