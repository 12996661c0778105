"""The runs behind the course's numbers, by command: `python -m studies --help`."""

import sys
from pathlib import Path

from covidlab.cli import (
    MODELS,
    new_parser,
    one_of,
    run_command,
    run_options,
    seed_int,
    some_of,
    table_option,
    time_options,
    weights_option,
)

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
    for add in (_add_reproduce, _add_evaluate, _add_study, _add_compare, _add_adapt, _add_throughput, _add_time):
        add(command)
    return run_command(parser, "python -m studies", "studies.commands", arguments)


def _add_reproduce(command) -> None:
    sub = command(
        "reproduce", "the paper's experiment: train the models, score them, write scores.json",
        "Scores are pooled over all pixels of a part. The slice protocol is the paper's and leaks between\n"
        "neighbouring slices; the patient protocol says how a model does on a new patient.",
        goes_on=True,
    )  # fmt: skip
    run_options(sub, "runs, tables and figures (default: runs/DATA-PROTOCOL)")
    sub.add_argument(
        "--models",
        type=some_of(MODELS),
        default="light_unet",
        help="comma-separated: patch_cnn, fcn8s, light_unet, nano_unet (default: light_unet);\n"
        "fcn8s has a quarter of its published width in the lesson profile",
    )
    sub.add_argument("--seeds", metavar="A,B", help="several, instead of --seed; with protocol patient 0,1,2,3 hold\n"
                     "every patient of four or more out once; seeds beyond go around\n"
                     "again, and the answers are averaged")  # fmt: skip


def _add_evaluate(command) -> None:
    sub = command(
        "evaluate", "print the scores of a finished run, by part",
        "With --full every slice is predicted again and judged: volumes, negative slices, detection, borders,\n"
        "intervals over patients. Writes slices.csv and evaluation.json into RUN.\n\n"
        "  python -m studies evaluate runs/phantom-lesson-slice/light_unet-slice-seed0-* --full\n"
        "  python -m studies evaluate runs/x/*-seed* --full --table test-part    side by side, as test-part.csv and\n"
        "                                                                        .md; of several seeds mean and range",
    )  # fmt: skip
    sub.add_argument("run", type=Path, nargs="+", metavar="RUN",
                     help="folders that train, reproduce or study wrote, of one cohort and protocol")  # fmt: skip
    sub.add_argument("--full", action="store_true", help="judge it slice by slice; needs the cohort again")
    sub.add_argument("--data", metavar="FOLDER", help="the run's cohort (default: $COVIDLAB_DATA, else the phantom)")
    sub.add_argument("--table", type=Path, metavar="STEM", help="with --full: write the test parts side by side")
    sub.add_argument("--json", action="store_true", help="for programs")


def _add_study(command) -> None:
    sub = command(
        "study", "answer one of the paper's open questions by runs that differ in one thing",
        "Every variant is trained on every seed with the same number of updates. Finished runs are read, interrupted\n"
        "ones go on. Writes NAME.csv and NAME.md with the command, data and machine.\n\n"
        "  python -m studies study list\n  python -m studies study widths --seeds 0,1,2 --updates 3000\n"
        "  python -m studies study losses --model nano_unet --seeds 0,1",
        goes_on=True,
    )  # fmt: skip
    sub.add_argument("name", metavar="NAME", help="which; `list` shows them")
    run_options(sub, "runs and the table (default: runs/DATA-PROTOCOL-study/NAME)")
    sub.add_argument("--model", type=one_of(MODELS), default="light_unet",
                     help="whose training is varied (default: light_unet; nano_unet is quicker)")  # fmt: skip
    sub.add_argument("--variants", default="", metavar="A,B", help="only these of the study's variants (default: all)")
    sub.add_argument("--seeds", metavar="A,B", help="several, instead of --seed")


def _add_compare(command) -> None:
    sub = command(
        "compare", "put several recipes side by side, each judged on held-out patients",
        "Each FOLDER was written by `reproduce --protocol patient --seeds ...`; its name is the recipe's.",
    )  # fmt: skip
    sub.add_argument("folder", type=Path, nargs="+", metavar="FOLDER")
    table_option(sub)


def _add_adapt(command) -> None:
    sub = command(
        "adapt", "fit a run's network to its test patients, from a few annotated slices of each",
        "For each number of annotated slices the network is fitted anew, and scored on those slices of the patient\n"
        "that no number takes. Patients with too few positive slices are left out, and named.\n\n"
        "  python -m studies adapt runs/phantom-lesson-patient/light_unet-* --table adaptation",
    )  # fmt: skip
    sub.add_argument("run", type=Path, nargs="+", metavar="RUN", help="folders of runs of protocol patient")
    sub.add_argument("--data", metavar="FOLDER", help="the runs' cohort (default: $COVIDLAB_DATA, else the phantom)")
    sub.add_argument("--slices", default="0,2,4,8,16", metavar="A,B", help="how many (default: 0,2,4,8,16)")
    sub.add_argument("--seed", type=seed_int, default=0, help="of the order and the turning of slices (default: 0)")
    table_option(sub)


def _add_throughput(command) -> None:
    sub = command(
        "throughput", "what is lost around the model when a scan is segmented",
        "  python -m studies throughput --volume SCAN.nii.gz        file to file, against its model alone",
    )  # fmt: skip
    sub.add_argument("--volume", type=Path, required=True, metavar="SCAN", help="a NIfTI file, or a DICOM series")
    weights_option(sub)
    sub.add_argument("--json", action="store_true", help="for programs")


def _add_time(command) -> None:
    sub = command(
        "time", "time a slice as `covidlab time` does, by OpenVINO, too",
        "  python -m studies time --table time --figure fig-4-time-per-slice.png",
    )  # fmt: skip
    time_options(sub)


if __name__ == "__main__":
    sys.exit(main())
