"""What each command of `covidlab` does: a few lines over the package, and what it prints.

Each imports what it needs when it runs: TensorFlow takes seconds, and `inspect` and `fetch` need none of it.
"""

import json
import shlex
import shutil
import sys
from dataclasses import asdict, replace
from importlib.metadata import files
from pathlib import Path

from covidlab import paper, tables
from covidlab.data.cohorts import open_cohort
from covidlab.data.scans import SCAN, is_single_scan
from covidlab.data.slices import open_slice_cache
from covidlab.errors import CovidlabError, require, writable
from covidlab.weights import DEFAULT, SHIPPED, find_weights, licence_of


def lab(options) -> None:
    """Copy the notebooks that the wheel carries into a folder, and open them in JupyterLab."""
    installed = files("covidlab") or ()
    carried = sorted(file.locate() for file in installed if file.match("share/covidlab/notebooks/*.ipynb"))
    if not carried:
        raise CovidlabError("covidlab lab", "a checkout", "an installed wheel", "type `python lab.py` in its folder")
    require("covidlab lab", "notebooks", "jupyterlab", "tensorflow", "pydicom")
    with writable(options.folder):
        options.folder.mkdir(parents=True, exist_ok=True)
        for path in (one for one in carried if not (options.folder / one.name).exists()):  # a reader's own work stays
            shutil.copyfile(path, options.folder / path.name)
    from jupyterlab import labapp

    print(f"{len(carried)} notebooks in {options.folder}; what you changed there is as you left it")
    start = f"--LabApp.default_url=/lab/tree/{carried[0].name}"
    labapp.main([f"--ServerApp.root_dir={options.folder.resolve()}", start, *options.jupyter])


def phantom(options) -> None:
    """Make a synthetic cohort."""
    from covidlab.data import folders
    from covidlab.phantom import writing

    folder = options.out or folders.phantom_folder(options.profile, options.seed)
    writing.write_cohort(folder, profile=options.profile, seed=options.seed)
    print(f"{folder}: look at it with `covidlab inspect {folder}`")


def fetch(options) -> None:
    """Download the published record."""
    from covidlab.data import download, folders

    folder = download.fetch_record(options.out or folders.data_home() / "covid19-ct-seg")
    print(f"{folder}: use it with COVIDLAB_DATA={folder} or --data {folder}")


def inspect(options) -> int:
    """Look at a cohort or a scan; 2 if a file cannot be used."""
    from covidlab.data import inspection

    scan = options.folder and Path(options.folder).expanduser()
    if options.folder not in (None, "phantom") and not scan.exists():
        raise CovidlabError(options.folder, "nothing of that name", f"a cohort's folder, {SCAN}", "check the path")
    if scan and is_single_scan(scan):
        report = inspection.inspect_scan(scan)
    else:
        report = inspection.inspect_cohort(open_cohort(options.folder, cases=options.cases))
    print(report.as_json() if options.json else report.as_text())
    broken = [case for case in report.cases if not case.usable]
    for case in broken:
        print(f"covidlab: {case.findings[0]}", file=sys.stderr)
    return 2 if broken else 0


def config_of(options, model: str, cohort):
    """What a run of a model is asked, in the words of the command line."""
    from covidlab.training.recipe import GRIDS, OPTIONS, Config, Recipe, recipe_for

    recipe = recipe_for(cohort.is_phantom, options.updates, model)
    asked = {name: value for name, value in vars(options).items() if name in Recipe.__dataclass_fields__}
    return Config(
        cohort=cohort.name, grid=GRIDS[options.profile], protocol=options.protocol, seed=options.seed,
        model=model, options=OPTIONS[options.profile].get(model, {}),
        recipe=replace(recipe, **asked | {"updates": recipe.updates}),
        test_patients=tuple(name for name in options.test_patients.split(",") if name),
    )  # fmt: skip


def run_of(config, cache, folder: Path):
    """Train as asked, or read what was trained before, in a folder of runs; it gets pictures, too."""
    from covidlab.plots import scores, style
    from covidlab.training import runs

    run = runs.run_experiment(config, cache, folder)
    style.save(scores.history_figure(run.history, config.sentence), run.folder / "figures" / "history.png")
    title = f"{config.model}: {config.sentence}"
    style.save(scores.scores_figure(run.counts, title), run.folder / "figures" / "scores.png")
    return run


def print_runs(runs) -> None:
    """Scores of runs, after what they must be read with."""
    sentences = dict.fromkeys(run.config.sentence for run in runs.values())
    print("\n".join(sentences), "pooled over all pixels of a part", sep="; ")
    print(*dict.fromkeys(run.leak for run in runs.values()), sep="\n", end="\n\n")
    print(tables.markdown([
        {"model": name, "part": part} | {key.replace("f1", "F1"): f"{value:.3f}" for key, value in scores.items()}
        for name, run in runs.items() for part, scores in run.scores.items()
    ]))  # fmt: skip


