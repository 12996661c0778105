"""The runs behind the course's numbers, by command: `python -m studies --help`."""

import sys
from pathlib import Path

from covidlab.cli import SCORES, new_parser, positive_int, run_command, run_options, seed_int, some_of, time_options
from covidlab.weights import NETWORKS

DESCRIPTION = """\
The runs behind the course's numbers. Teaching material, not a medical device.

  python -m studies reproduce                     train and score on the synthetic phantom, a few minutes
  python -m studies reproduce --data FOLDER       the same on your own scans
  python -m studies study list                    the paper's open questions

By modules of their own: python -m studies.lessons, .spread, .collapse, .phantom_report
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 a problem with what the user gave."""
    parser, command = new_parser("python -m studies", DESCRIPTION)
    for add in (
        _add_reproduce, _add_evaluate, _add_study, _add_compare, _add_adapt, _add_throughput, _add_workers, _add_time,
    ):  # fmt: skip
        add(command)
    return run_command(parser, "studies.commands", arguments)


def _add_reproduce(command) -> None:
    add = command(
        "reproduce", "the paper's experiment: train the models, score them, write scores.json", SCORES, goes_on=True,
    )  # fmt: skip
    run_options(add, "runs, tables and figures (default: runs/DATA-PROTOCOL)")
    known = ", ".join(NETWORKS)
    add("--models", type=some_of(NETWORKS), default="light_unet", help=f"comma-separated: {known} (default: "
        "light_unet); fcn8s has a quarter of its published width in the lesson profile")  # fmt: skip
    add("--seeds", metavar="A,B", help="several, instead of --seed; with protocol patient 0,1,2,3 hold every patient "
        "of four or more out once; seeds beyond go around again, and the answers are averaged")  # fmt: skip
    add("--workers", type=positive_int, metavar="N", help="train on N processes at once (extra `cluster`)")
    add("--scheduler", metavar="ADDRESS", help="the same on a Dask cluster: see docs/scaling.md")


def _add_evaluate(command) -> None:
    add = command(
        "evaluate", "print the scores of a finished run, by part",
        "With --full every slice is predicted again and judged: volumes, negative slices, detection, borders,\n"
        "intervals over patients. Writes slices.csv and evaluation.json into RUN.\n\n"
        "  python -m studies evaluate runs/phantom-lesson-slice/light_unet-slice-seed0-* --full\n"
        "  python -m studies evaluate runs/x/*-seed* --full --table test-part    side by side, as test-part.csv and\n"
        "                                                                        .md; of several seeds mean and range",
    )  # fmt: skip
    what = "folders that train, reproduce or study wrote, of one cohort and protocol"
    add("run", type=Path, nargs="+", metavar="RUN", help=what)
    add("--full", action="store_true", help="judge it slice by slice; needs the cohort again")
    add("--data", help="the run's cohort (default: $COVIDLAB_DATA, else the phantom)")
    add("--table", help="with --full: write the test parts side by side")
    add("--json")


def _add_study(command) -> None:
    add = command(
        "study", "answer one of the paper's open questions by runs that differ in one thing",
        "Every variant is trained on every seed with the same number of updates. Finished runs are read, interrupted\n"
        "ones go on. Writes NAME.csv and NAME.md with the command, data and machine.\n\n"
        "  python -m studies study list\n  python -m studies study widths --seeds 0,1,2 --updates 3000\n"
        "  python -m studies study losses --model nano_unet --seeds 0,1",
        goes_on=True,
    )  # fmt: skip
    add("name", metavar="NAME", help="which; `list` shows them")
    run_options(add, "runs and the table (default: runs/DATA-PROTOCOL-study/NAME)")
    add("--model", help="whose training is varied (default: light_unet; nano_unet is quicker)")
    add("--variants", default="", metavar="A,B", help="only these of the study's variants (default: all)")
    add("--seeds", metavar="A,B", help="several, instead of --seed")


def _add_compare(command) -> None:
    add = command(
        "compare", "put several recipes side by side, each judged on held-out patients",
        "Each FOLDER was written by `reproduce --protocol patient --seeds ...`; its name is the recipe's.",
    )  # fmt: skip
    add("folder", type=Path, nargs="+", metavar="FOLDER")
    add("--table")


def _add_adapt(command) -> None:
    add = command(
        "adapt", "fit a run's network to its test patients, from a few annotated slices of each",
        "For each number of annotated slices the network is fitted anew, and scored on those slices of the patient\n"
        "that no number takes. Patients with too few positive slices are left out, and named.\n\n"
        "  python -m studies adapt runs/phantom-lesson-patient/light_unet-* --table adaptation",
    )  # fmt: skip
    add("run", type=Path, nargs="+", metavar="RUN", help="folders of runs of protocol patient")
    add("--data", help="the runs' cohort (default: $COVIDLAB_DATA, else the phantom)")
    add("--slices", default="0,2,4,8,16", metavar="A,B", help="how many (default: 0,2,4,8,16)")
    add("--seed", type=seed_int, default=0, help="of the order and the turning of slices (default: 0)")
    add("--table")


def _add_throughput(command) -> None:
    add = command(
        "throughput", "what is lost around the model when a scan is segmented",
        "  python -m studies throughput --volume SCAN.nii.gz        file to file, against its model alone",
    )  # fmt: skip
    add("--volume", type=Path, required=True, metavar="SCAN", help="a NIfTI file, or a DICOM series")
    add("--weights")
    add("--json")


def _add_workers(command) -> None:
    add = command(
        "workers", "simulate many scans on many workers that fail, from the seconds of scans that were segmented",
        "  python -m studies workers masks/manifest.jsonl --scans 1000000 --workers 100 --lives inf,3600,60",
    )  # fmt: skip
    add("manifest", type=Path, metavar="MANIFEST", help="what `covidlab predict --workers` wrote")
    add("--scans", type=positive_int, default=10**6, metavar="N", help="(default: 1000000)")
    add("--workers", type=positive_int, default=100, metavar="N", help="(default: 100)")
    lives = "seconds that a worker lives in the mean (default: inf,3600,60)"
    add("--lives", type=seconds, default="inf,3600,60", metavar="A,B", help=lives)
    add("--seconds", type=seconds, default="0", metavar="X", help="of a scan in the mean (default: the manifest's)")


def seconds(text: str) -> list[float]:
    """Seconds with commas between them; a ValueError if one is below 0 or not a number."""
    found = [float(one) for one in text.split(",")]
    if not all(one >= 0 for one in found):
        raise ValueError(text)
    return found


def _add_time(command) -> None:
    add = command(
        "time", "time a slice as `covidlab time` does, by OpenVINO, too",
        "  python -m studies time --table time --figure fig-4-time-per-slice.png",
    )  # fmt: skip
    time_options(add)


if __name__ == "__main__":
    sys.exit(main())
