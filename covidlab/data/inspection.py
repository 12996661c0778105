"""`covidlab inspect`: look at every file of a cohort before anything is learned from it.

A row a case: what it is, and what is odd about it. A file that cannot be used is a row too, so that one
broken scan does not hide the next.
"""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from covidlab.data.cohorts import Case, Cohort
from covidlab.data.folders import case_name
from covidlab.data.masks import read_mask_with_findings
from covidlab.data.scans import read_scan
from covidlab.data.volumes import Volume, read_volume
from covidlab.errors import VolumeError
from covidlab.progress import track

HEADER = ("case", "patient", "shape", "dtype", "intensities", "spacing mm", "slices", "positive")


@dataclass(frozen=True)
class CaseReport:
    """What one case is."""

    name: str
    patient: str
    shape: tuple[int, ...] | None = None  # (x, y, z); None where the file cannot be used
    dtype: str = ""
    intensities: str = ""  # What the stored values mean, and how that was decided
    orientation: str = ""  # How the slices are turned for display, and how that was decided
    spacing: tuple[float, ...] | None = None  # In mm; None where unknown
    slices: int = 0
    positive_slices: int | None = 0  # None where there is no mask
    findings: tuple[str, ...] = ()  # What is odd; an unusable file has the reason here
    usable: bool = True


@dataclass(frozen=True)
class CohortReport:
    """What a cohort is: its cases and their totals."""

    folder: str
    cases: tuple[CaseReport, ...]

    @property
    def totals(self) -> dict[str, int]:
        """Cases, patients, slices and positive slices."""
        return {
            "cases": len(self.cases),
            "patients": len({case.patient for case in self.cases}),
            "slices": sum(case.slices for case in self.cases),
            "positive_slices": sum(case.positive_slices or 0 for case in self.cases),
        }

    @property
    def repeated_patients(self) -> dict[str, tuple[str, ...]]:
        """Patients with more than one scan: a split by slice or by file would leak between those."""
        scans = _grouped((case.patient, case.name) for case in self.cases)
        return {patient: tuple(names) for patient, names in scans.items() if len(names) > 1}

    def as_json(self) -> str:
        """The report for programs."""
        content = {**asdict(self), "totals": self.totals, "repeated_patients": self.repeated_patients}
        return json.dumps(content, indent=2)

    def as_text(self) -> str:
        """The report for people: a table, the findings, the totals."""
        rows = [HEADER, *map(_row, self.cases)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        # Findings that many cases share are said once.
        shared = _grouped((finding, case.name) for case in self.cases for finding in case.findings)
        if shared:
            lines += ["", "findings"]
            lines += [f"  {self._names(names)}: {finding}" for finding, names in shared.items()]
        for patient, names in self.repeated_patients.items():
            lines.append(f"  patient {patient} was scanned {len(names)} times ({', '.join(names)}): keep them together")
        summary = "{cases} cases of {patients} patients, {slices} slices, {positive_slices} of them positive"
        if all(case.positive_slices is None for case in self.cases):
            summary = "1 scan, {slices} slices, no mask"
        return "\n".join([*lines, "", summary.format(**self.totals)])

    def _names(self, names: list[str]) -> str:
        if len(names) == len(self.cases) > 1:
            return f"all {len(names)} cases"
        return ", ".join(names) if len(names) <= 3 else f"{len(names)} cases ({names[0]} … {names[-1]})"


def inspect_cohort(cohort: Cohort) -> CohortReport:
    """Read every case of a cohort and report what it is.

    Unusable cases have `usable` False; nothing is raised for them.
    """
    return CohortReport(str(cohort.folder), tuple(map(_inspect_case, track(cohort.cases, "inspecting"))))


def inspect_scan(path: Path) -> CohortReport:
    """Read one scan without a mask: a NIfTI file, or a folder with the DICOM slices of one series.

    The report is of one case, named as the file or folder; nothing of who the patient is. Raises a VolumeError if the
    scan cannot be read.
    """
    name = case_name(path)
    return CohortReport(str(path), (_report(name, name, read_scan(path), None),))


def _inspect_case(case: Case) -> CaseReport:
    try:
        volume = read_volume(case.image)
        mask, findings = read_mask_with_findings(case.mask, like=volume)
    except VolumeError as error:
        return CaseReport(case.name, case.patient, findings=(str(error),), usable=False)
    positive = int(np.count_nonzero(volume.to_display(mask).any(axis=(1, 2))))
    findings = tuple(f"mask: {finding}" for finding in findings)
    if positive <= 2:
        findings += (f"only {positive} positive slices: its own F1 means little; never drop it silently",)
    return _report(case.name, case.patient, volume, positive, findings)


def _report(name: str, patient: str, volume: Volume, positive: int | None, more: tuple[str, ...] = ()) -> CaseReport:
    shape = volume.voxels.shape
    return CaseReport(
        name, patient, shape, str(volume.voxels.dtype), volume.intensities.meaning, volume.orientation.meaning,
        volume.spacing and tuple(round(side, 3) for side in volume.spacing),
        shape[volume.slice_axis], positive, (*volume.findings, *more),
    )  # fmt: skip


def _row(case: CaseReport) -> tuple[str, ...]:
    if not case.usable:
        return (case.name, case.patient, "UNUSABLE", "", "", "", "", "")
    return (
        case.name, case.patient, " x ".join(map(str, case.shape)), case.dtype, case.intensities.split(":")[0],
        "unknown" if case.spacing is None else " x ".join(f"{side:g}" for side in case.spacing),
        str(case.slices), "no mask" if case.positive_slices is None else str(case.positive_slices),
    )  # fmt: skip


def _grouped(pairs) -> dict[str, list[str]]:
    """Of (key, value) pairs the values of each key, in the order of their coming."""
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
