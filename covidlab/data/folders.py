"""How a cohort lies on the disk: names of folders and files, and which patient a file is of."""

import csv
import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

import pooch

from covidlab.errors import CovidlabError, refused

# The record's own folder names first, then the usual ones, so that "one folder of images, one of masks" just works, in
# capitals, too; ct_scans and infection_mask are those of its copy on Kaggle.
IMAGE_FOLDERS = ("COVID-19-CT-Seg_20cases", "images", "image", "imagesTr", "scans", "ct", "ct_scans")
MASK_FOLDERS = ("Infection_Mask", "masks", "mask", "labelsTr", "labels", "infection")

EXTENSIONS = (".nii.gz", ".nii")  # of NIfTI, which scans and masks are read from, and masks written to
ITK = (".mha", ".mhd", ".nrrd", ".nhdr")  # which single scans are read from, too

# The record's files by the names that its copies give them: radiopaedia_org_covid-19-pneumonia-10_85902_1-dcm,
# coronacases_org_001, case009, and _0000 as nnU-Net wants it. The record itself has ten coronacases.
RADIOPAEDIA = re.compile(r"radiopaedia.*?(?<!\d)(\d+_\d+_\d+)([-_ .]\D.*|_0000)?", re.IGNORECASE)
CORONACASES = re.compile(
    r"(?:corona[-_ ]?cases?[-_ ]*(?:org)?[-_ ]*(?:case)?[-_ ]*|case(?=0))(\d{1,3})([-_ .]\D.*|_0000)?", re.IGNORECASE
)


def is_nifti(path: Path) -> bool:
    """Whether a file is named as NIfTI: it ends in .nii or .nii.gz."""
    return path.name.endswith(EXTENSIONS)


def is_scan(path: Path) -> bool:
    """Whether a file is named as a scan; in capitals, too: reading such a file says what to do about it."""
    return path.name.lower().endswith((*EXTENSIONS, *ITK))


def case_name(path: Path) -> str:
    """A scan's file name without its extension; of a folder with a DICOM series, its name. Letters with marks are one
    character each, however the system that wrote the name has them."""
    name = unicodedata.normalize("NFC", path.absolute().name)  # of the folder one stands in, too
    return next((name.removesuffix(end) for end in (*EXTENSIONS, *ITK) if name.endswith(end)), name)


def record_name(case_name: str) -> str:
    """The record's own name of a file, whichever copy of it the file comes from; any other name as it is.

    >>> record_name("radiopaedia_org_covid-19-pneumonia-7_85703_0-dcm"), record_name("coronacases_org_001")
    ('radiopaedia_7_85703_0', 'coronacases_001')
    """
    if found := RADIOPAEDIA.fullmatch(case_name):
        return f"radiopaedia_{found[1]}"
    found = CORONACASES.fullmatch(case_name)
    return f"coronacases_{int(found[1]):03d}" if found and 1 <= int(found[1]) <= 10 else case_name


def mask_names(case_name: str) -> list[str]:
    """What a scan's mask may be called where it has another name: as in the record whose copy the scan is, without
    nnU-Net's number of a channel, or with what a file is, as MosMed's are.

    >>> mask_names("study_0255_0000")
    ['study_0255_0000', 'study_0255', 'study_0255_mask', 'study_0255_seg', 'study_0255_label']
    """
    plain = case_name.removesuffix("_0000")
    return [record_name(case_name), plain, *(f"{plain}_{kind}" for kind in ("mask", "seg", "label"))]


def patient_of(case_name: str) -> str:
    """The patient whose scan a file name says it is, also as copies of the record spell it (see `record_name`).

    The record's Radiopaedia files are named case_study_series, so scans of one case number are one patient:
    10_85902_1 and 10_85902_3 are (the data set's author says so), 29_86490_1 and 29_86491_1 by their number.
    The phantom's are named phantom_patient_scan. Any other file is a patient of its own; a `patients.csv`
    beside the image folder (two columns, case and patient) says otherwise.

    >>> patient_of("radiopaedia_10_85902_3"), patient_of("phantom_03_2"), patient_of("coronacases_001")
    ('10', 'phantom_03', 'coronacases_001')
    """
    name = record_name(case_name)
    found = re.fullmatch(r"radiopaedia_(\d+)_\d+_\d+|(phantom_\d+)_\d+", name)
    return found[1] or found[2] if found else name


def data_home() -> Path:
    """Where generated and downloaded data land: COVIDLAB_HOME, a checkout's data/, or the user's cache folder."""
    if named := os.environ.get("COVIDLAB_HOME"):
        return named_in_environment(named)
    checkout = Path(__file__).resolve().parents[2] / "data"
    return checkout if (checkout / "README.md").exists() else Path(pooch.os_cache("covidlab"))


def named_in_environment(named: str) -> Path:
    """The absolute path that an environment variable names.

    A relative one is meant from where the command was given; Jupyter starts a kernel in the notebook's folder, so what
    is not there is looked for in the folder above, too.
    """
    path, here = Path(named).expanduser(), Path.cwd()
    return next((base / path for base in (here, here.parent) if (base / path).exists()), here / path)


