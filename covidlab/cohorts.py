"""A cohort is a folder of cases: the phantom, the Zenodo record, or your own.

Here a folder becomes a tuple of `Case`, each an image file with its mask and its patient. Nothing is read
but names; reading a file is `covidlab.volumes`, and the array that training reads is `covidlab.slice_cache`.
"""

import csv
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import pooch

from covidlab.errors import CovidlabError
from covidlab.progress import Progress, silent

# The record's own folder names first, then the usual ones, so that "one folder of images, one of masks" just works.
IMAGE_FOLDERS = ("COVID-19-CT-Seg_20cases", "images", "image", "imagesTr", "scans", "ct")
MASK_FOLDERS = ("Infection_Mask", "masks", "mask", "labelsTr", "labels", "infection")
EXTENSIONS = (".nii.gz", ".nii")
PROFILES = ("lesson", "paper")
# The phantom leaves this file beside its folders, with its seed and version in it.
PHANTOM_MARKER = "phantom.json"


class CohortError(CovidlabError):
    """A folder that cannot be read as a cohort."""


@dataclass(frozen=True)
class Case:
    """One scan with the expert's mask of it.

    Parameters
    ----------
    name : str
        The file name without .nii or .nii.gz.
    patient : str
        Scans of one patient share it: see `patient_of`.
    image, mask : Path
        NIfTI files.
    """

    name: str
    patient: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Cohort:
    """Cases in the order of their names.

    Parameters
    ----------
    name : str
        "phantom" for the synthetic default, else the folder's name; scores carry it.
    folder : Path
    cases : tuple of Case
    is_phantom : bool
        Whether no real patient is in it: only then may a picture of it be stored. The folder's marker says so, not its
        name.
    """

    name: str
    folder: Path
    cases: tuple[Case, ...]
    is_phantom: bool = False

    @property
    def patients(self) -> tuple[str, ...]:
        """The distinct patients, sorted."""
        return tuple(sorted({case.patient for case in self.cases}))

    def select(self, pattern: str) -> "Cohort":
        """The cases whose name matches a shell pattern such as ``radiopaedia*``.

        Raises
        ------
        CohortError
            If none does.
        """
        return self.named(_named_like(self.folder, [case.name for case in self.cases], pattern))

    def named(self, names: Sequence[str]) -> "Cohort":
        """Exactly the named cases, such as those that a run was made with.

        Raises
        ------
        CohortError
            If one is missing.
        """
        missing = sorted(set(names) - {case.name for case in self.cases})
        if missing:
            raise CohortError(
                self.folder,
                f"no case {missing[0]}, and {len(missing)} missing in all",
                f"the {len(names)} cases of the run",
                "name the folder that the run was made with",
            )
        return replace(self, cases=tuple(case for case in self.cases if case.name in set(names)))


def combine(cohorts: Sequence[Cohort]) -> Cohort:
    """Several cohorts as one: the cases of all, in the order given.

    Parameters
    ----------
    cohorts : sequence of Cohort
        Selections of one folder, or of several.

    Returns
    -------
    Cohort
        Named A+B; its folder is the first one's.

    Raises
    ------
    CohortError
        If two cases have one name: then nobody could say which of them was meant.
    """
    cases = tuple(case for cohort in cohorts for case in cohort.cases)
    seen: dict[str, Case] = {}
    for case in cases:
        if case.name in seen:
            raise CohortError(
                case.image, f"a case named as {seen[case.name].image} is", "each case once",
                "choose other --cases, --extra-train or --test-data, or rename one of the two files",
            )  # fmt: skip
        seen[case.name] = case
    name = "+".join(dict.fromkeys(cohort.name for cohort in cohorts))
    return Cohort(name, cohorts[0].folder, cases, all(cohort.is_phantom for cohort in cohorts))


