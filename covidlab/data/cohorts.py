"""A cohort is a folder of cases: the phantom, the Zenodo record, or your own.

Here a folder becomes a tuple of `Case`, each an image file with its mask and its patient. Nothing is read
but names; reading a file is `covidlab.data.volumes`, and the array that training reads is `covidlab.data.slices`.
"""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from covidlab.data import folders
from covidlab.errors import CovidlabError

PHANTOM_MARKER = "phantom.json"  # which the phantom leaves beside its folders, with its seed and version in it


@dataclass(frozen=True)
class Case:
    """One scan with the expert's mask of it, both NIfTI files."""

    name: str  # The file name without .nii or .nii.gz
    patient: str  # Scans of one patient share it: see `covidlab.data.folders.patient_of`
    image: Path
    mask: Path


@dataclass(frozen=True)
class Cohort:
    """Cases in the order of their names."""

    name: str  # "phantom" for the synthetic default, else the folder's name; scores carry it
    folder: Path
    cases: tuple[Case, ...]
    # Whether no real patient is in it: only then may a picture of it be stored. The folder's marker says so, not its
    # name.
    is_phantom: bool = False

    @property
    def patients(self) -> tuple[str, ...]:
        """The distinct patients, sorted."""
        return tuple(sorted({case.patient for case in self.cases}))

    def __getitem__(self, name: str) -> Case:
        """The case of that name; a CovidlabError if there is none."""
        for case in self.cases:
            if case.name == name:
                return case
        raise CovidlabError(self.folder, f"no case {name!r}", "one of its scans", "`covidlab inspect` lists them")


def open_cohort(
    source: str | os.PathLike | None = None, profile: str = "lesson", cases: str | Collection[str] = "*"
) -> Cohort:
    """Open the cohort that the reader chose, or make the phantom.

    - `source`, path, "phantom" or None: a folder with one folder of images and one of masks; None means the folder
      named in the environment variable COVIDLAB_DATA, also where that is relative and this is a notebook in a folder of
      its own; and the phantom where it is unset.
    - `profile`, "lesson" or "paper": how large the phantom is (see `covidlab.phantom.writing`); other cohorts are as
      they are.
    - `cases`, str or collection of str: only these: see `read_cohort`, which raises the same errors.
    """
    named = os.environ.get("COVIDLAB_DATA") or "phantom"
    source = source or (named if named == "phantom" else folders.named_in_environment(named))
    if str(source) != "phantom":
        return read_cohort(Path(source).expanduser(), cases)
    # Only here: reading somebody's own scans needs none of the phantom's imports.
    from covidlab.phantom import writing

    return read_cohort(writing.write_cohort(folders.phantom_folder(profile), profile=profile), cases)


def read_cohort(folder: Path, cases: str | Collection[str] = "*") -> Cohort:
    """Pair the images and masks of a folder by name.

    `cases` is a shell pattern such as ``radiopaedia*``, or the names of the cases that a run was made with. Only a scan
    that is taken needs a mask. Raises a CovidlabError, which says what to do, if the folder is missing, empty or
    ambiguous, a named case or a mask is missing, or nothing matches the pattern.
    """
    image_folder, mask_folder = folders.image_and_mask_folders(folder)
    images, masks = folders.nifti_files(image_folder), folders.nifti_files(mask_folder)
    for path in sorted(image_folder.glob("[!.]*")):
        if path.name.endswith(folders.ITK) and folders.case_name(path) not in images:  # left out, nobody would miss it
            remedy = "convert it to NIfTI, or move it elsewhere"
            raise CovidlabError(path, "a scan of another kind", "only .nii and .nii.gz in a cohort", remedy)
    if not images:
        raise CovidlabError(image_folder, "no .nii or .nii.gz file", "at least one scan", "put the scans there")
    patients = folders.named_patients(folder / "patients.csv", images)
    by_pattern = isinstance(cases, str)
    wanted = [name for name in images if (fnmatch(name, cases) if by_pattern else name in cases)]
    if by_pattern and not wanted:
        found = f"no case named like {cases!r} among {len(images)} (the first is {next(iter(images))})"
        remedy = "quote the pattern and check it against `covidlab inspect`"
        raise CovidlabError(folder, found, "a pattern that matches at least one case", remedy)
    if not by_pattern and (absent := sorted(set(cases) - set(wanted))):
        found, expected = f"no case {absent[0]}, and {len(absent)} missing in all", f"the {len(cases)} cases of the run"
        raise CovidlabError(folder, found, expected, "name the folder that the run was made with")
    for name in (one for one in wanted if one not in masks):
        if other := next(filter(masks.__contains__, folders.mask_names(name)), None):
            masks[name] = masks[other]
    missing = [name for name in wanted if name not in masks]
    if missing:
        image = images[missing[0]]
        raise CovidlabError(
            mask_folder / image.name, f"no mask for {len(missing)} of {len(wanted)} scans",
            f"a mask of the same name as {image}", "add the mask, or leave the scan out with --cases",
        )  # fmt: skip
    patients = {name: folders.patient_of(name) for name in wanted} | patients
    found = tuple(Case(name, patients[name], images[name], masks[name]) for name in wanted)
    if drawn := _phantom_name(folder / PHANTOM_MARKER):
        return Cohort(drawn, folder, found, is_phantom=True)
    return Cohort(folder.resolve().name, folder, found)


def _phantom_name(marker: Path) -> str:
    """A phantom has one name, wherever its folder lies and however it was opened; "" where there is no marker."""
    if not marker.exists():
        return ""
    try:
        drawn = json.loads(marker.read_text())
        return folders.phantom_folder(drawn["profile"], drawn["seed"]).name
    except (ValueError, KeyError, TypeError):
        return "phantom"
