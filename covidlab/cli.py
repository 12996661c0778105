"""The command `covidlab`: a thin front over the package.

Every command's work is a function of a module that is imported only when the command runs, so that `--help`
answers at once. A problem with what the user gave is one line on standard error and exit status 2.
"""

import argparse
import json
import re
import shlex
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from covidlab import __version__, paper, shipped_weights
from covidlab.errors import CovidlabError
from covidlab.progress import progress_bar

DESCRIPTION = """\
covidlab: segment COVID-19 lesions in chest CT, the way the course does it.
Teaching material, not a medical device.

  covidlab inspect data/phantom-lesson        look at a folder of scans and masks first
  covidlab reproduce                          train and score on the synthetic phantom, a few minutes
  covidlab reproduce --data FOLDER            the same on your own scans
  covidlab predict SCAN.nii.gz -o MASK.nii.gz segment one scan with the shipped weights
"""

# NumPy's global generator, which Keras seeds too, takes no more.
LARGEST_SEED = 2**32 - 1
LAYOUT = "a folder with COVID-19-CT-Seg_20cases/ (or images/) and Infection_Mask/ (or masks/), files of the same names"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 a problem with what the user gave."""
    options = _parser().parse_args(arguments)
    options.arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"covidlab: {message}", file=sys.stderr)
            return options.command(options) or 0
    except CovidlabError as error:
        print(f"covidlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        more = "; give the same command again and it goes on from there" if options.goes_on else ""
        print(f"covidlab: interrupted{more}", file=sys.stderr)
        return 130


def positive_int(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    return _checked(text, int, lambda number: number >= 1, "a whole number of 1 or more")


def whole_int(text: str) -> int:
    """A whole number of 0 or more, for argparse."""
    return _checked(text, int, lambda number: number >= 0, "a whole number of 0 or more")


def seed_int(text: str) -> int:
    """A seed that every library takes, for argparse."""
    return _checked(text, int, lambda number: 0 <= number <= LARGEST_SEED, f"a whole number from 0 to {LARGEST_SEED}")


def share(text: str) -> float:
    """A number above 0 and at most 1, for argparse."""
    return _checked(text, float, lambda number: 0 < number <= 1, "a number above 0 and at most 1")


def _checked(text: str, kind: type, is_right: Callable, expected: str):
    try:
        number = kind(text)
        if is_right(number):
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"found {text!r}; expected {expected}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="covidlab", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"covidlab {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function, help: str, epilog: str = "", goes_on: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + ".", epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.set_defaults(command=function, goes_on=goes_on)
        return sub

    sub = command(
        "phantom", _phantom, "make a synthetic cohort: chest CTs with lesions, no patient's data",
        "The lesson cohort: 10 scans of 128 px, seconds. The paper cohort: the record's 939 slices of 630 px, minutes.",
    )  # fmt: skip
    sub.add_argument("--profile", choices=("lesson", "paper"), default="lesson", help="how large (default: lesson)")
    sub.add_argument("--seed", type=whole_int, default=0, help="another seed is another set of patients (default: 0)")
    sub.add_argument("--out", type=Path, metavar="DIR", help="where to (default: phantom-PROFILE in the data\n"
                     "folder, of a seed other than 0 phantom-PROFILE-seedN)")  # fmt: skip

    sub = command(
        "fetch", _fetch, "download the published record (Zenodo 3757476, about 1.1 GB), checked and resumable",
        "Interrupted, it goes on where it stopped. The data are CC BY-NC-SA: attribution, non-commercial, share alike.",
        goes_on=True,
    )  # fmt: skip
    sub.add_argument("--out", type=Path, metavar="DIR", help="where to (default: covid19-ct-seg in the data folder)")

    sub = command(
        "inspect", _inspect, "look at every file of a cohort, or at one scan, and say what is odd",
        f"A cohort is {LAYOUT}.\nA scan is a .nii or .nii.gz file, or a folder with the DICOM slices of one series.",
    )  # fmt: skip
    sub.add_argument("folder", nargs="?", metavar="FOLDER|SCAN", help="default: $COVIDLAB_DATA, else the phantom")
    sub.add_argument("--cases", default="*", metavar="GLOB", help="only cases named like this, such as 'radiopaedia*'")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = command(
        "train", _train, "train one model and score it on train, validation and test",
        "Give the same command again after an interruption: it goes on from the last epoch.",
        goes_on=True,
    )  # fmt: skip
    _run_options(sub, "-seedN/MODEL")
    sub.add_argument("--model", default="light_unet",
                     help="patch_cnn, fcn8s, light_unet or nano_unet (default: light_unet)")  # fmt: skip

    sub = command(
        "evaluate", _evaluate, "print the scores of a finished run, by part",
        "With --full every slice is predicted again and judged: volumes, negative slices, detection, borders,\n"
        "intervals over patients. Writes slices.csv and evaluation.json into RUN.\n\n"
        "  covidlab evaluate runs/phantom-lesson-slice-seed0/light_unet --full\n"
        "  covidlab evaluate runs/x/* --full --table test-part    several side by side, as test-part.csv and .md;\n"
        "                                                         of several seeds the mean and the range",
    )  # fmt: skip
    sub.add_argument("run", type=Path, nargs="+", metavar="RUN",
                     help="folders that train, reproduce or study wrote, of one cohort and protocol")  # fmt: skip
    sub.add_argument("--full", action="store_true", help="judge it slice by slice; needs the cohort again")
    sub.add_argument("--data", metavar="FOLDER", help="the run's cohort (default: $COVIDLAB_DATA, else the phantom)")
    _extra_option(sub)
    sub.add_argument("--table", type=Path, metavar="STEM", help="with --full: write the test parts side by side")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = command(
        "score", _score, "score weights on every slice of a cohort, case by case",
        "Scores on patients seen in training say nothing about new ones; such cases are named.\n\n"
        "  covidlab score --data FOLDER                                    the shipped weights\n"
        "  covidlab score --weights phantom --data FOLDER                  those that have seen the phantom only\n"
        "  covidlab score --weights phantom --cases 'phantom_0[38]*'       on phantom patients that they have not seen",
    )  # fmt: skip
    _weights_option(sub)
    sub.add_argument("--data", metavar="FOLDER", help="default: $COVIDLAB_DATA, else the phantom")
    sub.add_argument("--cases", default="*", metavar="GLOB", help="only cases named like this, such as 'radiopaedia*'")
    _table_option(sub)

    sub = command(
        "predict", _predict, "segment a scan, or a folder of scans, into NIfTI masks",
        "The scan is resampled to the weights' grid, the probabilities back to the scan's own, then thresholded.\n"
        "The mask has the scan's shape, affine and header codes.\n\n"
        "  covidlab predict scan.nii.gz -o mask.nii.gz\n  covidlab predict scans/ -o masks/\n"
        "  covidlab predict dicom-series/ -o mask.nii.gz --overlay",
    )  # fmt: skip
    sub.add_argument("scan", type=Path, metavar="SCAN", help="a .nii or .nii.gz file, a folder of\n"
                     "them, or a folder with the DICOM slices of one series")
    sub.add_argument("-o", "--out", type=Path, required=True, metavar="MASK", help="a file, or a folder for a folder")
    _weights_option(sub)
    sub.add_argument("--overlay", action="store_true", help="draw some slices with what is marked, too: MASK as .png")

    sub = command(
        "reproduce", _reproduce, "the paper's experiment: train the models, score them, write scores.json",
        "Scores are pooled over all pixels of a part. The slice protocol is the paper's and leaks between\n"
        "neighbouring slices; the patient protocol says how a model does on a new patient.",
        goes_on=True,
    )  # fmt: skip
    _run_options(sub, "-seedN, of several seeds runs/DATA-PROTOCOL")
    sub.add_argument(
        "--models",
        default="light_unet",
        help="comma-separated: patch_cnn, fcn8s, light_unet, nano_unet (default: light_unet);\n"
        "fcn8s has a quarter of its published width in the lesson profile",
    )
    sub.add_argument("--seeds", metavar="A,B", help="several, instead of --seed; with protocol patient 0,1,2,3 hold\n"
                     "every patient of four or more out once; seeds beyond go around\n"
                     "again, and the answers are averaged")  # fmt: skip

    sub = command(
        "study", _study, "answer one of the paper's open questions by runs that differ in one thing",
        "Every variant is trained on every seed with the same number of updates. Finished runs are read, interrupted\n"
        "ones go on. Writes NAME.csv and NAME.md with the command, data and machine.\n\n"
        "  covidlab study list\n  covidlab study widths --seeds 0,1,2 --updates 3000\n"
        "  covidlab study losses --model nano_unet --seeds 0,1",
        goes_on=True,
    )  # fmt: skip
    sub.add_argument("name", metavar="NAME", help="which; `covidlab study list` shows them")
    _run_options(sub, "-study/NAME")
    sub.add_argument("--model", default="light_unet",
                     help="whose training is varied (default: light_unet; nano_unet is quicker)")  # fmt: skip
    sub.add_argument("--variants", default="", metavar="A,B", help="only these of the study's variants (default: all)")
    sub.add_argument("--seeds", metavar="A,B", help="several, instead of --seed")
    sub.add_argument("--mirror", action="store_true",
                     help="average the answers to a slice and to its mirror image: twice the time")  # fmt: skip

    sub = command(
        "compare", _compare, "put several recipes side by side, each judged on held-out patients",
        "Each FOLDER was written by `covidlab reproduce --protocol patient --seeds ...`; its name is the recipe's.",
    )  # fmt: skip
    sub.add_argument("folder", type=Path, nargs="+", metavar="FOLDER")
    _table_option(sub)

    sub = command(
        "adapt", _adapt, "fit a run's network to its test patients, from a few annotated slices of each",
        "For each number of annotated slices the network is fitted anew, and scored on those slices of the patient\n"
        "that no number takes. Patients with too few positive slices are left out, and named.\n\n"
        "  covidlab adapt runs/phantom-lesson-patient/seed*/light_unet --table adaptation",
    )  # fmt: skip
    sub.add_argument("run", type=Path, nargs="+", metavar="RUN", help="folders of runs of protocol patient")
    sub.add_argument("--data", metavar="FOLDER", help="the runs' cohort (default: $COVIDLAB_DATA, else the phantom)")
    _extra_option(sub)
    sub.add_argument("--slices", default="0,2,4,8,16", metavar="A,B", help="how many (default: 0,2,4,8,16)")
    sub.add_argument("--seed", type=seed_int, default=0, help="of the order and the turning of slices (default: 0)")
    _table_option(sub)

    sub = command(
        "time", _time, "time a slice on this processor: Keras, ONNX Runtime, OpenVINO, LiteRT, by number of threads",
        "Fresh weights. Forms other than Keras' own need the extra `export`; without it they are named with the\n"
        "command that installs them. Times are given as multiples of one large matrix\n"
        "product, too: these compare between machines.\n\n"
        "  covidlab time --models light_unet,nano_unet --threads 2\n  covidlab time --training\n"
        "  covidlab time --volume SCAN.nii.gz",
    )  # fmt: skip
    sub.add_argument("--models", help="comma-separated (default: all; light_unet with --training)")
    sub.add_argument("--size", type=positive_int, default=630, metavar="N",
                     help="pixels a side (default: 630, the record's)")  # fmt: skip
    sub.add_argument("--threads", default="1,2,all", metavar="A,B", help="each in its own process (default: 1,2,all)")
    sub.add_argument("--width", type=share, default=0.25, metavar="W",
                     help="of fcn8s; 1 is the published network, 134 million parameters (default: 0.25)")  # fmt: skip
    sub.add_argument("--rounds", type=positive_int, default=10, metavar="N", help="(default: 10)")
    sub.add_argument("--json", action="store_true", help="for programs")
    sub.add_argument("--figure", type=Path, metavar="PNG", help="draw it too, as the paper's Fig. 4")
    sub.add_argument("--training", action="store_true", help="instead: how busy training keeps the processor")
    sub.add_argument("--data", metavar="FOLDER", help="for --training (default: $COVIDLAB_DATA, else the phantom)")
    sub.add_argument("--volume", type=Path, metavar="SCAN", help="instead: a scan, file to file, against its model")
    _weights_option(sub, "for --volume: ")
    _table_option(sub)

    sub = command(
        "export", _export, "write a model as ONNX or LiteRT, checked against Keras",
        "A float32 file that differs from Keras by more than 1e-4 is not kept. int8 is calibrated on slices of the\n"
        "cohort. Needs packages of the extra `export`.\n\n  covidlab export best.weights.h5 -o model.onnx\n"
        "  covidlab export RUN -o model.tflite --int8    its test part is scored in both forms",
    )  # fmt: skip
    sub.add_argument("weights", metavar="WEIGHTS", help="best.weights.h5 of a run, the run's folder, or a shipped name")
    sub.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="ends in .onnx or .tflite")
    sub.add_argument("--int8", action="store_true", help="whole numbers of 8 bits inside; LiteRT only")
    sub.add_argument("--size", type=positive_int, metavar="N", help="pixels a side of the slices it takes (default: "
                     "the grid that the weights were trained on)")  # fmt: skip
    sub.add_argument("--data", metavar="FOLDER", help="cohort to check and calibrate with (default: $COVIDLAB_DATA, "
                     "else the phantom)")  # fmt: skip
    _extra_option(sub)
    return parser


def _table_option(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--table", type=Path, metavar="STEM", help="write the table as STEM.csv and STEM.md, too")


def _extra_option(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--extra-train", "--test-data", action="append", default=[], metavar="FOLDER[:GLOB]",
                     help="where the run's other cases lie, if it had any from elsewhere")  # fmt: skip


def _weights_option(sub: argparse.ArgumentParser, when: str = "") -> None:
    sub.add_argument("--weights", metavar="F", help=f"{when}best.weights.h5 of a run, or of the shipped ones\n"
                     f"{', '.join(shipped_weights.SHIPPED)} (default: {shipped_weights.DEFAULT})")  # fmt: skip


def _run_options(sub: argparse.ArgumentParser, place: str) -> None:
    sub.add_argument("--data", metavar="FOLDER", help=f"{LAYOUT} (default: $COVIDLAB_DATA, else the phantom)")
    sub.add_argument("--cases", default="*", metavar="GLOB", help="only cases named like this, such as 'radiopaedia*'")
    sub.add_argument("--protocol", choices=("slice", "patient"), default="slice", help="(default: slice, the paper's)")
    sub.add_argument("--test-patients", default="", metavar="A,B",
                     help="hold these patients out (protocol patient; default: fold SEED of four)")  # fmt: skip
    sub.add_argument("--extra-train", action="append", default=[], metavar="FOLDER[:GLOB]",
                     help="cases to train on, too, whatever the protocol; may be\ngiven several times")  # fmt: skip
    sub.add_argument("--test-data", metavar="FOLDER[:GLOB]", help="test on these cases alone, such as another\n"
                     "hospital's (protocol patient)")  # fmt: skip
    sub.add_argument("--pretrained", nargs="?", const="phantom", metavar="F",
                     help="start from these weights, a file or a shipped name; without F:\n"
                     "phantom")  # fmt: skip
    sub.add_argument("--seed", type=seed_int, default=0, help="of the split and of the training (default: 0)")
    sub.add_argument("--profile", choices=("lesson", "paper"), default="lesson",
                     help="lesson: 128 px; paper: 630 px, a GPU or patience (default: lesson)")  # fmt: skip
    sub.add_argument("--updates", type=positive_int, metavar="N",
                     help="gradient steps (default: 1000 on the phantom, 7500 on other data)")  # fmt: skip
    sub.add_argument("--rate", type=float, metavar="X", help="peak learning rate (default: 0.002)")
    sub.add_argument("--loss", metavar="NAME", help="cross_entropy, weighted_cross_entropy, focal, dice, tversky or\n"
                     "cross_entropy_and_dice (default: the last)")  # fmt: skip
    sub.add_argument("--negatives", metavar="RATIO", help="slices without lesion to train on for each one\n"
                     "with, or all (default: 0 as in the paper, 0.3 on the phantom)")  # fmt: skip
    sub.add_argument("--augment", type=float, metavar="X", help="how far training slices are turned, zoomed, shifted\n"
                     "and brightened: 0 not, 2 twice as far (default: 1)")  # fmt: skip
    sub.add_argument("--crop", type=int, metavar="N", help="train on squares of N pixels cut from the slices, so that\n"
                     "630 px need no GPU (default: whole slices)")  # fmt: skip
    sub.add_argument("--neighbours", type=int, default=0, metavar="N",
                     help="slices on either side that the network looks at, too\n(default: 0)")  # fmt: skip
    sub.add_argument("--keep-last", action="store_true", help="keep the last epoch, not the one that is best on\n"
                     "validation: few patients choose badly")  # fmt: skip
    sub.add_argument("--pool-threshold", action="store_true", help="choose the threshold on the training slices, too:\n"
                     "few validation patients choose badly")  # fmt: skip
    sub.add_argument("--drop-specks", action="store_true", help="take small spots away; how small is chosen on\n"
                     "validation")  # fmt: skip
    sub.add_argument("--out", type=Path, metavar="DIR", help=f"(default: runs/DATA-PROTOCOL{place})")


def _phantom(options) -> None:
    from covidlab import cohorts, phantom

    folder = options.out or cohorts.phantom_folder(options.profile, options.seed)
    with progress_bar("making the phantom") as progress:
        folder = phantom.write_cohort(folder, profile=options.profile, seed=options.seed, progress=progress)
    print(f"{folder}: look at it with `covidlab inspect {folder}`")


def _fetch(options) -> None:
    from covidlab import cohorts, record

    with progress_bar("downloading") as progress:
        folder = record.fetch_record(options.out or cohorts.data_home() / "covid19-ct-seg", progress=progress)
    print(f"{folder}: use it with COVIDLAB_DATA={folder} or --data {folder}")


def _inspect(options) -> int:
    from covidlab import cohorts, doctor

    if options.folder and cohorts.is_single_scan(Path(options.folder)):
        report = doctor.inspect_scan(Path(options.folder))
    else:
        with progress_bar("inspecting") as progress:
            report = doctor.inspect_cohort(_cohort(options.folder, options.cases), progress)
    print(report.as_json() if options.json else report.as_text())
    broken = [case for case in report.cases if not case.usable]
    for case in broken:
        print(f"covidlab: {case.findings[0]}", file=sys.stderr)
    return 2 if broken else 0


def _cohort(source, cases, profile: str = "lesson"):
    from covidlab import cohorts

    with progress_bar("making the phantom") as progress:
        return cohorts.open_cohort(source, profile, progress, cases)


def _cohorts(options):
    """The cohort that is split, and the cases that are only trained on or only tested on."""
    from covidlab import cohorts

    if options.test_data and (options.protocol != "patient" or options.test_patients):
        raise CovidlabError(
            "--test-data", "protocol slice or --test-patients", "the protocol patient, which then tests these alone",
            "add --protocol patient and leave --test-patients out",
        )  # fmt: skip
    main = _cohort(options.data, options.cases, options.profile)
    extra = [_selected(given, options.profile) for given in options.extra_train]
    test = [_selected(options.test_data, options.profile)] if options.test_data else []
    return cohorts.combine([main, *extra, *test]), main, extra, test


def _selected(given: str, profile: str = "lesson"):
    """FOLDER or FOLDER:GLOB as a cohort."""
    folder, colon, pattern = given.rpartition(":")
    if colon and not Path(given).is_dir():
        if not folder:
            raise CovidlabError(repr(given), "no folder before the colon", "FOLDER or FOLDER:GLOB", "name the folder")
        return _cohort(folder, pattern, profile)
    return _cohort(given, "*", profile)


def _run_cohort(options, config):
    """The cohort that a run was made with: --data, and what it was given besides."""
    from covidlab import cohorts

    profile = "paper" if config.grid == paper.SLICE_SIZE else "lesson"
    main = _cohort(options.data, config.cases, profile)
    known = {case.name for case in main.cases}
    more = [_selected(given, profile) for given in options.extra_train]
    more = [replace(one, cases=tuple(case for case in one.cases if case.name not in known)) for one in more]
    return cohorts.combine([main, *(one for one in more if one.cases)]).named(config.cases)


def _start(options, names) -> Path | None:
    """The weights that training starts from, if they are of each model that is to be trained."""
    from covidlab import weights_file

    if options.pretrained is None:
        return None
    path = shipped_weights.find_weights(options.pretrained)
    model = weights_file.read_info(path).model
    if others := [name for name in names if name != model]:
        raise CovidlabError(path, f"weights of {model}", f"weights of {others[0]}",
                            "train one model at a time, each from its own weights")  # fmt: skip
    return path


def _cache(options, cohort):
    from covidlab import experiment, slice_cache

    grid = experiment.GRIDS[options.profile]
    with progress_bar(f"slice cache at {grid} px") as progress:
        return slice_cache.open_slice_cache(cohort, grid, progress=progress)


def _config(options, model: str, main, extra=(), test=()):
    from covidlab import cohorts, experiment

    def names(chosen):
        return tuple(case.name for cohort in chosen for case in cohort.cases)

    cohort = cohorts.combine([main, *extra, *test])
    grid = experiment.GRIDS[options.profile]
    return experiment.Config(
        cohort=cohort.name, grid=grid, protocol=options.protocol, seed=options.seed, model=model,
        options=experiment.options_for(model, options.profile, options.neighbours),
        test_patients=tuple(name for name in options.test_patients.split(",") if name),
        recipe=experiment.change_recipe(
            experiment.recipe_for(main.is_phantom, options.updates, model),
            options.loss, options.negatives, options.augment,
            experiment.crop_for(model, grid, options.crop), options.rate, options.keep_last,
        ),
        extra_train=names(extra), test_data=names(test), drop_specks=options.drop_specks,
        pool_threshold=options.pool_threshold,
    )  # fmt: skip


def _run(config, cache, folder: Path, start: Path | None = None):
    from covidlab import experiment, figures

    with progress_bar(f"training {config.model}, seed {config.seed}") as progress:
        run = experiment.run_experiment(config, cache, folder, progress, start)
    title, place = config.sentence, folder / "figures"
    figures.save(figures.history_figure(run.history, title, config.recipe.keep_last), place / "history.png")
    figures.save(figures.scores_figure(run.counts, f"{config.model}: {title}"), place / "scores.png")
    return run


def _train(options) -> None:
    from covidlab import experiment

    cohort, *chosen = _cohorts(options)
    experiment.check_models([options.model], "--model")
    folder = options.out or Path("runs") / f"{cohort.name}-{options.protocol}-seed{options.seed}" / options.model
    start = _start(options, [options.model])
    config = _config(options, options.model, *chosen)
    run = _run(config, _cache(options, cohort), folder, start)
    _print_runs({options.model: run})
    print(f"\n{folder}")


def _evaluate(options) -> None:
    from covidlab import experiment

    if options.table and not options.full:
        raise CovidlabError("--table", "no --full", "both", "add --full: the table says more than scores.json knows")
    runs = [experiment.read_run(folder) for folder in options.run]
    several = len({run.config.model for run in runs}) < len(runs)
    named = {f"{run.config.model}, seed {run.config.seed}" if several else run.config.model: run for run in runs}
    _check_comparable(named, options)
    if options.full:
        _evaluate_fully(options, named)
    elif options.json:
        print(json.dumps(experiment.summary(named), indent=2))
    else:
        _print_runs(named)


def _check_comparable(named, options) -> None:
    """Side by side stands only what was asked the same."""
    same = ("cohort", "protocol", "grid", "cases", "extra_train", "test_data")
    settings = {tuple(getattr(run.config, name) for name in same) for run in named.values()}
    if len(settings) > 1 or len(named) < len(options.run):
        what = "runs of different data, protocols or grids" if len(settings) > 1 else "the same model and seed twice"
        raise CovidlabError("RUN", what, "runs that differ in model or seed", "evaluate them one by one")


def _evaluate_fully(options, named) -> None:
    from covidlab import results, run_report, slice_cache

    config = next(iter(named.values())).config
    cohort = _run_cohort(options, config)
    with progress_bar("opening the cohort") as progress:
        cache = slice_cache.open_slice_cache(cohort, config.grid, progress=progress)
        spacings = {case.name: slice_cache.grid_spacing(case, config.grid) for case in cohort.cases}
    reports = {}
    for name, run in named.items():
        with progress_bar(f"predicting, {name}") as progress:
            reports[name] = run_report.report_run(run, cache, spacings, progress)
    if options.table:
        seeds = [run.config.seed for run in named.values()]
        note = "The test part of each run, at the threshold that its validation part chose."
        rows = run_report.side_by_side(reports)
        if len(set(seeds)) > 1:
            by_model = {}
            for name, run in named.items():
                by_model.setdefault(run.config.model, []).append(reports[name])
            rows, note = run_report.over_seeds(by_model), f"{note} Mean of the seeds, in brackets the range."
        provenance = _provenance(options, config, seeds)
        results.write_table(options.table, "The test part, judged in every way", rows, provenance, note)
    if options.json:
        print(json.dumps(reports if len(reports) > 1 else next(iter(reports.values())), indent=2))
        return
    for name, found in reports.items():
        print(f"{name}: {found['setting']}, threshold {found['threshold']:g}\n{found['leak']}\n")
        print(results.markdown(run_report.report_rows(found)))
        print(f"\n{named[name].folder / 'evaluation.json'}, {named[name].folder / 'slices.csv'}\n")
    if options.table:
        print(f"{options.table}.md")


def _score(options) -> None:
    from covidlab import results, run_report, slice_cache, weights_file

    model, info = weights_file.load_model(shipped_weights.find_weights(options.weights))
    cohort = _cohort(options.data, options.cases)
    with progress_bar("predicting") as progress:
        cache = slice_cache.open_slice_cache(cohort, info.grid, progress=progress)
        seen = [case.name for case in cohort.cases if info.has_seen(case.name, case.patient)]
        rows = run_report.case_rows(run_report.judge_weights(model, info, cache, progress), seen)
    title = f"{info.model} trained on {info.trained_on}, scored on {cohort.name}"
    print(f"{title}, threshold {info.threshold:g}")
    if not info.seen:
        print("CAUTION: these weights do not say which cases they have seen")
    elif seen:
        print(f"CAUTION: {len(seen)} of these {len(cohort.cases)} cases are of patients seen in training or "
              "validation, and say nothing of new ones; they are marked")  # fmt: skip
    print(f"\n{results.markdown(rows)}")
    if options.table:
        provenance = results.Provenance.here(
            command=_repeatable(options), data=cohort.name, protocol="every slice of every case",
            grid=f"{info.grid} px", seeds="none: the weights are given",
        )  # fmt: skip
        _write_table(options.table, title, rows, provenance, f"Pooled pixels; threshold {info.threshold:g}, their own.")


def _compare(options) -> None:
    from covidlab import folds, results

    recipes = folds.read_recipes(options.folder)
    rows = folds.compare_rows(recipes)
    print(results.markdown(rows))
    if options.table:
        names, scores = zip(*recipes)
        found, seeds = scores[0], [", ".join(map(str, one["seeds"])) for one in scores]
        provenance = results.Provenance.here(
            command=f"covidlab compare {' '.join(names)} --table STEM",
            data=found["data"], protocol=found["protocol"], grid=f"{found['grid']} px",
            seeds=seeds[0] if len(set(seeds)) == 1 else "; ".join(map(": ".join, zip(names, seeds))),
        )  # fmt: skip
        note = "Every slice is judged by the fold that did not train on its patient, at that fold's threshold; pooled."
        if len(set(seeds)) > 1:
            note += f" {folds.AVERAGED}"
        _write_table(options.table, "What helps on patients never seen", rows, provenance, note)


def _adapt(options) -> None:
    from covidlab import adaptation, experiment, folds, results, run_report, slice_cache

    runs = [experiment.read_run(folder) for folder in options.run]
    numbers = sorted({0, *_whole_numbers("--slices", options.slices)})
    same = {(run.config.cases, run.config.grid, run.config.extra_train, run.config.test_data) for run in runs}
    if len(same) > 1 or any(run.config.protocol != "patient" for run in runs):
        raise CovidlabError(
            "RUN", "runs of protocol slice, or of different cases or grids", "folds of one cohort, protocol patient",
            "make them with `covidlab reproduce --protocol patient --seeds 0,1,2,3`",
        )  # fmt: skip
    cohort = _run_cohort(options, runs[0].config)
    with progress_bar("slice cache") as progress:
        cache = slice_cache.open_slice_cache(cohort, runs[0].config.grid, progress=progress)
    if len(runs) > 1 and len(folds.by_fold(runs, cache)) < len(runs):
        raise CovidlabError("RUN", "two runs that test the same patient", "each patient once", "name one of them")
    curves, left_out = {}, []
    for run in runs:
        model, info = run.model()
        test = run.config.split(cache).test
        for patient in dict.fromkeys(cache.patients[test].tolist()):
            slices = test[cache.patients[test] == patient]
            # Twice the largest number, so that there is something left to score.
            if cache.positive[slices].sum() < 2 * max(numbers):
                left_out.append(patient)
                continue
            with progress_bar(f"patient {patient}") as progress:
                curves[patient] = adaptation.adaptation_curve(
                    model, info, cache, slices, numbers, options.seed, progress=progress
                )
    if not curves:
        raise CovidlabError("--slices", f"no test patient with {2 * max(numbers)} positive slices", "at least one",
                            "ask for fewer slices")  # fmt: skip
    rows = run_report.adaptation_rows(curves)
    note = "F1 on the slices of each held-out patient that no column annotates; threshold as it was."
    if left_out:
        note += f" Left out, with too few positive slices: {', '.join(left_out)}."
    print(f"{runs[0].config.sentence}\n{note}\n\n{results.markdown(rows)}")
    if options.table:
        provenance = _provenance(options, runs[0].config, [run.config.seed for run in runs])
        _write_table(options.table, "Annotated slices of a new patient", rows, provenance, note)


def _predict(options) -> None:
    from covidlab import cohorts, figures, prediction, weights_file

    if not options.scan.exists():  # before anything slow
        raise CovidlabError(
            options.scan, "no such file", "a scan, or a folder of scans or DICOM slices", "check the name"
        )  # fmt: skip
    model, info = weights_file.load_model(shipped_weights.find_weights(options.weights))
    print(f"{info.model}, {info.grid} px, threshold {info.threshold:g}, trained on {info.trained_on}")
    if licence := shipped_weights.licence_of(shipped_weights.find_weights(options.weights)):
        print(f"weights: {licence}; teaching material, not a medical device")
    with progress_bar("segmenting") as progress:
        look = figures.draw_overlay if options.overlay else None
        for done in prediction.predict_all(options.scan, options.out, model, info, progress, look):
            volume = "of unknown size" if done.millilitres is None else f"{done.millilitres:.1f} ml"
            share = done.positive_slices / done.slices
            print(f"{done.mask}: {done.positive_slices} of {done.slices} slices positive ({share:.0%}), "
                  f"{done.positive_voxels} voxels, {volume}")  # fmt: skip
            if options.overlay:
                print(f"  drawn: {figures.overlay_path(done.mask)}")
            name = cohorts.case_name(done.scan)
            if info.has_seen(name, cohorts.patient_of(name)):
                print("  CAUTION: these weights were trained or chosen on this patient; on a new one expect worse")
            for finding in done.findings:
                print(f"  note: {finding}")


def _reproduce(options) -> None:
    from covidlab import comparison, experiment, folds, results, run_report

    names = experiment.check_models(options.models.split(","))
    seeds = _whole_numbers("--seeds", options.seeds) if options.seeds else [options.seed]
    start = _start(options, names)
    cohort, *chosen = _cohorts(options)
    folder = options.out or Path("runs") / (
        f"{cohort.name}-{options.protocol}" + (f"-seed{seeds[0]}" if len(seeds) == 1 else "")
    )
    configs = {name: _config(options, name, *chosen) for name in names}
    cache = _cache(options, cohort)
    by_seed = {}
    for seed in seeds:
        place = folder if len(seeds) == 1 else folder / f"seed{seed}"
        by_seed[seed] = runs = {
            name: _run(replace(config, seed=seed), cache, place / name, start)
            for name, config in configs.items()
        }
        _print_runs(runs)
        experiment.write_json(place / "scores.json", experiment.summary(runs))
        left_out = comparison.write_figures(runs, cache, place / "figures")
        print(f"\n{place / 'scores.json'}, and the paper's figures in {place / 'figures'}")
        for name, reason in left_out.items():
            print(f"left out: {name}, since {reason}")
        print(f"judge it closer: covidlab evaluate {place / names[0]} --full\n")
    if len(seeds) == 1:
        return
    found = experiment.summary_over_seeds(by_seed)
    for name in names:
        runs = [by_seed[seed][name] for seed in seeds]
        if held_out := folds.by_fold(runs, cache):
            table = folds.judge_held_out(held_out, cache)
            found.setdefault("held_out", {})[name] = folds.held_out_summary(table)
            title = f"{name}: {len(set(table.patients))} of {len(chosen[0].patients)} patients held out"
            note = "Every slice is judged by the fold that did not train on its patient, at that fold's threshold."
            if len(held_out) < len(runs):
                note += f" {folds.AVERAGED}"
            rows = run_report.case_rows(table)
            print(f"{title}\n\n{results.markdown(rows)}\n")
            _write_table(folder / f"held-out-{name}", title, rows, _provenance(options, runs[0].config, seeds), note)
    experiment.write_json(folder / "scores.json", found)
    print(folder / "scores.json")


def _write_table(stem: Path | None, title: str, rows, provenance, note: str) -> None:
    """Write a table if a stem is given, and say where."""
    from covidlab import results

    if stem:
        results.write_table(stem, title, rows, provenance, note)
        print(f"\n{stem}.md")


def _study(options) -> int:
    from covidlab import experiment, results, studies

    if options.name == "list":
        for name, study in studies.STUDIES.items():
            print(f"{name}: {study.question}\n  paper, {study.paper}\n  variants: {', '.join(study.variants)}")
        return 0
    study = studies.find_study(options.name)
    variants = studies.choose(study, [name for name in options.variants.split(",") if name])
    seeds = _whole_numbers("--seeds", options.seeds) if options.seeds else [options.seed]
    if options.neighbours and any("options" in changes for changes in variants.values()):
        raise CovidlabError("--neighbours", f"study {options.name}", "a study that leaves the network as it is",
                            "leave --neighbours out")  # fmt: skip
    cohort, *chosen = _cohorts(options)
    folder = options.out or Path("runs") / f"{cohort.name}-{options.protocol}-study" / options.name
    experiment.check_models([options.model], "--model")
    start = _start(options, [options.model])
    base, cache = _config(options, options.model, *chosen), _cache(options, cohort)
    with progress_bar(options.name) as progress:
        rows = studies.run_variants(variants, base, cache, folder, seeds, progress, options.mirror, start)
    table = studies.study_table(rows)
    provenance = _provenance(options, base, seeds)
    note = (
        f"Paper, {study.paper}. Each variant: {options.model} unless it says otherwise, {base.recipe.updates:,} "
        "updates. Pooled over all pixels of a part; mean of the seeds, in brackets the range."
    )
    if options.mirror:
        note += " Each slice and its mirror image, averaged."
    stem = folder / (f"{options.name}-mirrored" if options.mirror else options.name)
    results.write_table(stem, study.question, table, provenance, note)
    print(f"{study.question}\n\n{results.markdown(table)}\n\n{stem}.md")
    return 0


def _provenance(options, config, seeds):
    """Where a table's numbers come from: this command, and the setting that its runs share."""
    from covidlab import results

    return results.Provenance.here(
        command=_repeatable(options), data=config.cohort, protocol=config.protocol, grid=f"{config.grid} px",
        seeds=", ".join(dict.fromkeys(map(str, seeds))),
    )  # fmt: skip


