"""The command `covidlab`: what it can be asked. What it then does is `covidlab.commands`.

Commands are imported only when one runs, so that `--help` answers at once. A problem with what the user gave is one
line on standard error and exit status 2.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from covidlab import __version__
from covidlab.errors import CovidlabError, Plain, reason
from covidlab.weights import DEFAULT, NETWORKS, SHIPPED

DESCRIPTION = """\
covidlab: segment COVID-19 lesions in chest CT, the way the course does it.
Teaching material, not a medical device.

  covidlab lab                                copy the notebooks into a folder and open them
  covidlab inspect                            look at the default data, drawn on first use
  covidlab train                              train and score on the synthetic phantom, a few minutes
  covidlab train --data FOLDER                the same on your own scans
  covidlab predict SCAN.nii.gz -o MASK.nii.gz segment one scan with the shipped weights

The paper's table, and the runs behind the course's numbers: python -m studies --help, in the repository.
"""

# By name: they are written here, too, since what has them loads TensorFlow.
LOSSES = ("cross_entropy", "weighted_cross_entropy", "focal", "dice", "tversky", "cross_entropy_and_dice")

LARGEST_SEED = 2**32 - 1  # NumPy's global generator, which Keras seeds too, takes no more
LAYOUT = "a folder with COVID-19-CT-Seg_20cases/ (or images/) and Infection_Mask/ (or masks/), files of the same names"
SCAN = "a .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr file, or a folder or .zip with the DICOM slices of one series"
SCORES = """\
Scores are pooled over all pixels of a part. The slice protocol is the paper's and leaks between
neighbouring slices; the patient protocol says how a model does on a new patient."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 a problem with what the user gave."""
    return run_command(_parser(), "covidlab.commands", arguments)


def run_command(parser: argparse.ArgumentParser, module: str, arguments: list[str] | None) -> int:
    """Run the function of a module that the arguments name; problems of the user's are told in one line."""
    sys.stdout, sys.stderr = (one or open(os.devnull, "w") for one in (sys.stdout, sys.stderr))  # None where closed
    try:
        try:
            options = parser.parse_args(arguments)
            options.words = [*parser.prog.split(), *(sys.argv[1:] if arguments is None else arguments)]
            with warnings.catch_warnings(), redirect_stdout(Plain(sys.stdout)):
                warnings.showwarning = lambda message, *_: print(f"covidlab: {message}", file=sys.stderr)
                import_module("covidlab._nibabel")  # before anything imports it with pydicom
                return getattr(import_module(module), options.command)(options) or 0
        except CovidlabError as error:
            problem, status = error, 2
        except PermissionError as error:  # a folder, say; of the files that are read each reader speaks itself
            found, remedy = f"what may not be opened ({error.strerror})", "ask its owner for leave, or choose another"
            problem, status = CovidlabError(error.filename or "a file", found, "a place of one's own", remedy), 2
        except KeyboardInterrupt:
            more = "; give the same command again and it goes on from there" if options.goes_on else ""
            problem, status = f"interrupted{more}", 130
        finally:
            sys.stdout.flush()  # here, where it can be caught: a pipe may be closed only now
        print(f"covidlab: {problem}", file=sys.stderr)
        return status
    except OSError as error:
        if full := not isinstance(error, BrokenPipeError):
            if error.filename:
                raise  # no output's: a bug of ours
            problem = CovidlabError("standard output", reason(error), "room for what is printed", "free space")
            print(f"covidlab: {problem}", file=sys.stderr)
        # Who read the output stopped, as `| head` does. Python would try to write the rest once more when it ends.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 2 if full else 128 + 13  # what a shell says of a program that a closed pipe ended


def _kind(parse: Callable, is_right: Callable, expected: str) -> Callable:
    """A type for argparse: what `parse` makes of the words, if it is right."""

    def typed(text: str):
        with suppress(ValueError):
            if is_right(found := parse(text)):
                return found
        raise argparse.ArgumentTypeError(f"found {text!r}; expected {expected}")

    return typed


