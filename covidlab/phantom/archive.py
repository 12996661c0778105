"""A synthetic archive as a sender would share it, with thirty identifiers left in it, for the lesson on anonymisation.

Scans of three drawn patients in DICOM and NIfTI, with previews and tables. Every name, number and place is invented.
Needs pydicom, the extra `dicom`.
"""

import gzip
import hashlib
import io
import json
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from covidlab.errors import require
from covidlab.phantom.head import deface, draw_head
from covidlab.phantom.scans import Scan, cohort_plans, make_scan

SLICES = 6
NUMBER = "481730"  # of P01 in the hospital
SECRET = "kept by the sender"  # what stands behind the new UIDs
DAYS = ("19030716", "19030730")  # of P01's visits, 42,600 days too early: shifted dates lie before 1925, as BIDS asks
STAYS = "1.3.12.2.1107.5.1.4.90210.30000020031707"  # a UID as scanners make them


class Planted(NamedTuple):
    """One identifier that was left in the archive."""

    file: str  # its path in the archive; of a folder's name the folder
    place: str  # where in the file
    kind: str
    secret: bytes  # as it stands in the file's bytes or name; empty where it is drawn or compressed


def _drawn(text: str, rows: int, columns: int) -> np.ndarray:
    """A text in the upper left corner of a picture, bool (rows, columns)."""
    page = Image.new("1", (columns, rows))
    ImageDraw.Draw(page).text((4, 3), text, fill=1, font=ImageFont.load_default_imagefont())
    return np.asarray(page)


CODE = hashlib.md5(NUMBER.encode()).hexdigest().encode()
OVERLAY = np.packbits(_drawn("THORNQUIST M", 16, 128), bitorder="little").tobytes()

HEADERS = [
    Planted("P01/visit1/slice_01.dcm", "PatientName", "person", b"Thornquist^Mirabel"),
    Planted("P01/visit1/slice_01.dcm", "preamble", "bytes before the header", b"exported from THORNQUIST_M"),
    Planted("P01/visit1/slice_02.dcm", "ReferringPhysicianName", "person", b"Asbury-Quill^Fenwick"),
    Planted("P01/visit1/slice_02.dcm", "StudyInstanceUID", "UID", STAYS.encode()),
    Planted("P01/visit1/slice_03.dcm", "OperatorsName", "person", b"Okonjo-Lund^Tamsin"),
    Planted("P01/visit1/slice_04.dcm", "PatientID", "code that can be undone", CODE),
    Planted("P01/visit1/slice_05.dcm", "AccessionNumber", "number", b"BR20-55710"),
    Planted("P01/visit1/slice_06.dcm", "PatientBirthDate", "date", b"19270514"),
    Planted("P01/visit1/slice_06.dcm", "PatientAge", "age over 89", b"092Y"),
    Planted("P01/visit2/slice_01.dcm", "StudyDate", "date", b"20200317"),
    Planted("P01/visit2/slice_01.dcm", "group 6000", "overlay", OVERLAY),
    Planted("P01/visit2/slice_02.dcm", "InstitutionName", "place", b"St Brannoc Infirmary"),
    Planted("P01/visit2/slice_03.dcm", "ImageComments", "free text", b"Mrs Thornquist, organist at St Brannoc"),
    Planted("P01/visit2/slice_04.dcm", "group 0011", "private tag", b"Thornquist M 14.05.27"),
    Planted("P01/visit2/slice_05.dcm", "group 0013", "private tag", b"\x01Thornquist\x01"),
    Planted("P01/visit2/slice_06.dcm", "OriginalAttributesSequence", "nested tag", b"merged with 481730"),
]  # fmt: skip