def _repeatable(options) -> str:
    """The command as it was given, without the paths of this machine."""
    words = ["covidlab", *options.arguments]
    known = vars(options)
    names = {known.get("data"): "FOLDER", known.get("out"): "DIR", known.get("table"): "STEM"}
    weights = (str(known.get(name) or "") for name in ("weights", "pretrained"))
    names |= {path: "WEIGHTS" for path in weights if path not in shipped_weights.SHIPPED}
    more = [*known.get("extra_train", ()), known.get("test_data") or ""]
    # A folder that is the cohort's own is FOLDER there, too.
    names = {given.rpartition(":")[0] or given: "OTHER-FOLDER" for given in more} | names
    names |= {path: "/".join(path.parts[-2:]) for path in known.get("run", ())}
    for path, name in names.items():
        if path:
            words = [re.sub(rf"(^|=){re.escape(str(path))}/?(?=:|$)", rf"\g<1>{name}", word) for word in words]
    return shlex.join(words)


def _whole_numbers(option: str, text: str) -> list[int]:
    expected = "whole numbers with commas, each once, such as 0,1,2"
    try:
        found = [int(one) for one in text.split(",")]
    except ValueError as error:
        raise CovidlabError(option, repr(text), expected, "correct it") from error
    if len(set(found)) < len(found) or min(found) < 0 or max(found) > LARGEST_SEED:
        raise CovidlabError(option, repr(text), expected, "correct it")
    return found