def one_of(names: Sequence[str]) -> Callable:
    """One of some names."""
    return _kind(str, names.__contains__, f"one of {', '.join(names)}")


def some_of(names: Sequence[str]) -> Callable:
    """Names with commas between them, as a list."""
    return _kind(lambda text: text.split(","), set(names).issuperset, f"names among {', '.join(names)}")


positive_int = _kind(int, lambda number: number >= 1, "a whole number of 1 or more")
whole_int = _kind(int, lambda number: number >= 0, "a whole number of 0 or more")
seed_int = _kind(int, lambda number: 0 <= number <= LARGEST_SEED, f"a whole number from 0 to {LARGEST_SEED}")
width = _kind(float, lambda number: 0 < number <= 1, "a number above 0 and at most 1")
rate = _kind(float, lambda number: 0 < number < 1, "a number between 0 and 1")
strength = _kind(float, lambda number: 0 <= number <= 4, "a number from 0, none, to 4")
ratio = _kind(lambda text: None if text == "all" else float(text),
              lambda number: number is None or 0 <= number < float("inf"),
              "a number of 0 or more, or `all`")  # fmt: skip


SHARED = {  # what options mean that several commands have, unless one says otherwise
    "--profile": {"choices": ("lesson", "paper"), "default": "lesson"},
    "--model": {"type": one_of(NETWORKS), "default": "light_unet"},
    "--size": {"type": positive_int, "metavar": "N"},
    "--data": {"metavar": "FOLDER", "help": "default: $COVIDLAB_DATA, else the phantom"},
    "--cases": {"default": "*", "metavar": "GLOB", "help": "only cases named like this, such as 'radiopaedia*'"},
    "--weights": {"metavar": "F", "help": f"best.weights.h5 of a run, or of the shipped ones {', '.join(SHIPPED)} "
                  f"(default: {DEFAULT})"},
    "--out": {"type": lambda text: Path(text).expanduser(), "metavar": "DIR"},  # a shell leaves the ~ of --out=~/masks
    "--table": {"type": Path, "metavar": "STEM", "help": "write the table as STEM.csv and STEM.md, too"},
    "--json": {"action": "store_true", "help": "for programs"},
}  # fmt: skip


# --- the parser: a function a command


