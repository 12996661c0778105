"""A cohort is a folder of cases: the phantom, the Zenodo record, or your own.

Here a folder becomes a tuple of `Case`, each an image file with its mask and its patient. Nothing is read
but names; reading a file is `covidlab.data.volumes`, and the array that training reads is `covidlab.data.slices`.
"""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from covidlab.data.folders import (
    EXTENSIONS,
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    cohorts_in,
    image_and_mask_folders,
    named_like,
    named_patients,
    nifti_files,
    patient_of,
    phantom_folder,
)
from covidlab.errors import CohortError

PROFILES = ("lesson", "paper")

# The phantom leaves this file beside its folders, with its seed and version in it.
PHANTOM_MARKER = "phantom.json"


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
        return self.named(named_like(self.folder, [case.name for case in self.cases], pattern))

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


def open_cohort(
    source: str | os.PathLike | None = None, profile: str = "lesson",
    cases: str | Collection[str] = "*",
) -> Cohort:
    """Open the cohort that the reader chose, or make the phantom.

    Parameters
    ----------
    source : path, "phantom" or None
        A folder with one folder of images and one of masks; None means the folder named in the environment
        variable COVIDLAB_DATA, and the phantom where that is unset.
    profile : "lesson" or "paper"
        How large the phantom is (see `covidlab.phantom.writing`); other cohorts are as they are.
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
        from covidlab.phantom import writing

        folder = writing.write_cohort(phantom_folder(profile), profile=profile)
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
    images, masks = image_and_mask_folders(folder)
    image_files, mask_files = nifti_files(images), nifti_files(masks)
    if not image_files:
        raise CohortError(images, "no .nii or .nii.gz file", "at least one scan", "put the scans there")
    patients = named_patients(folder / "patients.csv", image_files)
    wanted = set(named_like(folder, image_files, cases) if isinstance(cases, str) else cases)
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
    cohort = cohort or cohorts_in(path)
    return not cohort and any((path / name).is_file() for name in inside if not name.startswith("."))