def _time(options) -> None:
    from covidlab import experiment, figures, results, throughput, timing, weights_file
    from covidlab.models import MODELS

    if (options.training or options.volume) and (options.table or options.figure):
        raise CovidlabError("--table", "--training or --volume", "times of a slice", "leave --table and --figure out")
    default = "light_unet" if options.training else ",".join(MODELS)
    names = experiment.check_models((options.models or default).split(","))
    if options.volume or options.training:
        if options.volume:
            model, info = weights_file.load_model(shipped_weights.find_weights(options.weights))
            found = [throughput.volume_time(options.volume, model, info)]
        else:
            found = [_training_rate(options, name) for name in names]
        print(json.dumps([asdict(one) for one in found], indent=2) if options.json
              else "\n".join(one.sentence for one in found))  # fmt: skip
        return
    threads = timing.resolve_threads(options.threads.split(","))
    models = {name: {"width": options.width} if name == "fcn8s" else {} for name in names}
    with progress_bar("timing") as progress:
        found = timing.time_models(models, options.size, threads, options.rounds, progress)
    if options.figure:
        title = f"one slice of {options.size} x {options.size}, {threads[-1]} threads; {found.machine}"
        figures.save(figures.time_figure(found.bars(threads[-1]), title, paper.SECONDS_PER_SLICE), options.figure)
    if options.table:
        provenance = results.Provenance.here(
            command=_repeatable(options), data="none: fresh weights, a slice of noise", protocol="none",
            grid=f"{options.size} px", seeds="none",
        )  # fmt: skip
        _write_table(options.table, "Time per slice", found.time_rows(), provenance, found.setting)
    print(found.as_json() if options.json else found.as_markdown())