OTHERS = [
    Planted("P01/visit2/slice_03.dcm", "picture", "letters in the picture", b""),
    Planted("P01/screen.dcm", "picture", "letters in the picture", b""),
    Planted("P02/head.png", "picture", "letters in the picture", b""),
    Planted("P02/head.nii.gz", "picture", "face", b""),
    Planted("P02/head.json", "InstitutionName", "sidecar", b"St Brannoc Infirmary"),
    Planted("P02/head_pellwether.png", "name", "file name", b"head_pellwether.png"),
    Planted("P03_castellan", "name", "folder name", b"P03_castellan"),
    Planted("P03_castellan/chest.nii.gz", "gzip header", "gzip header", b"castellan_juno.nii"),
    Planted("P03_castellan/chest.nii.gz", "descrip", "NIfTI header", b""),
    Planted("P03_castellan/chest_mask.nii.gz", "extension", "NIfTI extension", b""),
    Planted("P03_castellan/chest.png", "Author", "PNG metadata", b"Fenwick Asbury-Quill"),
    Planted(".DS_Store", "name", "hidden file", "Thornquist_Mirabel".encode("utf-16-be")),
    Planted("participants.csv", "hospital_number", "table of names", NUMBER.encode()),
    Planted("report.ipynb", "outputs", "notebook output", b"Thornquist_Mirabel"),
]


def write_archive(folder: Path, planted: bool = True) -> list[Planted]:
    """Write the archive into a new folder; returns what was planted.

    - `planted`, bool: with the thirty identifiers, or its clean twin, whose list is empty.

    The same call writes the same files. Raises a CovidlabError if pydicom is not installed.
    """
    require(folder, "dicom", "pydicom")
    _write_series(folder, planted)
    _write_head(folder / "P02", planted)
    _write_chest(folder / ("P03_castellan" if planted else "P03"), planted)
    _write_tables(folder, planted)
    return HEADERS + OTHERS if planted else []


@cache
def _chest(row: int) -> Scan:
    """A chest in a few thick slices."""
    return make_scan(replace(cohort_plans()[row], slices=SLICES, positive=SLICES - 2))


def _write_series(folder: Path, planted: bool) -> None:
    """Two visits of P01, and a picture of the workstation's screen."""
    import pydicom
    from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage, generate_uid

    scan = _chest(9)
    across, step = scan.affine[0, 0], scan.affine[2, 2]
    for visit, day in enumerate(DAYS, start=1):
        one = pydicom.Dataset()
        one.PatientName = one.PatientID = "P01"
        one.PatientAge, one.PatientSex, one.StudyDate, one.SeriesDate = "089Y", "F", day, day
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            setattr(one, name, generate_uid(entropy_srcs=[SECRET, name, day]))
        series = deepcopy(one)
        series.Modality, series.SOPClassUID, series.RescaleSlope, series.RescaleIntercept = "CT", CTImageStorage, 1, 0
        series.PixelSpacing, series.SliceThickness = [f"{abs(across):.6g}"] * 2, f"{step:.6g}"
        series.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        for k in range(SLICES):
            series.InstanceNumber, series.ImagePositionPatient = k + 1, [-160, -160, f"{k * step:.6g}"]
            series.set_pixel_data(scan.image[::-1, ::-1, k].T.copy(), "MONOCHROME2", bits_stored=16)
            _save(series, folder, f"P01/visit{visit}/slice_{k + 1:02d}.dcm", planted)
    one.Modality, one.SOPClassUID = "OT", SecondaryCaptureImageStorage
    screen = np.zeros((128, 256), np.uint8)
    screen[40:120, 20:236:24] = 120  # a diagram
    if planted:
        screen[_drawn("THORNQUIST, MIRABEL  14.05.1927", *screen.shape)] = 255
    one.set_pixel_data(screen, "MONOCHROME2", bits_stored=8)
    _save(one, folder, "P01/screen.dcm", planted)