def new_parser(program: str, description: str):
    """A parser, and the function that adds a command to it and gives back what adds an option to that."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=program, description=description, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"covidlab {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, help: str, epilog: str = "", goes_on: bool = False) -> Callable:
        about = help[0].upper() + help[1:] + "."
        sub = commands.add_parser(name, help=help, description=about, epilog=epilog, formatter_class=raw)
        sub.set_defaults(command=name, goes_on=goes_on)
        return lambda *names, **what: sub.add_argument(*names, **SHARED.get(names[-1], {}) | what)

    return parser, command


def _parser() -> argparse.ArgumentParser:
    parser, command = new_parser("covidlab", DESCRIPTION)
    for add in (_add_lab, _add_phantom, _add_fetch, _add_inspect, _add_train, _add_score, _add_predict, _add_time,
                _add_export):  # fmt: skip
        add(command)
    return parser


def _add_lab(command) -> None:
    add = command("lab", "copy the course's notebooks into a folder, and open them in JupyterLab",
                  "Needs the extras `train`, `notebooks` and `dicom`. A notebook that is there already stays as it is.",
    )  # fmt: skip
    add("folder", nargs="?", type=Path, default=Path("covidlab-notebooks"), help="(default: covidlab-notebooks)")
    add("jupyter", nargs="*", metavar="-- OPTION", help="JupyterLab's own options, such as --no-browser")


def _add_phantom(command) -> None:
    add = command(
        "phantom", "make a synthetic cohort: chest CTs with lesions, no patient's data",
        "The lesson cohort: 10 scans of 128 px, seconds. The paper cohort: the record's 939 slices of 630 px, minutes.",
    )  # fmt: skip
    add("--profile", help="how large (default: lesson)")
    add("--seed", type=whole_int, default=0, help="another seed is another set of patients (default: 0)")
    default = "phantom-PROFILE in the data folder, of a seed other than 0 phantom-PROFILE-seedN"
    add("--out", help=f"where to (default: {default})")


def _add_fetch(command) -> None:
    add = command(
        "fetch", "download the published record (Zenodo 3757476, about 1.1 GB), every archive checked",
        "Interrupted, it keeps the archives that are whole and starts a broken one over.\n"
        "The data are CC BY-NC-SA: attribution, non-commercial, share alike.",
        goes_on=True,
    )  # fmt: skip
    add("--out", help="where to (default: covid19-ct-seg in the data folder)")


def _add_inspect(command) -> None:
    add = command(
        "inspect", "look at every file of a cohort, or at one scan, and say what is odd",
        f"A cohort is {LAYOUT}.\n"
        f"A scan is {SCAN}.",
    )  # fmt: skip
    add("folder", nargs="?", metavar="FOLDER|SCAN", help="default: $COVIDLAB_DATA, else the phantom")
    add("--cases")
    add("--json")


def _add_train(command) -> None:
    add = command(
        "train", "train one model and score it on train, validation and test",
        f"Give the same command again after an interruption: it goes on from the last epoch.\n{SCORES}",
        goes_on=True,
    )  # fmt: skip
    run_options(add, "a folder of runs; each has one of its own in it, named by what it was asked (default: runs)")
    add("--model", help=f"{', '.join(NETWORKS[:-1])} or {NETWORKS[-1]} (default: light_unet)")


def _add_score(command) -> None:
    add = command(
        "score", "score weights on every slice of a cohort, case by case",
        "Scores on patients seen in training say nothing about new ones; such cases are named.\n"
        "They are the network's alone; one line tells what is left inside the lungs, as `predict` marks.\n\n"
        "  covidlab score --data FOLDER                                    the shipped weights\n"
        "  covidlab score --weights phantom --data FOLDER                  those that have seen the phantom only\n"
        "  covidlab score --weights phantom --cases 'phantom_0[38]*'       on phantom patients that they have not seen",
    )  # fmt: skip
    for shared in ("--weights", "--data", "--cases", "--table"):
        add(shared)


def _add_predict(command) -> None:
    add = command(
        "predict", "segment a scan, or a folder of scans, into masks",
        "The scan is resampled to the weights' grid, the probabilities back to the scan's own, then thresholded.\n"
        "What lies outside the lungs is dropped. Where no lungs are found the mask is empty, and a note says so.\n"
        "The mask has the scan's shape, affine and header codes.\n\n"
        "  covidlab predict scan.nii.gz -o mask.nii.gz\n  covidlab predict scans/ -o masks/\n"
        "  covidlab predict dicom-series/ -o mask.nii.gz --overlay\n"
        "  covidlab predict dicom-series/ -o mask.dcm      a DICOM segmentation of the same patient and study",
    )  # fmt: skip
    add("scan", type=Path, metavar="SCAN", help=f"{SCAN}; or a folder of scans")
    add("-o", "--out", required=True, metavar="MASK", help="a file, or a folder for a folder")
    add("--weights")
    add("--overlay", action="store_true", help="draw some slices with what is marked, too: MASK as .png")
    add("--json", help="for programs: a JSON object a scan and line")
    add("--workers", type=positive_int, metavar="N", help="a folder on N processes at once; MASK/manifest.jsonl tells "
        "what is done, and run again it goes on (extra `cluster`)")  # fmt: skip
    add("--scheduler", metavar="ADDRESS", help="the same on a Dask cluster: see docs/scaling.md")


def _add_time(command) -> None:
    time_options(command(
        "time", "time a slice on this processor: Keras, ONNX Runtime, LiteRT, by number of threads",
        "Fresh weights. Forms other than Keras' own need the extra `export`; without it they are named with the\n"
        "command that installs them. Times are given as multiples of one large matrix\n"
        "product, too: these compare between machines.\n\n"
        "  covidlab time --models light_unet,nano_unet --threads 2",
    ))  # fmt: skip


def _add_export(command) -> None:
    add = command(
        "export", "write a model as ONNX or LiteRT, checked against Keras",
        "A float32 file that differs from Keras by more than 1e-4 is not kept. int8 is calibrated on slices of the\n"
        "cohort. Needs packages of the extra `export`.\n\n  covidlab export best.weights.h5 -o model.onnx\n"
        "  covidlab export RUN -o model.tflite --int8    its test part is scored in both forms",
    )  # fmt: skip
    add("weights", metavar="WEIGHTS", help="best.weights.h5 of a run, the run's folder, or a shipped name")
    add("-o", "--out", required=True, metavar="FILE", help="ends in .onnx or .tflite")
    add("--int8", action="store_true", help="whole numbers of 8 bits inside; LiteRT only")
    add("--size", help="pixels a side of the slices it takes (default: the grid that the weights were trained on)")
    add("--data", help="cohort to check and calibrate with (default: $COVIDLAB_DATA, else the phantom)")


def time_options(add: Callable) -> None:
    """What is timed, and how the times are told."""
    full = "of fcn8s; 1 is the published network, 134 million parameters (default: 0.25)"
    add("--models", type=some_of(NETWORKS), default=list(NETWORKS), help="comma-separated (default: all)")
    add("--size", default=630, help="pixels a side (default: 630, the record's)")
    add("--threads", default="1,2,all", metavar="A,B", help="each in its own process (default: 1,2,all)")
    add("--width", type=width, default=0.25, metavar="W", help=full)
    add("--rounds", type=positive_int, default=10, metavar="N", help="(default: 10)")
    add("--json")
    add("--figure", type=Path, metavar="PNG", help="draw it too, as the paper's Fig. 4")
    add("--table")


def run_options(add: Callable, place: str) -> None:
    """What a training may be asked, and where it is kept."""
    add("--data", help=f"{LAYOUT} (default: $COVIDLAB_DATA, else the phantom)")
    add("--cases")
    add("--protocol", choices=("slice", "patient"), default="slice", help="(default: slice, the paper's)")
    add("--test-patients", default="", metavar="A,B",
        help="hold these patients out (protocol patient; default: fold SEED of four)")  # fmt: skip
    add("--seed", type=seed_int, default=0, help="of the split and of the training (default: 0)")
    add("--profile", help="lesson: 128 px; paper: 630 px, a GPU or patience (default: lesson)")
    add("--updates", type=positive_int, metavar="N",
        help="gradient steps (default: 1000 on the phantom, 7500 on other data)")  # fmt: skip
    recipe = partial(add, default=argparse.SUPPRESS)  # they change the recipe's fields of their names, where asked
    recipe("--rate", dest="learning_rate", type=rate, metavar="X", help="peak learning rate (default: 0.002)")
    recipe("--loss", type=one_of(LOSSES), metavar="NAME",
           help=f"{', '.join(LOSSES[:-1])} or {LOSSES[-1]} (default: the last)")  # fmt: skip
    recipe("--negatives", dest="negatives_per_positive", type=ratio, metavar="RATIO", help="slices without lesion to "
           "train on for each one with, or all (default: 0 as in the paper, 0.3 on the phantom)")  # fmt: skip
    recipe("--augment", type=strength, metavar="X", help="how far training slices are turned, zoomed, shifted and "
           "brightened: 0 not, 2 twice as far (default: 1)")  # fmt: skip
    add("--out", help=place)