def train(options) -> None:
    """Train one model and score it."""
    from covidlab.training.recipe import GRIDS

    cohort = open_cohort(options.data, options.profile, options.cases)
    cache = open_slice_cache(cohort, GRIDS[options.profile])
    run = run_of(config_of(options, options.model, cohort), cache, options.out or Path("runs"))
    print_runs({options.model: run})
    print(f"\n{run.folder}")


def score(options) -> None:
    """Score weights on a cohort, case by case."""
    from covidlab.models.segmenter import open_segmenter
    from covidlab.models.weights_file import read_info

    info = read_info(find_weights(options.weights))  # what is wrong with these is said before TensorFlow's seconds
    cohort = open_cohort(options.data, cases=options.cases)
    from covidlab.training import report

    segmenter = open_segmenter(options.weights)
    cache = open_slice_cache(cohort, info.grid)
    seen = [case.name for case in cohort.cases if info.has_seen(case.name, case.patient)]
    alone, within = report.judge_weights(segmenter, cache)
    rows = report.case_rows(alone, seen, within)
    title = f"{info.model} trained on {info.trained_on}, scored on {cohort.name}"
    print(f"{title}, threshold {info.threshold:g}")
    if not info.seen:
        print("CAUTION: these weights do not say which cases they have seen")
    elif seen:
        print(f"CAUTION: {len(seen)} of these {len(cohort.cases)} cases are of patients seen in training or "
              "validation, and say nothing of new ones; they are marked")  # fmt: skip
    print(f"\n{tables.markdown(rows)}")
    write_table(
        options.table, title, rows, f"Pooled pixels; threshold {info.threshold:g}, their own.",
        command=repeatable(options), data=cohort.name, protocol="every slice of every case",
        grid=f"{info.grid} px", seeds="none: the weights are given",
    )  # fmt: skip


def predict(options) -> int | None:
    """Segment scans."""
    from covidlab.models import segment
    from covidlab.models.segmenter import open_segmenter

    pairs = segment.scan_pairs(options.scan, options.out)  # before anything slow
    if options.workers or options.scheduler:
        return predict_on_workers(options, pairs)
    segmenter = open_segmenter(options.weights, quick=True)
    info, licence = segmenter.info, licence_of(find_weights(options.weights))
    if options.overlay:
        from covidlab.plots import overlay
    look = overlay.draw_overlay if options.overlay else None
    predictions = segment.predict_all(pairs, segmenter, look)
    if options.json:
        about = {key: value for key, value in asdict(info).items() if key != "seen"}
        for done in predictions:
            drawn = {"overlay": overlay.overlay_path(done.mask) if options.overlay else None}
            print(json.dumps(asdict(done) | drawn | {"weights": about, "licence": licence}, default=str), flush=True)
        return
    print(f"{options.weights or DEFAULT}: {info.model}, {info.grid} px, threshold {info.threshold:g}")
    print(f"trained on {info.trained_on}")
    if licence:
        print(f"weights: {licence}; teaching material, not a medical device")
    for done in predictions:
        volume = "of unknown size" if done.millilitres is None else f"{done.millilitres:.1f} ml"
        positive = done.positive_slices / done.slices
        print(f"{done.mask}: {done.positive_slices} of {done.slices} slices positive ({positive:.0%}), "
              f"{done.positive_voxels} voxels, {volume}")  # fmt: skip
        if done.involvement:
            shares = ", ".join(f"{side} lung {share:.1%}" for side, share in done.involvement.items())
            print(f"  lung involvement, the share that is marked: {shares}")
        if done.predicted_f1:
            print("  predicted F1 {:.2f} (90 %: {:.2f} to {:.2f})".format(*done.predicted_f1))
        if options.overlay:
            print(f"  drawn: {overlay.overlay_path(done.mask)}")
        if done.seen:
            print("  CAUTION: by the scan's name these weights were trained or chosen on this patient; on a new one "
                  "expect worse")  # fmt: skip
        for finding in done.findings:
            print(f"  note: {finding}")