def phantom_folder(profile: str = "lesson", seed: int = 0) -> Path:
    """Where a phantom lies unless another place is named; each seed has a folder of its own."""
    return data_home() / (f"phantom-{profile}" + (f"-seed{seed}" if seed else ""))


def image_and_mask_folders(folder: Path) -> tuple[Path, Path]:
    """The folder of images and that of masks in a cohort's folder; CovidlabError where one is missing."""
    layout = f"a folder {IMAGE_FOLDERS[0]} (or images) and a folder {MASK_FOLDERS[0]} (or masks)"
    if not folder.is_dir():
        what = "a file of that name" if folder.exists() else f"nothing of that name in {folder.absolute().parent}"
        raise CovidlabError(folder, what, f"a folder that holds {layout}", "check the path")
    images, masks = halves(folder)
    for several in (images, masks):
        if len(several) > 1:
            found = f"{several[0].name} and {several[1].name}"
            raise CovidlabError(folder, found, "one folder of images and one of masks", "rename what is not meant")
    if images and masks:
        return images[0], masks[0]
    there = ", ".join(sorted(child.name for child in folder.iterdir())[:6]) or "nothing: it is empty"
    remedy = "rename or create them, or run `covidlab phantom` for synthetic data"
    if inside := cohorts_in(folder):
        remedy = f"name the folder in it: {inside[0]}"
    elif (deeper := first_folder_of_files(folder)) and not any(map(is_scan, deeper.iterdir())):
        remedy = f"name the folder that holds the scan's files, such as {deeper}"
    elif half := images or masks:
        remedy = f"only the folder of {'masks' if images else 'images'} is missing: put it beside {half[0].name}"
    elif scan := next(filter(is_scan, sorted(folder.iterdir())), None):
        remedy = f"put scans and masks into the two folders; a scan without a mask is looked at by its name, {scan}"
    raise CovidlabError(folder, there, layout, remedy)


def halves(folder: Path) -> list[list[Path]]:
    """The folders of images and those of masks that are there, by any of their names."""
    there = [(child.name.lower(), child) for child in sorted(folder.glob("*")) if child.is_dir()]
    known = ({name.lower() for name in names} for names in (IMAGE_FOLDERS, MASK_FOLDERS))
    return [[child for name, child in there if name in names] for names in known]


def cohorts_in(folder: Path) -> list[Path]:
    """Folders of a folder that hold both images and masks."""
    return [child for child in sorted(folder.iterdir()) if all(halves(child))]


def first_folder_of_files(folder: Path) -> Path | None:
    """Where the first files below a folder lie, such as the slices of a DICOM study; None where files lie in it."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        if any(name[0] != "." and name.upper() != "DICOMDIR" for name in names):
            return Path(place) if Path(place) != folder else None
    return None


def nifti_files(folder: Path) -> dict[str, Path]:
    """Name -> file, sorted by name; hidden files (macOS leaves ._name.nii.gz beside each) are not scans."""
    named: dict[str, Path] = {}
    for path in (one for one in sorted(folder.glob("[!.]*")) if one.name.lower().endswith(EXTENSIONS)):
        if not is_nifti(path):  # left out, nobody would miss it
            raise CovidlabError(path, "an ending in capitals", "small letters", "rename the file")
        if (twin := named.setdefault(case_name(path), path)) != path:
            raise CovidlabError(path, f"{twin.name} too", "one file a case", "remove one of the two")
    return named


def named_patients(path: Path, names: Collection[str]) -> dict[str, str]:
    """Case -> patient, as a patients.csv has it; where a decimal is a comma, spreadsheets part cells by semicolons. A
    row that is not understood would part two scans of one patient."""
    if not path.exists():
        return {}
    with (
        refused(path, "no UTF-8 text", "a table as CSV in UTF-8", "save it as that"),
        path.open(newline="", encoding="utf-8-sig") as file,  # Excel puts a mark before UTF-8
    ):
        first = file.readline()
        file.seek(0)
        table = csv.DictReader(file, delimiter=max(",;\t", key=first.count))
        table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
        if not {"case", "patient"} <= set(table.fieldnames):
            raise CovidlabError(path, f"columns {table.fieldnames}", "columns case and patient", "name them in line 1")
        rows = [(table.line_num, (row["case"] or "").strip(), (row["patient"] or "").strip()) for row in table]
    patients: dict[str, str] = {}
    for line, case, patient in rows:
        row = f"{case!r} in line {line}"
        if not case and not patient:
            continue  # a spreadsheet's empty rows
        if case not in names:
            found, expected = f"{row}, of which there is no scan", f"names of files such as {next(iter(names))}"
            raise CovidlabError(path, found, expected, "correct the name, or delete the row")
        if not patient:
            raise CovidlabError(path, f"{row} without a patient", "a case and a patient in each row", "name who")
        if case in patients:
            raise CovidlabError(path, f"{row} a second time", "each case once", "delete one of the rows")
        patients[case] = patient
    return patients
