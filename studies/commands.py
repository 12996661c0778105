"""What each command of `python -m studies` does."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from covidlab import commands, tables
from covidlab.cli import LARGEST_SEED
from covidlab.cluster import MANIFEST, read_manifest, train_many
from covidlab.commands import config_of, print_runs, repeatable, run_cohort, run_of, write_table
from covidlab.data.cohorts import open_cohort
from covidlab.data.slices import grid_spacing, open_slice_cache
from covidlab.errors import CovidlabError
from covidlab.models.segmenter import open_segmenter
from covidlab.training.recipe import GRIDS
from covidlab.training.report import case_rows
from covidlab.training.runs import read_run, write_json
from studies import figures, folds, questions, runtimes
from studies.adaptation import adaptation_curve, adaptation_rows
from studies.report import report_rows, report_run
from studies.tables import over_seeds, summary, summary_over_seeds


def reproduce(options) -> None:
    names = options.models
    seeds = _whole_numbers("--seeds", options.seeds) if options.seeds else [options.seed]
    cohort = open_cohort(options.data, options.profile, options.cases)
    folder = options.out or Path("runs") / f"{cohort.name}-{options.protocol}"
    configs = {name: config_of(options, name, cohort) for name in names}
    cache = open_slice_cache(cohort, GRIDS[options.profile])
    if options.workers or options.scheduler:
        asked = options.data, options.profile, options.cases
        runs = [(*asked, replace(one, seed=seed), folder.absolute()) for seed in seeds for one in configs.values()]
        train_many(runs, options.workers or 0, options.scheduler or "")
    by_seed = {}
    for seed in seeds:
        place = folder if len(seeds) == 1 else folder / f"seed{seed}"
        by_seed[seed] = runs = {
            name: run_of(replace(config, seed=seed), cache, folder) for name, config in configs.items()
        }
        print_runs(runs)
        write_json(place / "scores.json", summary(runs))
        left_out = figures.write_figures(runs, cache, place / "figures")
        print(f"\n{place / 'scores.json'}, and the paper's figures in {place / 'figures'}")
        for name, reason in left_out.items():
            print(f"left out: {name}, since {reason}")
        print(f"judge it closer: python -m studies evaluate {runs[names[0]].folder} --full\n")
    if len(seeds) == 1:
        return
    found = summary_over_seeds(by_seed)
    for name in names:
        runs = [by_seed[seed][name] for seed in seeds]
        if held_out := folds.by_fold(runs, cache):
            table = folds.judge_held_out(held_out, cache)
            found.setdefault("held_out", {})[name] = folds.held_out_summary(table)
            title = f"{name}: {len(set(table.patients))} of {len(cohort.patients)} patients held out"
            note = "Every slice is judged by the fold that did not train on its patient, at that fold's threshold."
            if len(held_out) < len(runs):
                note += f" {folds.AVERAGED}"
            rows = case_rows(table)
            print(f"{title}\n\n{tables.markdown(rows)}\n")
            write_table(folder / f"held-out-{name}", title, rows, note, **provenance_of(options, runs[0].config, seeds))
    write_json(folder / "scores.json", found)
    print(folder / "scores.json")


def evaluate(options) -> None:
    if options.table and not options.full:
        raise CovidlabError("--table", "no --full", "both", "add --full: the table says more than scores.json knows")
    runs = [read_run(folder) for folder in options.run]
    several = len({run.config.model for run in runs}) < len(runs)
    named = {f"{run.config.model}, seed {run.config.seed}" if several else run.config.model: run for run in runs}
    _check_comparable(named, options)
    if options.full:
        _evaluate_fully(options, named)
    elif options.json:
        print(json.dumps(summary(named), indent=2))
    else:
        print_runs(named)


def _check_comparable(named, options) -> None:
    """Side by side stands only what was asked the same."""
    same = ("cohort", "protocol", "grid", "cases")
    settings = {tuple(getattr(run.config, name) for name in same) for run in named.values()}
    if len(settings) > 1 or len(named) < len(options.run):
        what = "runs of different data, protocols or grids" if len(settings) > 1 else "the same model and seed twice"
        raise CovidlabError("RUN", what, "runs that differ in model or seed", "evaluate them one by one")


def _evaluate_fully(options, named) -> None:
    config = next(iter(named.values())).config
    cohort = run_cohort(options.data, config)
    cache = open_slice_cache(cohort, config.grid)
    spacings = {case.name: grid_spacing(case, config.grid) for case in cohort.cases}
    reports = {name: report_run(run, cache, spacings) for name, run in named.items()}
    if options.table:
        by_model = {}
        for name, run in named.items():
            by_model.setdefault(run.config.model, []).append(reports[name])
        note = "The test part of each run, at the threshold that its validation part chose. Mean of the seeds, in "
        note += "brackets the range."
        source = provenance_of(options, config, [run.config.seed for run in named.values()])
        title = "The test part, judged in every way"
        tables.write_table(options.table, title, over_seeds(by_model), note, **source)
    if options.json:
        print(json.dumps(reports if len(reports) > 1 else next(iter(reports.values())), indent=2))
        return
    for name, found in reports.items():
        print(f"{name}: {found['setting']}, threshold {found['threshold']:g}\n{found['leak']}\n")
        print(tables.markdown(report_rows(found)))
        print(f"\n{named[name].folder / 'evaluation.json'}, {named[name].folder / 'slices.csv'}\n")


def study(options) -> int:
    if options.name == "list":
        for name, study in questions.STUDIES.items():
            print(f"{name}: {study.question}\n  paper, {study.paper}\n  variants: {', '.join(study.variants)}")
        return 0
    study = questions.find_study(options.name)
    variants = questions.choose(study, [name for name in options.variants.split(",") if name])
    seeds = _whole_numbers("--seeds", options.seeds) if options.seeds else [options.seed]
    cohort = open_cohort(options.data, options.profile, options.cases)
    folder = options.out or Path("runs") / f"{cohort.name}-{options.protocol}-study" / options.name
    base, cache = config_of(options, options.model, cohort), open_slice_cache(cohort, GRIDS[options.profile])
    table = questions.study_table(questions.run_variants(variants, base, cache, folder, seeds))
    note = (
        f"Paper, {study.paper}. Each variant: {options.model} unless it says otherwise, {base.recipe.updates:,} "
        "updates. Pooled over all pixels of a part; mean of the seeds, in brackets the range."
    )
    stem = folder / options.name
    tables.write_table(stem, study.question, table, note, **provenance_of(options, base, seeds))
    print(f"{study.question}\n\n{tables.markdown(table)}\n\n{stem}.md")
    return 0


def compare(options) -> None:
    recipes = folds.read_recipes(options.folder)
    rows = folds.compare_rows(recipes)
    print(tables.markdown(rows))
    if options.table:
        names, scores = zip(*recipes)
        found, seeds = scores[0], [", ".join(map(str, one["seeds"])) for one in scores]
        note = "Every slice is judged by the fold that did not train on its patient, at that fold's threshold; pooled."
        if len(set(seeds)) > 1:
            note += f" {folds.AVERAGED}"
        write_table(
            options.table, "What helps on patients never seen", rows, note,
            command=f"python -m studies compare {' '.join(names)} --table STEM",
            data=found["data"], protocol=found["protocol"], grid=f"{found['grid']} px",
            seeds=seeds[0] if len(set(seeds)) == 1 else "; ".join(map(": ".join, zip(names, seeds))),
        )  # fmt: skip


def adapt(options) -> None:
    runs = [read_run(folder) for folder in options.run]
    numbers = sorted({0, *_whole_numbers("--slices", options.slices)})
    same = {(run.config.cases, run.config.grid) for run in runs}
    if len(same) > 1 or any(run.config.protocol != "patient" for run in runs):
        raise CovidlabError(
            "RUN", "runs of protocol slice, or of different cases or grids", "folds of one cohort, protocol patient",
            "make them with `python -m studies reproduce --protocol patient --seeds 0,1,2,3`",
        )  # fmt: skip
    cohort = run_cohort(options.data, runs[0].config)
    cache = open_slice_cache(cohort, runs[0].config.grid)
    if len(runs) > 1 and len(folds.by_fold(runs, cache)) < len(runs):
        raise CovidlabError("RUN", "two runs that test the same patient", "each patient once", "name one of them")
    curves, left_out = {}, []
    for run in runs:
        segmenter, test = run.segmenter, run.config.split(cache).test
        for patient in dict.fromkeys(cache.patients[test].tolist()):
            slices = test[cache.patients[test] == patient]
            # Twice the largest number, so that there is something left to score.
            if cache.positive[slices].sum() < 2 * max(numbers):
                left_out.append(patient)
                continue
            curves[patient] = adaptation_curve(segmenter, cache, slices, numbers, options.seed)
    if not curves:
        raise CovidlabError("--slices", f"no test patient with {2 * max(numbers)} positive slices", "at least one",
                            "ask for fewer slices")  # fmt: skip
    rows = adaptation_rows(curves)
    note = "F1 on the slices of each held-out patient that no column annotates; threshold as it was."
    if left_out:
        note += f" Left out, with too few positive slices: {', '.join(left_out)}."
    print(f"{runs[0].config.sentence}\n{note}\n\n{tables.markdown(rows)}")
    source = provenance_of(options, runs[0].config, [run.config.seed for run in runs])
    write_table(options.table, "Annotated slices of a new patient", rows, note, **source)


def throughput(options) -> None:
    found = runtimes.volume_time(options.volume, open_segmenter(options.weights))
    print(json.dumps([asdict(found)], indent=2) if options.json else found.sentence)


def workers(options) -> None:
    told = read_manifest(options.manifest).values()
    seconds = np.array([one["seconds"] for one in told if isinstance(one.get("seconds"), float)])
    if not seconds.size:
        remedy = "make one with `covidlab predict --workers`"
        raise CovidlabError(options.manifest, "no scan that was done", f"a {MANIFEST}", remedy)
    seconds *= (options.seconds[0] or seconds.mean()) / seconds.mean()
    low, high = np.percentile(seconds, (5, 95))
    print(f"{len(seconds)} scans of {seconds.mean():.2f} s in the mean (5 to 95 %: {low:.2f} to {high:.2f} s), drawn "
          f"{options.scans:,} times for {options.workers} workers\n")  # fmt: skip
    found = {life: runtimes.simulate_workers(seconds, options.scans, options.workers, life) for life in options.lives}
    print(tables.markdown([
        {"a worker lives": "for ever" if life == float("inf") else f"{life:g} s", "hours": f"{one.seconds / 3600:.2f}",
         "ideal": f"{one.ideal / 3600:.2f}", "workers killed over a scan": f"{one.killed:,}",
         "work lost": f"{one.lost:.1%}", "scans set apart": f"{one.apart:,}"} for life, one in found.items()
    ]))  # fmt: skip


def time(options) -> None:
    commands.time(options, runtimes.WITH_OPENVINO)


def provenance_of(options, config, seeds) -> dict[str, str]:
    """Where a table's numbers come from: this command, and the setting that its runs share."""
    return {
        "command": repeatable(options), "data": config.cohort, "protocol": config.protocol,
        "grid": f"{config.grid} px", "seeds": ", ".join(dict.fromkeys(map(str, seeds))),
    }  # fmt: skip


def _whole_numbers(option: str, text: str) -> list[int]:
    expected = "whole numbers with commas, each once, such as 0,1,2"
    try:
        found = [int(one) for one in text.split(",")]
    except ValueError as error:
        raise CovidlabError(option, repr(text), expected, "correct it") from error
    if len(set(found)) < len(found) or min(found) < 0 or max(found) > LARGEST_SEED:
        raise CovidlabError(option, repr(text), expected, "correct it")
    return found
