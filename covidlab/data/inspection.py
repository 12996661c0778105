"""`covidlab inspect`: look at every file of a cohort before anything is learned from it.

A row a case: what it is, and what is odd about it. A file that cannot be used is a row too, so that one
broken scan does not hide the next.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from covidlab.data.cohorts import Case, Cohort
from covidlab.data.folders import case_name, patient_of
from covidlab.data.masks import read_mask_with_findings
from covidlab.data.scans import read_scan
from covidlab.data.volumes import Volume, read_volume
from covidlab.errors import CovidlabError
from covidlab.progress import track

MOST = 0.1  # of a scan's voxels that are infection: the record's scans have 4 % at most, a scan's lungs 10 % or more

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

    @property
    def row(self) -> tuple[str, ...]:
        """The case in the columns of `HEADER`."""
        if not self.usable:
            return (self.name, self.patient, "UNUSABLE", "", "", "", "", "")
        spacing = "unknown" if self.spacing is None else " x ".join(f"{side:g}" for side in self.spacing)
        positive = "no mask" if self.positive_slices is None else str(self.positive_slices)
        shape, intensities = " x ".join(map(str, self.shape)), self.intensities.split(":")[0]
        return (self.name, self.patient, shape, self.dtype, intensities, spacing, str(self.slices), positive)


@dataclass(frozen=True)
class CohortReport:
    """What a cohort is: its cases and their totals."""

    folder: str
    cases: tuple[CaseReport, ...]

    @property
    def totals(self) -> dict[str, int | None]:
        """Cases, patients, slices and positive slices; these are None where there is no mask."""
        positive = [case.positive_slices for case in self.cases if case.positive_slices is not None]
        return {
            "cases": len(self.cases),
            "patients": len({case.patient for case in self.cases}),
            "slices": sum(case.slices for case in self.cases),
            "positive_slices": sum(positive) if positive else None,
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
        rows = [HEADER, *(case.row for case in self.cases)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        # Findings that many cases share are said once.
        if shared := _grouped((finding, case.name) for case in self.cases for finding in case.findings):
            lines += ["", "findings", *(f"  {self._who(names)}: {finding}" for finding, names in shared.items())]
        for patient, names in self.repeated_patients.items():
            lines.append(f"  patient {patient} was scanned {len(names)} times ({', '.join(names)}): keep them together")
        summary = "{cases} cases of {patients} patients, {slices} slices, {positive_slices} of them positive"
        if self.totals["positive_slices"] is None:
            summary = "1 scan, {slices} slices, no mask"
        return "\n".join([*lines, "", summary.format(**self.totals)])

    def _who(self, names: list[str]) -> str:
        if len(names) == len(self.cases) > 1:
            return f"all {len(names)} cases"
        return ", ".join(names) if len(names) <= 3 else f"{len(names)} cases ({names[0]} … {names[-1]})"


def inspect_cohort(cohort: Cohort) -> CohortReport:
    """Read every case of a cohort and report what it is; one that cannot be used has `usable` False."""
    return CohortReport(str(cohort.folder), tuple(map(_inspect_case, track(cohort.cases, "inspecting"))))


def inspect_scan(path: Path) -> CohortReport:
    """Read one scan without a mask, whatever `read_scan` reads.

    The report is of one case, named as the file or folder; the patient is the one that this name says, as in a cohort.
    Raises a CovidlabError if the scan cannot be read.
    """
    name = case_name(path)
    return CohortReport(str(path), (_report(name, patient_of(name), read_scan(path)),))


def _inspect_case(case: Case) -> CaseReport:
    try:
        volume = read_volume(case.image)
        mask, findings = read_mask_with_findings(case.mask, like=volume)
    except CovidlabError as error:
        return CaseReport(case.name, case.patient, findings=(str(error),), usable=False)
    positive = int(np.count_nonzero(volume.to_display(mask).any(axis=(1, 2))))
    findings = [f"mask: {finding}" for finding in findings]
    if (share := mask.mean()) > MOST:
        findings.append(
            f"WARNING: the mask marks {share:.0%} of all voxels, as one of lungs or of what is no lesion does: check it"
        )
    if positive <= 2:
        findings.append(f"only {positive} positive slices: its own F1 means little; never drop it silently")
    return _report(case.name, case.patient, volume, positive, findings)


def _report(name: str, patient: str, volume: Volume, positive: int | None = None, more: Iterable[str] = ()):
    shape, spacing = volume.voxels.shape, volume.spacing and tuple(round(side, 3) for side in volume.spacing)
    return CaseReport(
        name, patient, shape, str(volume.voxels.dtype), volume.intensities.meaning, volume.orientation.meaning,
        spacing, shape[volume.slice_axis], positive, (*volume.findings, *more),
    )  # fmt: skip


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Of (key, value) pairs the values of each key, in the order of their coming."""
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