def _save(clean, folder: Path, name: str, planted: bool) -> None:
    """Write one DICOM file, with what is planted in it."""
    import pydicom

    one = deepcopy(clean)
    one.SOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[SECRET, name])
    for _, place, _, secret in (row for row in HEADERS if planted and row.file == name):
        if place == "preamble":
            one.preamble = secret.ljust(128, b"\0")
        elif place == "group 6000":
            for element, kind, value in ((0x10, "US", 16), (0x11, "US", 128), (0x3000, "OB", secret)):
                one.add_new((0x6000, element), kind, value)
        elif place.startswith("group"):
            one.private_block(int(place[-4:], 16), "BRANNOC CT 2", create=True).add_new(1, "OB", secret)
        elif place == "OriginalAttributesSequence":
            before, changed = pydicom.Dataset(), pydicom.Dataset()
            before.PatientComments, changed.ModifiedAttributesSequence = secret.decode(), [before]
            one.OriginalAttributesSequence = [changed]
        else:
            setattr(one, place, secret.decode())
    if planted and name == "P01/visit2/slice_03.dcm":
        pixels = np.where(_drawn("THORNQUIST M", one.Rows, one.Columns), np.int16(3071), one.pixel_array)
        one.set_pixel_data(pixels, "MONOCHROME2", bits_stored=16, generate_instance_uid=False)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    one.save_as(folder / name, enforce_file_format=True)


def _write_head(folder: Path, planted: bool) -> None:
    """A head with its face, or without; a sidecar as dcm2niix writes it; two previews from the side."""
    folder.mkdir(parents=True)
    head, affine = draw_head()
    head = head if planted else deface(head)
    _write_nifti(folder / "head.nii.gz", nib.Nifti1Image(head, affine))
    sidecar = {"Modality": "CT", "SliceThickness": 2.0, "KVP": 120}
    sidecar |= {"InstitutionName": "St Brannoc Infirmary"} if planted else {}
    (folder / "head.json").write_text(json.dumps(sidecar))
    side = np.interp(head[45, :, ::-1].T, (-200, 300), (0, 200)).astype(np.uint8)
    Image.fromarray(side).save(folder / ("head_pellwether.png" if planted else "head_side.png"))
    if planted:
        side[_drawn("PELLWETHER O", *side.shape)] = 255
    Image.fromarray(side).save(folder / "head.png")


def _write_chest(folder: Path, planted: bool) -> None:
    """A chest, its lesions' mask and a preview."""
    folder.mkdir(parents=True)
    scan, words = _chest(5), PngInfo()
    chest, mask = nib.Nifti1Image(scan.image, scan.affine), nib.Nifti1Image(scan.mask, scan.affine)
    if planted:
        chest.header["descrip"] = b"Castellan-Vey J 1988; 2020-03-11"
        mask.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"drawn on Castellan-Vey_Juno"))
        words.add_text("Author", "Fenwick Asbury-Quill")
    _write_nifti(folder / "chest.nii.gz", chest, "castellan_juno.nii" if planted else "")
    _write_nifti(folder / "chest_mask.nii.gz", mask)
    grey = np.interp(scan.image[:, ::-1, SLICES // 2].T, (-1250, 250), (0, 200)).astype(np.uint8)
    Image.fromarray(grey).save(folder / "chest.png", pnginfo=words)


def _write_nifti(path: Path, image: nib.Nifti1Image, old_name: str = "") -> None:
    """Compress as the command gzip does: with the name that the file had before, where it had one."""
    data = io.BytesIO()
    with gzip.GzipFile(old_name, "wb", compresslevel=1, fileobj=data, mtime=0) as file:
        file.write(image.to_bytes())
    path.write_bytes(data.getvalue())


def _write_tables(folder: Path, planted: bool) -> None:
    """Who took part, a notebook, and, where planted, what a desktop leaves in a folder."""
    rows = ["participant,sex,ages", "P01,F,90+", "P02,M,60-69", "P03,F,30-39"]
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": ["scan"], "execution_count": None, "outputs": []}
    if planted:
        rows = [",".join(row) for row in zip(rows, ("hospital_number", NUMBER, "229041", "773305"))]
        shown = {"data": {"text/plain": ["D:/scans/Thornquist_Mirabel"]}, "execution_count": 1, "metadata": {}}
        cell["outputs"] = [{"output_type": "execute_result"} | shown]
        (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1" + OTHERS[11].secret)
    (folder / "participants.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "report.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