def patient_of(case_name: str) -> str:
    """The patient whose scan a file name says it is.

    The record's Radiopaedia files are named case_study_series, so scans of one case number are one patient:
    10_85902_1 and 10_85902_3 are (the data set's author says so), 29_86490_1 and 29_86491_1 by their number.
    The phantom's are named phantom_patient_scan. Any other file is a patient of its own; a `patients.csv`
    beside the image folder (two columns, case and patient) says otherwise.

    Examples
    --------
    >>> patient_of("radiopaedia_10_85902_3"), patient_of("phantom_03_2"), patient_of("coronacases_001")
    ('10', 'phantom_03', 'coronacases_001')
    """
    if found := re.fullmatch(r"radiopaedia_(\d+)_\d+_\d+", case_name):
        return found[1]
    if found := re.fullmatch(r"(phantom_\d+)_\d+", case_name):
        return found[1]
    return case_name


def case_name(path: Path) -> str:
    """A NIfTI file's name without its extension; of a folder with a DICOM series, its name."""
    return next((path.name[: -len(end)] for end in EXTENSIONS if path.name.endswith(end)), path.name)


def data_home() -> Path:
    """Where generated and downloaded data land: COVIDLAB_HOME, a checkout's data/, or the user's cache folder."""
    if named := os.environ.get("COVIDLAB_HOME"):
        return Path(named).expanduser()
    checkout = Path(__file__).resolve().parents[1] / "data"
    return checkout if (checkout / "README.md").exists() else Path(pooch.os_cache("covidlab"))


def phantom_folder(profile: str = "lesson", seed: int = 0) -> Path:
    """Where a phantom lies unless another place is named; each seed has a folder of its own."""
    return data_home() / (f"phantom-{profile}" + (f"-seed{seed}" if seed else ""))


def open_cohort(
    source: str | os.PathLike | None = None, profile: str = "lesson", progress: Progress = silent,
    cases: str | Collection[str] = "*",
) -> Cohort:
    """Open the cohort that the reader chose, or make the phantom.

    Parameters
    ----------
    source : path, "phantom" or None
        A folder with one folder of images and one of masks; None means the folder named in the environment
        variable COVIDLAB_DATA, and the phantom where that is unset.
    profile : "lesson" or "paper"
        How large the phantom is (see `covidlab.phantom`); other cohorts are as they are.
    progress : callable (done, total, text)
        Called while a phantom is made, which happens on first use.
    cases : str or collection of str
        Only these: see `read_cohort`.

    Returns
    -------
    Cohort

    Raises
    ------
    CohortError
        If the folder is missing, empty, ambiguous, or a mask is missing. The message says what to do.
    """
    if profile not in PROFILES:
        raise CohortError("profile", repr(profile), " or ".join(PROFILES), "choose one of them")
    source = source or os.environ.get("COVIDLAB_DATA") or "phantom"
    if str(source) == "phantom":
        # Only here: reading somebody's own scans needs none of the phantom's imports.
        from covidlab import phantom

        folder = phantom.write_cohort(phantom_folder(profile), profile=profile, progress=progress)
        return replace(read_cohort(folder, cases), name=f"phantom-{profile}")
    return read_cohort(Path(source).expanduser(), cases)


def read_cohort(folder: Path, cases: str | Collection[str] = "*") -> Cohort:
    """Pair the images and masks of a folder by name.

    Parameters
    ----------
    folder : Path
    cases : str or collection of str
        A shell pattern such as ``radiopaedia*``, which must match; or names, of which those that are here are taken.
        Only a scan that is taken needs a mask.

    Returns
    -------
    Cohort

    Raises
    ------
    CohortError
        As `open_cohort`.
    """
    images, masks = _image_and_mask_folders(folder)
    image_files, mask_files = _nifti_files(images), _nifti_files(masks)
    if not image_files:
        raise CohortError(images, "no .nii or .nii.gz file", "at least one scan", "put the scans there")
    patients = _named_patients(folder / "patients.csv", image_files)
    wanted = set(_named_like(folder, image_files, cases) if isinstance(cases, str) else cases)
    image_files = {name: path for name, path in image_files.items() if name in wanted}
    missing = sorted(set(image_files) - set(mask_files))
    if missing:
        raise CohortError(
            masks / image_files[missing[0]].name,
            f"no mask for {len(missing)} of {len(image_files)} scans",
            f"a mask of the same name as {image_files[missing[0]]}",
            "add the mask, or leave the scan out with --cases",
        )
    found = tuple(
        Case(name, patients.get(name, patient_of(name)), image_files[name], mask_files[name]) for name in image_files
    )
    is_phantom = (folder / PHANTOM_MARKER).exists()
    return Cohort("phantom" if is_phantom else folder.resolve().name, folder, found, is_phantom)