def predict_on_workers(options, pairs) -> int:
    """Segment the scans of a folder on workers; 2 if any has no mask now."""
    from covidlab import cluster

    if options.scan.is_file() or is_single_scan(options.scan):
        raise CovidlabError(options.scan, "one scan", "a folder of scans for workers", "leave --workers out")
    options.goes_on = True
    counts, seen = dict.fromkeys(("done", "kept", "failed"), 0), 0
    manifest = options.out / cluster.MANIFEST
    asked = (options.weights, options.workers or 0, options.scheduler or "", options.overlay)
    for told in cluster.predict_many(pairs, manifest, *asked):
        counts[told["state"]] += 1
        seen += told.get("seen", False)
        if options.json:
            print(json.dumps(told), flush=True)
        if told["state"] == "failed":
            print(f"covidlab: {told['error']}", file=sys.stderr)
    if not options.json:
        print(f"{len(pairs)} scans: {counts['done']} segmented, {counts['kept']} were done before, "
              f"{counts['failed']} failed; {manifest} has a line for each")  # fmt: skip
        if seen:
            print(f"CAUTION: by their names these weights were trained or chosen on the patients of {seen} of "
                  f"{len(pairs)} scans; on new ones expect worse")  # fmt: skip
    return 2 if counts["failed"] else 0


def time(options, known=None) -> None:
    """Time a slice, in the forms of `covidlab.beyond.timing` or in those given."""
    from covidlab.beyond import timing
    from covidlab.plots import scores, style

    known = known or timing.FORMS
    threads = timing.resolve_threads(options.threads.split(","))
    models = {name: {"width": options.width} if name == "fcn8s" else {} for name in options.models}
    found = timing.time_models(models, options.size, threads, options.rounds, tuple(known), known)
    as_text = f"{found.setting}\n\n{tables.markdown(found.time_rows())}"
    print(json.dumps(asdict(found), indent=2) if options.json else as_text, flush=True)  # before a file that may fail
    if options.figure:
        title = f"one slice of {options.size} x {options.size}, {threads[-1]} threads; {found.machine}"
        style.save(scores.time_figure(found.bars(threads[-1]), title), options.figure)
    write_table(
        options.table, "Time per slice", found.time_rows(), found.setting, command=repeatable(options),
        data="none: fresh weights, a slice of noise", protocol="none", grid=f"{options.size} px", seeds="none",
    )  # fmt: skip


def export(options) -> None:
    """Write a model in another form."""
    from covidlab.models.exported import check_target, open_exported, predict_exported
    from covidlab.models.weights_file import read_info

    check_target(options.out, options.int8)
    read_info(find_weights(options.weights))  # this, too, before TensorFlow's seconds
    cohort = None if Path(options.weights).is_dir() else open_cohort(options.data)
    from covidlab.beyond import export
    from covidlab.evaluation.counts import count
    from covidlab.models.segmenter import open_segmenter
    from covidlab.training import runs

    run = None if cohort else runs.read_run(Path(options.weights))
    segmenter = run.segmenter if run else open_segmenter(options.weights)
    info = segmenter.info
    cache = open_slice_cache(cohort or run_cohort(options.data, run.config), options.size or info.grid)
    slices = export.calibration_slices(cache)
    done = export.export_model(segmenter.network, options.out, slices, options.int8, info)
    print(f"{done.path}: {done.form}, {done.bytes / 1e6:.2f} MB, takes float32 {(1, *slices.shape[1:])} in 0..1")
    print(
        f"  against Keras on {done.slices} slices of {cache.cohort}: probabilities differ by up to "
        f"{done.largest_difference:.1e}, {done.changed:.2%} of pixels fall on the other side of {info.threshold:g}"
    )
    if run and done.size == info.grid:
        test = run.config.split(cache).test
        found = predict_exported(open_exported(done.path), cache.images[test])
        f1 = count(cache.masks[test], segmenter.mark(found)).f1
        print(f"  {run.config.sentence}: F1 on test {run.counts['test'].f1:.4f} in Keras, {f1:.4f} in the file")


def run_cohort(source, config):
    """The cohort that a run was made with: exactly its cases."""
    profile = "paper" if config.grid == paper.SLICE_SIZE else "lesson"
    return open_cohort(source, profile, config.cases)


# --- measured tables


def write_table(stem: Path | None, title: str, rows, note: str, **source: str) -> None:
    """Write a table if a stem is given, and say where."""
    if stem:
        tables.write_table(stem, title, rows, note, **source)
        print(f"\n{stem}.md", file=sys.stderr)


def repeatable(options) -> str:
    """The command as it was given, without the paths of this machine."""
    names = {"--data": "FOLDER", "--out": "DIR", "-o": "DIR", "--table": "STEM", "--figure": "PNG"}
    if str(getattr(options, "weights", None)) not in SHIPPED:
        names["--weights"] = "WEIGHTS"
    places = {str(path): "/".join(path.parts[-2:]) for path in getattr(options, "run", ())}
    words = [places.get(word.rstrip("/"), word) for word in options.words]
    for k, word in enumerate(words):
        option, glued, _ = word.partition("=")
        if option in names:
            words[k if glued else k + 1] = f"{option}={names[option]}" if glued else names[option]
    return shlex.join(words)
