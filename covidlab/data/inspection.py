"""`covidlab inspect`: look at every file of a cohort before anything is learned from it.

A row a case: what it is, and what is odd about it. A file that cannot be used is a row too, so that one
broken scan does not hide the next.
"""

import json
from collections.abc import Sequence
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
        scans: dict[str, list[str]] = {}
        for case in self.cases:
            scans.setdefault(case.patient, []).append(case.name)
        return {patient: tuple(names) for patient, names in scans.items() if len(names) > 1}

    def as_json(self) -> str:
        """The report for programs."""
        content = {
            "folder": self.folder,
            "cases": [asdict(case) for case in self.cases],
            "totals": self.totals,
            "repeated_patients": self.repeated_patients,
        }
        return json.dumps(content, indent=2)

    def as_text(self) -> str:
        """The report for people: a table, the findings, the totals."""
        header = ("case", "patient", "shape", "dtype", "intensities", "spacing mm", "slices", "positive")
        rows = [_row(case) for case in self.cases]
        lines = _table(header, rows)
        # Findings that many cases share are said once.
        shared: dict[str, list[str]] = {}
        for case in self.cases:
            for finding in case.findings:
                shared.setdefault(finding, []).append(case.name)
        if shared:
            lines += ["", "findings"]
            lines += [f"  {_names(names, len(self.cases))}: {finding}" for finding, names in shared.items()]
        for patient, names in self.repeated_patients.items():
            lines.append(f"  patient {patient} was scanned {len(names)} times ({', '.join(names)}): keep them together")
        totals = self.totals
        masks = any(case.positive_slices is not None for case in self.cases)
        lines += [
            "",
            f"{totals['cases']} cases of {totals['patients']} patients, {totals['slices']} slices, "
            f"{totals['positive_slices']} of them positive" if masks else f"1 scan, {totals['slices']} slices, no mask",
        ]
        return "\n".join(lines)


def inspect_cohort(cohort: Cohort) -> CohortReport:
    """Read every case of a cohort and report what it is.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    CohortReport
        Unusable cases have `usable` False; nothing is raised for them.
    """
    reports = tuple(inspect_case(case) for case in track(cohort.cases, "inspecting"))
    return CohortReport(str(cohort.folder), reports)


def inspect_case(case: Case) -> CaseReport:
    """Read one case and report what it is, broken or not."""
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


def inspect_scan(path: Path) -> CohortReport:
    """Read one scan without a mask: a NIfTI file, or a folder with the DICOM slices of one series.

    Parameters
    ----------
    path : Path

    Returns
    -------
    CohortReport
        Of one case, named as the file or folder; nothing of who the patient is.

    Raises
    ------
    VolumeError
        If it cannot be read.
    """
    volume = read_scan(path)
    name = case_name(path)
    return CohortReport(str(path), (_report(name, name, volume, None),))


def _report(name: str, patient: str, volume: Volume, positive: int | None, more: Sequence[str] = ()) -> CaseReport:
    return CaseReport(
        name, patient, tuple(int(side) for side in volume.voxels.shape), str(volume.voxels.dtype),
        volume.intensities.meaning, volume.orientation.meaning,
        None if volume.spacing is None else tuple(round(float(side), 3) for side in volume.spacing),
        int(volume.voxels.shape[volume.slice_axis]), positive, (*volume.findings, *more),
    )  # fmt: skip


def _row(case: CaseReport) -> tuple[str, ...]:
    if not case.usable:
        return (case.name, case.patient, "UNUSABLE", "", "", "", "", "")
    return (
        case.name, case.patient, " x ".join(map(str, case.shape)), case.dtype, case.intensities.split(":")[0],
        "unknown" if case.spacing is None else " x ".join(f"{side:g}" for side in case.spacing),
        str(case.slices), "no mask" if case.positive_slices is None else str(case.positive_slices),
    )  # fmt: skip


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in (header, *rows)]


def _names(names: Sequence[str], total: int) -> str:
    if len(names) == total and total > 1:
        return f"all {total} cases"
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} cases ({names[0]} … {names[-1]})"
