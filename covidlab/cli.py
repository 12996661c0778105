"""The command `covidlab`: a thin front over the package.

Every command's work is a function of a module that is imported only when the command runs, so that `--help`
answers at once. A problem with what the user gave is one line on standard error and exit status 2.
"""

import argparse
import json
import re
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

from covidlab import __version__
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

LAYOUT = "a folder with COVID-19-CT-Seg_20cases/ (or images/) and Infection_Mask/ (or masks/), files of the same names"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 a problem with what the user gave."""
    options = _parser().parse_args(arguments)
    options.arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return options.command(options) or 0
    except CovidlabError as error:
        print(f"covidlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("covidlab: interrupted; give the same command again and it goes on from there", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="covidlab", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"covidlab {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function, help: str, epilog: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + ".", epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.set_defaults(command=function)
        return sub

    sub = command(
        "phantom", _phantom, "make a synthetic cohort: chest CTs with lesions, no patient's data",
        "The lesson cohort: 10 scans of 128 px, seconds. The paper cohort: the record's 939 slices of 630 px, minutes.",
    )  # fmt: skip
    sub.add_argument("--profile", choices=("lesson", "paper"), default="lesson", help="how large (default: lesson)")
    sub.add_argument("--seed", type=int, default=0, help="another seed is another set of patients (default: 0)")
    sub.add_argument("--out", type=Path, metavar="DIR", help="where to (default: phantom-PROFILE in the data folder)")

    sub = command(
        "fetch", _fetch, "download the published record (Zenodo 3757476, about 1.1 GB), checked and resumable",
        "Interrupted, it goes on where it stopped. The data are CC BY-NC-SA: attribution, non-commercial, share alike.",
    )  # fmt: skip
    sub.add_argument("--out", type=Path, metavar="DIR", help="where to (default: covid19-ct-seg in the data folder)")

    sub = command("inspect", _inspect, "look at every file of a cohort and say what is odd", f"FOLDER is {LAYOUT}.")
    sub.add_argument("folder", nargs="?", metavar="FOLDER", help="default: $COVIDLAB_DATA, else the phantom")
    sub.add_argument("--cases", default="*", metavar="GLOB", help="only cases named like this, such as 'radiopaedia*'")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = command(
        "train", _train, "train one model and score it on train, validation and test",
        "Give the same command again after an interruption: it goes on from the last epoch.",
    )  # fmt: skip
    _run_options(sub)
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
    sub.add_argument("--table", type=Path, metavar="STEM", help="with --full: write the test parts side by side")
    sub.add_argument("--json", action="store_true", help="for programs")

    sub = command(
        "score", _score, "score weights on every slice of a cohort, case by case",
        "Scores on patients seen in training say nothing about new ones; which cohort that was is printed first.\n\n"
        "  covidlab score --data FOLDER --cases 'radiopaedia*'    shipped weights, which have seen the phantom only\n"
        "  covidlab score --cases 'phantom_0[38]*'                the phantom patients that they have not seen",
    )  # fmt: skip
    sub.add_argument("--weights", type=Path, metavar="F", help="best.weights.h5 of a run (default: shipped weights)")
    sub.add_argument("--data", metavar="FOLDER", help="default: $COVIDLAB_DATA, else the phantom")
    sub.add_argument("--cases", default="*", metavar="GLOB", help="only cases named like this, such as 'radiopaedia*'")
    sub.add_argument("--table", type=Path, metavar="STEM", help="write the table as STEM.csv and STEM.md, too")

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
    sub.add_argument("--weights", type=Path, metavar="F", help="best.weights.h5 of a run (default: shipped weights, "
                     "a light U-Net that has seen the phantom only)")  # fmt: skip
    sub.add_argument("--overlay", action="store_true", help="draw some slices with what is marked, too: MASK as .png")

    sub = command(
        "reproduce", _reproduce, "the paper's experiment: train the models, score them, write scores.json",
        "Scores are pooled over all pixels of a part. The slice protocol is the paper's and leaks between\n"
        "neighbouring slices; the patient protocol says how a model does on a new patient.",
    )  # fmt: skip
    _run_options(sub)
    sub.add_argument(
        "--models",
        default="light_unet",
        help="comma-separated: patch_cnn, fcn8s, light_unet, nano_unet (default: light_unet);\n"
        "fcn8s has a quarter of its published width in the lesson profile",
    )

    sub = command(
        "study", _study, "answer one of the paper's open questions by runs that differ in one thing",
        "Every variant is trained on every seed with the same number of updates. Finished runs are read, interrupted\n"
        "ones go on. Writes NAME.csv and NAME.md with the command, data and machine.\n\n"
        "  covidlab study list\n  covidlab study widths --seeds 0,1,2 --updates 3000\n"
        "  covidlab study losses --model nano_unet --seeds 0,1",
    )  # fmt: skip
    sub.add_argument("name", metavar="NAME", help="which; `covidlab study list` shows them")
    _run_options(sub)
    sub.add_argument("--model", default="light_unet",
                     help="whose training is varied (default: light_unet; nano_unet is quicker)")  # fmt: skip
    sub.add_argument("--variants", default="", metavar="A,B", help="only these of the study's variants (default: all)")
    sub.add_argument("--seeds", metavar="A,B", help="several, instead of --seed")
    sub.add_argument("--mirror", action="store_true",
                     help="average the answers to a slice and to its mirror image: twice the time")  # fmt: skip

    sub = command(
        "time", _time, "time a slice on this processor: Keras, ONNX Runtime, OpenVINO, LiteRT, by number of threads",
        "Fresh weights. Forms other than Keras' own need the extra `export`; without it they are named with the\n"
        "command that installs them. Times are given as multiples of one large matrix\n"
        "product, too: these compare between machines.\n\n"
        "  covidlab time --models light_unet,nano_unet --threads 2\n  covidlab time --training\n"
        "  covidlab time --volume SCAN.nii.gz",
    )  # fmt: skip
    sub.add_argument("--models", help="comma-separated (default: all; light_unet with --training)")
    sub.add_argument("--size", type=int, default=630, metavar="N", help="pixels a side (default: 630, the record's)")
    sub.add_argument("--threads", default="1,2,all", metavar="A,B", help="each in its own process (default: 1,2,all)")
    sub.add_argument("--width", type=float, default=0.25, metavar="W",
                     help="of fcn8s; 1 is the published network, 134 million parameters (default: 0.25)")  # fmt: skip
    sub.add_argument("--rounds", type=int, default=10, metavar="N", help="(default: 10)")
    sub.add_argument("--json", action="store_true", help="for programs")
    sub.add_argument("--figure", type=Path, metavar="PNG", help="draw it too, as the paper's Fig. 4")
    sub.add_argument("--training", action="store_true", help="instead: how busy training keeps the processor")
    sub.add_argument("--data", metavar="FOLDER", help="for --training (default: $COVIDLAB_DATA, else the phantom)")
    sub.add_argument("--volume", type=Path, metavar="SCAN", help="instead: a scan, file to file, against its model")
    sub.add_argument("--weights", type=Path, metavar="F", help="for --volume (default: shipped weights)")

    sub = command(
        "export", _export, "write a model as ONNX or LiteRT, checked against Keras",
        "A float32 file that differs from Keras by more than 1e-4 is not kept. int8 is calibrated on slices of the\n"
        "cohort. Needs packages of the extra `export`.\n\n  covidlab export best.weights.h5 -o model.onnx\n"
        "  covidlab export RUN -o model.tflite --int8    its test part is scored in both forms",
    )  # fmt: skip
    sub.add_argument("weights", type=Path, metavar="WEIGHTS", help="best.weights.h5 of a run, or the run's folder")
    sub.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="ends in .onnx or .tflite")
    sub.add_argument("--int8", action="store_true", help="whole numbers of 8 bits inside; LiteRT only")
    sub.add_argument("--size", type=int, metavar="N", help="pixels a side of the slices it takes (default: the grid "
                     "that the weights were trained on)")  # fmt: skip
    sub.add_argument("--data", metavar="FOLDER", help="cohort to check and calibrate with (default: $COVIDLAB_DATA, "
                     "else the phantom)")  # fmt: skip
    return parser


def _run_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", metavar="FOLDER", help=f"{LAYOUT} (default: $COVIDLAB_DATA, else the phantom)")
    sub.add_argument("--cases", default="*", metavar="GLOB", help="only cases named like this, such as 'radiopaedia*'")
    sub.add_argument("--protocol", choices=("slice", "patient"), default="slice", help="(default: slice, the paper's)")
    sub.add_argument("--test-patients", default="", metavar="A,B",
                     help="hold these patients out (protocol patient; default: fold SEED of four)")  # fmt: skip
    sub.add_argument("--seed", type=int, default=0, help="of the split and of the training (default: 0)")
    sub.add_argument("--profile", choices=("lesson", "paper"), default="lesson",
                     help="lesson: 128 px; paper: 630 px, a GPU or patience (default: lesson)")  # fmt: skip
    sub.add_argument("--updates", type=int, metavar="N",
                     help="gradient steps (default: 1000 on the phantom, 7500 on other data)")  # fmt: skip
    sub.add_argument("--loss", metavar="NAME", help="cross_entropy, weighted_cross_entropy, focal, dice, tversky or\n"
                     "cross_entropy_and_dice (default: the last)")  # fmt: skip
    sub.add_argument("--negatives", metavar="RATIO", help="slices without lesion to train on for each one\n"
                     "with, or all (default: 0 as in the paper, 0.3 on the phantom)")  # fmt: skip
    sub.add_argument("--out", type=Path, metavar="DIR", help="(default: runs/DATA-PROTOCOL-seedN)")


def _phantom(options) -> None:
    from covidlab import cohorts, phantom

    folder = options.out or cohorts.data_home() / f"phantom-{options.profile}"
    with progress_bar("making the phantom") as progress:
        folder = phantom.write_cohort(folder, profile=options.profile, seed=options.seed, progress=progress)
    print(f"{folder}: look at it with `covidlab inspect {folder}`")


def _fetch(options) -> None:
    from covidlab import cohorts, record

    with progress_bar("downloading") as progress:
        folder = record.fetch_record(options.out or cohorts.data_home() / "covid19-ct-seg", progress=progress)
    print(f"{folder}: use it with COVIDLAB_DATA={folder} or --data {folder}")


def _inspect(options) -> int:
    from covidlab import doctor

    with progress_bar("inspecting") as progress:
        report = doctor.inspect_cohort(_cohort(options.folder, options.cases), progress)
    print(report.as_json() if options.json else report.as_text())
    broken = [case for case in report.cases if not case.usable]
    for case in broken:
        print(f"covidlab: {case.findings[0]}", file=sys.stderr)
    return 2 if broken else 0


def _cohort(source, cases: str, profile: str = "lesson"):
    from covidlab import cohorts

    with progress_bar("making the phantom") as progress:
        return cohorts.open_cohort(source, profile, progress).select(cases)


def _cache(options, cohort):
    from covidlab import experiment, slice_cache

    grid = experiment.GRIDS[options.profile]
    with progress_bar(f"slice cache at {grid} px") as progress:
        return slice_cache.open_slice_cache(cohort, grid, progress=progress)


def _config(options, model: str, cohort):
    from covidlab import experiment

    grid = experiment.GRIDS[options.profile]
    return experiment.Config(
        cohort=cohort.name, grid=grid, protocol=options.protocol, seed=options.seed, model=model,
        options=experiment.OPTIONS[options.profile].get(model, {}),
        test_patients=tuple(name for name in options.test_patients.split(",") if name),
        recipe=experiment.change_recipe(
            experiment.recipe_for(cohort.is_phantom, options.updates, model), options.loss, options.negatives
        ),
    )  # fmt: skip


def _run(config, cache, folder: Path):
    from covidlab import experiment

    with progress_bar(f"training {config.model}") as progress:
        return experiment.run_experiment(config, cache, folder, progress)


def _train(options) -> None:
    from covidlab import experiment

    cohort = _cohort(options.data, options.cases, options.profile)
    experiment.check_models([options.model])
    folder = options.out or Path("runs") / f"{cohort.name}-{options.protocol}-seed{options.seed}" / options.model
    config = _config(options, options.model, cohort)
    run = _run(config, _cache(options, cohort), folder)
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
    settings = {(run.config.cohort, run.config.protocol, run.config.grid, run.config.cases) for run in named.values()}
    if len(settings) > 1 or len(named) < len(options.run):
        what = "runs of different data, protocols or grids" if len(settings) > 1 else "the same model and seed twice"
        raise CovidlabError("RUN", what, "runs that differ in model or seed", "evaluate them one by one")


def _evaluate_fully(options, named) -> None:
    from covidlab import cohorts, results, run_report, slice_cache

    config = next(iter(named.values())).config
    profile = "paper" if config.cohort == "phantom-paper" else "lesson"
    with progress_bar("opening the cohort") as progress:
        cohort = cohorts.open_cohort(options.data, profile, progress).named(config.cases)
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

    model, info = weights_file.load_model(options.weights or weights_file.SHIPPED)
    cohort = _cohort(options.data, options.cases)
    with progress_bar("predicting") as progress:
        cache = slice_cache.open_slice_cache(cohort, info.grid, progress=progress)
        rows = run_report.weights_rows(run_report.judge_weights(model, info, cache, progress))
    title = f"{info.model} trained on {info.trained_on}, scored on {cohort.name}"
    print(f"{title}, threshold {info.threshold:g}")
    if info.trained_on.startswith(f"{cohort.name},"):
        print("CAUTION: trained on patients of this cohort; only those held out there tell about new patients")
    print(f"\n{results.markdown(rows)}")
    if options.table:
        provenance = results.Provenance.here(
            command=_repeatable(options), data=cohort.name, protocol="every slice of every case",
            grid=f"{info.grid} px", seeds="none: the weights are given",
        )  # fmt: skip
        note = f"Pooled pixels; threshold {info.threshold:g}, the weights' own."
        results.write_table(options.table, title, rows, provenance, note)
        print(f"\n{options.table}.md")


def _predict(options) -> None:
    from covidlab import prediction, weights_file

    model, info = weights_file.load_model(options.weights or weights_file.SHIPPED)
    print(f"{info.model}, {info.grid} px, threshold {info.threshold:g}, trained on {info.trained_on}")
    with progress_bar("segmenting") as progress:
        for done in prediction.predict_all(options.scan, options.out, model, info, progress, options.overlay):
            volume = "of unknown size" if done.millilitres is None else f"{done.millilitres:.1f} ml"
            share = done.positive_slices / done.slices
            print(f"{done.mask}: {done.positive_slices} of {done.slices} slices positive ({share:.0%}), "
                  f"{done.positive_voxels} voxels, {volume}")  # fmt: skip
            for finding in done.findings:
                print(f"  note: {finding}")


def _reproduce(options) -> None:
    from covidlab import comparison, experiment

    names = experiment.check_models(options.models.split(","))
    cohort = _cohort(options.data, options.cases, options.profile)
    folder = options.out or Path("runs") / f"{cohort.name}-{options.protocol}-seed{options.seed}"
    configs = {name: _config(options, name, cohort) for name in names}
    cache = _cache(options, cohort)
    runs = {name: _run(config, cache, folder / name) for name, config in configs.items()}
    _print_runs(runs)
    path = folder / "scores.json"
    experiment.write_json(path, experiment.summary(runs))
    comparison.write_figures(runs, cache, folder / "figures")
    print(f"\n{path}, and the paper's figures in {folder / 'figures'}")


def _study(options) -> int:
    from covidlab import experiment, results, studies

    if options.name == "list":
        for name, study in studies.STUDIES.items():
            print(f"{name}: {study.question}\n  paper, {study.paper}\n  variants: {', '.join(study.variants)}")
        return 0
    study = studies.find_study(options.name)
    variants = studies.choose(study, [name for name in options.variants.split(",") if name])
    seeds = _seeds(options.seeds) if options.seeds else [options.seed]
    cohort = _cohort(options.data, options.cases, options.profile)
    folder = options.out or Path("runs") / f"{cohort.name}-{options.protocol}-study" / options.name
    experiment.check_models([options.model])
    base, cache = _config(options, options.model, cohort), _cache(options, cohort)
    with progress_bar(options.name) as progress:
        rows = studies.run_variants(variants, base, cache, folder, seeds, progress, options.mirror)
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
    names |= {known.get("weights"): "WEIGHTS"}
    names |= {path: "/".join(path.parts[-2:]) for path in known.get("run", ())}
    for path, name in names.items():
        if path:
            words = [re.sub(rf"(^|=){re.escape(str(path))}/?$", rf"\g<1>{name}", word) for word in words]
    return shlex.join(words)


def _seeds(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",")]
    except ValueError as error:
        raise CovidlabError("--seeds", repr(text), "whole numbers with commas, such as 0,1,2", "correct it") from error


def _time(options) -> None:
    from covidlab import experiment, figures, paper, throughput, timing, weights_file
    from covidlab.models import MODELS

    default = "light_unet" if options.training else ",".join(MODELS)
    names = experiment.check_models((options.models or default).split(","))
    if options.volume or options.training:
        if options.volume:
            model, info = weights_file.load_model(options.weights or weights_file.SHIPPED)
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
    from covidlab import experiment, export, run_report, slice_cache, weights_file

    run = experiment.read_run(options.weights) if options.weights.is_dir() else None
    model, info = run.model() if run else weights_file.load_model(options.weights)
    export.check_target(options.out, options.int8)
    cohort = _cohort(options.data, "*")
    cohort = cohort.named(run.config.cases) if run else cohort
    cache = slice_cache.open_slice_cache(cohort, options.size or info.grid)
    slices = export.calibration_slices(cache)
    done = export.export_model(model, options.out, slices, options.int8, info.threshold)
    shape = (1, done.size, done.size, 1)
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
