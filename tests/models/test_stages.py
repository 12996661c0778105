from covidlab.models import fcn8s, light_unet
from covidlab.models.stages import stages_of
from covidlab.plots.network import topology_figure


def test_the_drawing_of_a_small_unet_can_be_checked_by_hand():
    stages = {stage.name: stage for stage in stages_of(light_unet(widths=(2, 3)))}
    assert list(stages) == [
        "down0_a", "down0_b", "pool0", "bottleneck_a", "bottleneck_b", "up0_grow", "up0_skip", "up0_a", "up0_b",
        "probability",
    ]  # fmt: skip
    assert [stage.stride for stage in stages.values()] == [1, 1, 2, 2, 2, 1, 1, 1, 1, 1]
    assert [stage.channels for stage in stages.values()] == [2, 2, 2, 3, 3, 2, 4, 2, 2, 1]
    assert stages["up0_skip"].inputs == ("up0_grow", "down0_b") and stages["down0_a"].inputs == ()


def test_a_pooling_carries_no_number_since_an_arrow_would_cross_it():
    (axes,) = topology_figure(light_unet(widths=(2, 3)), 128, "small").axes
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["2", "2", "3", "3", "2", "4", "2", "2", "1"]


def test_fcn_joins_by_sums_and_comes_back_to_full_size():
    stages = stages_of(fcn8s(width=1 / 64))
    assert [stage.kind for stage in stages].count("sum") == 2
    assert stages[-1].stride == 1 and max(stage.stride for stage in stages) == 32


def test_only_skips_are_dashed():
    """Two sums, two skips; an upsampling goes to its sum by a solid way, though a score layer lies between."""
    figure = topology_figure(fcn8s(width=1 / 64), 128, "FCN-8s")
    ways = [line.get_linestyle() for line in figure.axes[0].get_lines()]
    assert ways.count("--") == 2 and ways.count("-") == 2