def is_single_scan(path: Path) -> bool:
    """Whether a path is one scan, a file or a folder of DICOM slices, and no folder of cases."""
    if not path.is_dir():
        return path.is_file()
    inside = {child.name for child in path.iterdir()}
    cohort = inside & {*IMAGE_FOLDERS, *MASK_FOLDERS} or any(name.endswith(EXTENSIONS) for name in inside)
    cohort = cohort or _cohorts_in(path)
    return not cohort and any((path / name).is_file() for name in inside if not name.startswith("."))


def _image_and_mask_folders(folder: Path) -> tuple[Path, Path]:
    layout = f"a folder {IMAGE_FOLDERS[0]} (or images) and a folder {MASK_FOLDERS[0]} (or masks)"
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        raise CohortError(folder, f"{what} of that name", f"a folder that holds {layout}", "check the path")
    images, masks = _halves(folder)
    if not images or not masks:
        there = ", ".join(sorted(child.name for child in folder.iterdir())[:6]) or "nothing: it is empty"
        remedy = "rename or create them, or run `covidlab phantom` for synthetic data"
        if inside := _cohorts_in(folder):
            remedy = f"name the folder in it: {inside[0]}"
        elif images or masks:
            missing = "masks" if images else "images"
            remedy = f"only the folder of {missing} is missing: put it beside {(images or masks)[0].name}"
        raise CohortError(folder, there, layout, remedy)
    return images[0], masks[0]


def _halves(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders of images and of masks that are there, by either name."""
    names = IMAGE_FOLDERS, MASK_FOLDERS
    images, masks = ([folder / name for name in these if (folder / name).is_dir()] for these in names)
    return images, masks


def _cohorts_in(folder: Path) -> list[Path]:
    """Folders of a folder that hold both images and masks."""
    return [child for child in sorted(folder.iterdir()) if child.is_dir() and all(_halves(child))]


def _nifti_files(folder: Path) -> dict[str, Path]:
    """Name -> file, sorted by name; hidden files (macOS leaves ._name.nii.gz beside each) are not scans."""
    files = sorted(path for path in folder.iterdir() if path.name.endswith(EXTENSIONS) and path.name[0] != ".")
    named: dict[str, Path] = {}
    for path in files:
        if (twin := named.setdefault(case_name(path), path)) != path:
            raise CohortError(path, f"{twin.name} too", "one file a case", "remove one of the two")
    return named


def _named_like(folder: Path, names: Collection[str], pattern: str) -> list[str]:
    """The names that match a shell pattern: at least one."""
    found = [name for name in names if fnmatch(name, pattern)]
    if not found:
        raise CohortError(
            folder,
            f"no case named like {pattern!r} among {len(names)} (the first is {next(iter(names))})",
            "a pattern that matches at least one case",
            "quote the pattern and check it against `covidlab inspect`",
        )
    return found


def _named_patients(path: Path, names: Collection[str]) -> dict[str, str]:
    """Case -> patient, as a patients.csv has it. A row that is not understood would part two scans of one patient."""
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel puts a mark before UTF-8
            rows = csv.DictReader(file)
            if not {"case", "patient"} <= set(rows.fieldnames or ()):
                raise CohortError(path, f"columns {rows.fieldnames}", "columns case and patient", "name them in line 1")
            pairs = [(rows.line_num, (row["case"] or "").strip(), (row["patient"] or "").strip()) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CohortError(path, f"no UTF-8 text ({error})", "a table as CSV in UTF-8", "save it as that") from error
    patients: dict[str, str] = {}
    for line, case, patient in pairs:
        if not case and not patient:
            continue  # a spreadsheet's empty rows
        row = f"{case!r} in line {line}"
        if case not in names:
            raise CohortError(
                path, f"{row}, of which there is no scan", f"names of files such as {next(iter(names))}",
                "correct the name, or delete the row",
            )  # fmt: skip
        if not patient:
            raise CohortError(path, f"{row} without a patient", "a case and a patient in each row", "name the patient")
        if case in patients:
            raise CohortError(path, f"{row} a second time", "each case once", "delete one of the rows")
        patients[case] = patient
    return patients
