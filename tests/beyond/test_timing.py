import os

import numpy as np
import pytest

from covidlab._tensorflow import keras
from covidlab.beyond import timing
from covidlab.beyond.times import FormTime, ModelFacts, Spread, Timing, peak_gflops
from covidlab.beyond.timing import resolve_threads
from covidlab.errors import CovidlabError
from covidlab.models import light_unet
from covidlab.models.stages import gflop_per_slice
from covidlab.plots.scores import time_figure
from covidlab.tables import markdown

layers = keras.layers


def one_layer(layer, maps=1):
    inputs = keras.Input((None, None, maps))
    return keras.Model(inputs, layer(inputs))


def test_operations_equal_the_count_by_hand():
    """Two for each weight at each place."""
    for layer, operations in [
        (layers.Conv2D(5, 3, padding="same"), 2 * 45 * 64),  # 3 x 3 x 1 x 5 weights at the 8 x 8 pixels that come out
        (layers.Conv2D(5, 3), 2 * 45 * 36),
        (layers.Conv2D(5, 3, strides=2, padding="same"), 2 * 45 * 16),
        (layers.Conv2DTranspose(5, 2, strides=2), 2 * 20 * 64),  # 2 x 2 x 1 x 5 weights at the 8 x 8 that go in
        (layers.MaxPooling2D(), 0),
    ]:
        assert gflop_per_slice(one_layer(layer), 8) * 1e9 == pytest.approx(operations)
    network = light_unet()
    assert gflop_per_slice(network, 630) == gflop_per_slice(network, 640) == pytest.approx(9.45, abs=0.005)


def test_all_threads_are_the_processors_of_this_process_and_none_is_measured_twice(monkeypatch):
    monkeypatch.setattr(timing.os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    assert resolve_threads(["1", "2", "all"]) == [1, 2]
    for words in (["0"], ["many"], ["1.5"]):
        with pytest.raises(CovidlabError, match="numbers above 0"):
            resolve_threads(words)


def by_hand():
    return Timing(
        "a machine", "tensorflow 2", 0.1, 630, 10,
        (ModelFacts("nano_unet", 121_089, 1.81, 580_000, {"model.onnx": 490_000}),),
        {2: Spread(0.4, 0.4, 0.5)},
        (FormTime("nano_unet", "compiled call", 2, 0.25, Spread(0.009, 0.01, 0.0115), 0.02, 0.527),),
        {"LiteRT": "not installed: pip install ai-edge-litert"},
    )  # fmt: skip


def test_the_tables_hold_what_was_measured_and_name_what_was_not():
    assert Spread.of([5, 1, 3, 2, 4]) == Spread(2, 3, 4)
    assert peak_gflops(by_hand().products[2]) == pytest.approx(2 * 4096**3 / 0.4e9)
    lines = [*by_hand().setting.splitlines(), *markdown(by_hand().time_rows()).splitlines()]
    assert "| 2 | 0.400 (0.400-0.500) | 344 |" in lines
    assert "| nano_unet | compiled call | 2 | 0.25 | 10.0 (9.0-11.5) | 0.020 | 53% |" in lines
    assert "| nano_unet | 121,089 | 1.81 | 0.58 | 0.49 |" in lines
    assert "Not measured: LiteRT (not installed: pip install ai-edge-litert)." in lines
    tables = [line for line in lines if line.startswith("|")]
    for start in (0, 3, 6):
        assert len({line.count("|") for line in tables[start : start + 3]}) == 1


def test_models_are_timed_in_a_process_of_their_own_in_the_wanted_forms_that_are_installed(monkeypatch):
    monkeypatch.setattr(timing, "missing_packages", lambda *imports: list(imports))
    monkeypatch.setattr(timing, "PRODUCT_SIDE", 64)
    forms = ("compiled call", "LiteRT")
    found = timing.time_models({"nano_unet": {"widths": (2, 3)}}, 20, [1], 2, forms)
    assert [(row.model, row.form, row.threads) for row in found.times] == [("nano_unet", "compiled call", 1)]
    assert found.missing == {"LiteRT": "not installed: pip install ai_edge_litert"}
    assert all(0 < row.seconds.low <= row.seconds.median <= row.seconds.high for row in found.times)
    assert found.models[0].bytes > 0 and not found.models[0].exported_bytes
    assert set(found.bars(1)["nano_unet"]) == {"compiled call"}


def test_multiples_and_shares_follow_from_each_rounds_own_product(monkeypatch):
    key = ("light_unet", "compiled call")

    def measured(*job):
        yield {key: 1.5}
        yield {"product": 1.0, key: 0.5}
        yield {"product": 3.0, key: 0.3}

    monkeypatch.setattr(timing, "_from_own_process", measured)  # the test above has the real one
    found = timing.time_models({"light_unet": {"widths": (2, 3)}}, 16, [1, 2], 2, ("compiled call",))
    assert [row.threads for row in found.times] == [1, 2]
    row = found.times[0]
    assert (row.cold, row.seconds.median, row.multiple) == pytest.approx((1.5, 0.4, (0.5 + 0.1) / 2))
    assert row.share == pytest.approx((found.models[0].gflop / 0.4) / (2 * 4096**3 / 1e9 / 2.0))


def test_a_process_that_dies_is_told_with_its_status(monkeypatch):
    monkeypatch.setattr(timing, "_measure", os._exit)
    with pytest.raises(CovidlabError, match="3 threads: found a measurement that ended with status"):
        list(timing._from_own_process(3, 1))


def test_the_figure_has_a_bar_for_each_form_of_each_model():
    times = {"a": {"predict": (0.1, 0.2, 0.3), "compiled call": (0.1, 0.1, 0.1)}, "b": {"predict": (0.01, 0.02, 0.02)}}
    axes = time_figure(times, "title").axes[0]
    assert [bar.get_width() for container in axes.containers for bar in container] == pytest.approx([200, 100, 20])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    shown = axes.get_legend_handles_labels()[1]
    assert shown == ["the paper's range", "predict", "compiled call"] and np.isfinite(axes.get_xlim()).all()