def _training_rate(options, name: str):
    from covidlab import experiment, slice_cache, throughput
    from covidlab.models import MODELS

    cohort = _cohort(options.data, "*")
    cache = slice_cache.open_slice_cache(cohort, experiment.GRIDS["lesson"])
    recipe = experiment.recipe_for(cohort.is_phantom, None, name)
    # Two epochs, as long as they are in earnest, and the turns from memory as much again.
    recipe = replace(recipe, updates=2 * recipe.updates_per_epoch)
    model = MODELS[name](**experiment.OPTIONS["lesson"].get(name, {}))
    with progress_bar(f"training {name}") as progress:
        return throughput.training_rate(model, cache, experiment.make_split(cache, "slice", 0), recipe, 10, progress)


def _export(options) -> None:
    from covidlab import experiment, export, models, run_report, slice_cache, weights_file

    run = experiment.read_run(Path(options.weights)) if Path(options.weights).is_dir() else None
    model, info = run.model() if run else weights_file.load_model(shipped_weights.find_weights(options.weights))
    export.check_target(options.out, options.int8)
    cohort = _run_cohort(options, run.config) if run else _cohort(options.data, "*")
    cache = slice_cache.open_slice_cache(cohort, options.size or info.grid)
    slices = export.calibration_slices(cache, channels=models.channels_of(model))
    done = export.export_model(model, options.out, slices, options.int8, info.threshold)
    shape = (1, *slices.shape[1:])
    print(f"{done.path}: {done.form}, {done.bytes / 1e6:.2f} MB, takes float32 {shape} in 0..1")
    print(
        f"  against Keras on {done.slices} slices of {cache.cohort}: probabilities differ by up to "
        f"{done.largest_difference:.1e}, {done.changed:.2%} of pixels fall on the other side of {info.threshold:g}"
    )
    if run and done.size == info.grid:
        f1 = run_report.score_exported(done.path, run, cache).f1
        print(f"  {run.config.sentence}: F1 on test {run.counts['test'].f1:.4f} in Keras, {f1:.4f} in the file")


def _print_runs(runs) -> None:
    from covidlab import experiment

    sentences = dict.fromkeys(run.config.sentence for run in runs.values())
    print("\n".join(sentences), "pooled over all pixels of a part", sep="; ")
    print(*dict.fromkeys(run.leak for run in runs.values()), sep="\n", end="\n\n")
    print(experiment.score_table(runs))
