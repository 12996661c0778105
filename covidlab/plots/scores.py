"""Plots of trainings and scores: histories, bars, curves, times."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from covidlab import paper
from covidlab.evaluation.counts import PAPER_SCORES, Counts
from covidlab.plots.style import MODEL_COLOURS, PART_COLOURS, SMALL, TITLE, new_figure

FORM_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")


def history_figure(history: Sequence, title: str) -> Figure:
    """Loss and validation F1 over the updates of a run's `history`, with the epoch that was kept."""
    figure, ((loss, score),) = new_figure(2, 1, 4.0, 2.9)
    updates = [epoch.updates for epoch in history]
    loss.plot(updates, [epoch.loss for epoch in history], color="0.2")
    loss.set(xlabel="updates", ylabel="training loss", ylim=(0, None))
    values = [epoch.validation_f1 for epoch in history]
    kept = int(np.argmax(values))
    score.plot(updates, values, color="0.2")
    score.plot(updates[kept], values[kept], "o", color="black", label=f"kept: {values[kept]:.2f}")
    score.set(xlabel="updates", ylabel="validation F1", ylim=(0, 1))
    score.legend(frameon=False, loc="lower right")
    figure.suptitle(title, fontsize=TITLE)
    return figure


def scores_figure(counts: Mapping[str, Counts], title: str, scores: Sequence[str] = PAPER_SCORES) -> Figure:
    """The paper's Figs. 5 and 6 for one model: scores on the parts train, validation and test."""
    figure, ((axes,),) = new_figure(1, 1, 6.5, 3.0)
    names = [score.replace("f1", "F1") for score in scores]
    _draw_bars(axes, names, {part: [getattr(one, score) for score in scores] for part, one in counts.items()}, 8)
    axes.set_ylabel("score, pooled pixels")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)
    axes.set_title(title, fontsize=TITLE)
    return figure


def compare_scores_figure(counts: Mapping[str, Mapping[str, Counts]], scores: Sequence[str], title: str) -> Figure:
    """The paper's Fig. 5 (precision and recall) or Fig. 6 (accuracy and F1): models side by side, part by part.

    `counts` are by model and part, `scores` names of `covidlab.evaluation.counts.PAPER_SCORES`.
    """
    figure, (row,) = new_figure(len(scores), 1, 4.6, 3.1)
    for axes, score in zip(row, scores):
        values = {part: [getattr(parts[part], score) for parts in counts.values()] for part in PART_COLOURS}
        # All accuracies look alike with fewer digits; that is what class imbalance does to them.
        _draw_bars(axes, counts, values, 7, digits=3 if score == "accuracy" else 2)
        axes.set_ylabel(f"{score.replace('f1', 'F1')}, pooled pixels")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    figure.suptitle(title, fontsize=TITLE)
    return figure


def _draw_bars(axes, names, values: Mapping[str, Sequence[float]], fontsize: int, digits: int = 2) -> None:
    """A group of bars for each name, in it a bar for each part, which has a value for each name."""
    for offset, (part, heights) in zip((-0.27, 0.0, 0.27), values.items()):
        bars = axes.bar(np.arange(len(names)) + offset, heights, 0.25, color=PART_COLOURS[part], label=part)
        axes.bar_label(bars, fmt=f"%.{digits}f", fontsize=fontsize)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 1.12)


def precision_recall_figure(curves: Mapping[str, Sequence[Counts]], chosen: Mapping[str, Counts], title: str) -> Figure:
    """Precision against recall as the threshold moves, a line a model; the dot is the threshold chosen on validation.

    Grey lines join points of equal F1.
    """
    figure, ((axes,),) = new_figure(1, 1, 4.6, 4.2)
    recall = np.linspace(0.01, 1, 200)
    for f1 in (0.2, 0.4, 0.6, 0.8):
        with np.errstate(divide="ignore"):
            precision = f1 * recall / (2 * recall - f1)
        line = (precision > 0) & (precision <= 1)
        axes.plot(recall[line], precision[line], color="0.8", linewidth=0.8, zorder=0)
        axes.text(1.01, f1 / (2 - f1), f"F1 {f1}", color="0.5", fontsize=8, va="center")
    # A fifth line has the first colour again, in another style.
    colours, styles = cycle(MODEL_COLOURS), cycle(("-", "--", "-.", ":", (0, (1, 3))))
    for (name, counts), colour, style in zip(curves.items(), colours, styles):
        points = [(one.recall, one.precision) for one in counts if one.tp + one.fp]
        axes.plot(*zip(*points), color=colour, linestyle=style, label=name)
        axes.plot(chosen[name].recall, chosen[name].precision, "o", color=colour)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall, pooled pixels", ylabel="precision, pooled pixels")
    axes.legend(frameon=False, loc="lower left", fontsize=SMALL)
    axes.set_title(title, fontsize=TITLE)
    return figure


def time_figure(seconds: Mapping[str, Mapping[str, tuple[float, float, float]]], title: str) -> Figure:
    """The paper's Fig. 4: time per slice, a group of horizontal bars a model, a bar each form it was run in.

    `seconds` holds lower quartile, median and upper quartile by model and form; the line at a bar's end spans the
    quartiles. The paper's own range is a band.
    """
    forms = list(dict.fromkeys(form for times in seconds.values() for form in times))
    rows = sum(len(times) for times in seconds.values()) + len(seconds)
    figure, ((axes,),) = new_figure(1, 1, 7.5, 1.1 + 0.19 * rows)
    low, high = paper.SECONDS_PER_SLICE
    axes.axvspan(1e3 * low, 1e3 * high, color="0.6", alpha=0.5, zorder=3, label="the paper's range")
    place, ticks = 0.0, []
    for times in seconds.values():
        first = place
        for form, (low, median, high) in times.items():
            colour = FORM_COLOURS[forms.index(form) % len(FORM_COLOURS)]
            label = form if form not in axes.get_legend_handles_labels()[1] else None
            axes.barh(place, 1e3 * median, 0.9, color=colour, label=label)
            axes.plot([1e3 * low, 1e3 * high], [place, place], color="black", linewidth=1.2)
            axes.annotate(
                f"{1e3 * median:.3g}", (1e3 * max(median, high), place), (4, 0), textcoords="offset points",
                fontsize=8, va="center",
            )  # fmt: skip
            place += 1
        ticks.append((first + place - 1) / 2)
        place += 1
    axes.set_yticks(ticks, seconds.keys())
    axes.invert_yaxis()
    axes.set(xlabel="time per slice, ms", xlim=(0, 1.1 * axes.get_xlim()[1]))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    axes.set_title(title, fontsize=TITLE)
    return figure
