import numpy as np
import pytest

from covidlab import paper
from covidlab.models import light_unet, nano_unet
from covidlab.models.networks import save_weights
from covidlab.models.stages import gflop_per_slice
from covidlab.models.weights_file import WeightsInfo


def parameters_by_hand(widths, up_widths=None):
    """What the course counts on paper: a 3 x 3 convolution has 9 in out + out parameters."""

    def convolution(inputs, outputs):
        return 9 * inputs * outputs + outputs

    *levels, deepest = widths
    inputs = [1, *levels]
    down = sum(convolution(inputs[k], width) + convolution(width, width) for k, width in enumerate(levels))
    # The bottleneck has no bias, but four numbers a channel from each batch normalisation.
    bottleneck = 9 * levels[-1] * deepest + 9 * deepest * deepest + 2 * 4 * deepest
    up, rising = 0, up_widths or levels
    for above, width, skip in zip([*rising[1:], deepest], rising, levels):
        up += 4 * above * width + width + convolution(skip + width, width) + convolution(width, width)
    return down + bottleneck + up + rising[0] + 1


def test_parameters_equal_the_count_by_hand():
    for widths in ((8, 16, 32, 64, 128), (3, 5, 7)):
        assert light_unet(widths=widths).count_params() == parameters_by_hand(widths)
    assert parameters_by_hand((8, 16, 32, 64, 128)) == 486_441


def test_the_way_up_may_be_narrower_where_skips_concatenate():
    assert light_unet((4, 8, 16), up_widths=(2, 3)).count_params() == parameters_by_hand((4, 8, 16), (2, 3))
    for wrong in ({"up_widths": (2,)}, {"up_widths": (2, 3), "join": "sum"}):
        with pytest.raises(ValueError, match="the way up has 2 levels"):
            light_unet((4, 8, 16), **wrong)


def test_probabilities_have_the_slices_own_size():
    model = light_unet(widths=(2, 3, 4, 5, 6))
    for shape in ((2, 37, 53, 1), (1, 16, 1, 1), (1, 32, 64, 1)):
        probabilities = model(np.random.default_rng(0).random(shape, np.float32)).numpy()
        assert probabilities.shape == shape
        assert probabilities.min() >= 0 and probabilities.max() <= 1


def test_padding_is_with_air_and_does_not_move_the_answer():
    model = light_unet(widths=(2, 3, 4))
    small = np.random.default_rng(0).random((1, 9, 10, 1), np.float32)
    padded = np.pad(small, [(0, 0), (0, 3), (0, 2), (0, 0)])
    np.testing.assert_allclose(model(small).numpy(), model(padded).numpy()[:, :9, :10], atol=1e-6)


def test_skips_concatenate_and_the_bottleneck_has_normalisation_and_dropout():
    kinds = [layer.__class__.__name__ for layer in light_unet().layers]
    assert kinds.count("Concatenate") == 4 and "Add" not in kinds
    assert kinds.count("BatchNormalization") == 2 and kinds.count("Dropout") == 1
    assert kinds.count("Conv2DTranspose") == kinds.count("MaxPooling2D") == 4


def test_weights_files_are_smaller_than_the_paper_says_and_have_no_optimiser(tmp_path):
    save_weights(tmp_path / "nano.weights.h5", nano_unet(), WeightsInfo("nano_unet", 128, 0.5, "nothing"))
    assert (tmp_path / "nano.weights.h5").stat().st_size < 0.6e6
    model = light_unet()
    model.compile("adam", loss="binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path / "w.weights.h5"
    save_weights(path, model, WeightsInfo("light_unet", 128, 0.5, "nothing"))
    assert path.stat().st_size < 2.2e6 < paper.UNET_MEGABYTES * 1e6
    assert {one.name for one in tmp_path.iterdir()} == {"nano.weights.h5", "w.weights.h5"}


def test_a_sum_saves_half_of_the_first_convolution_after_each_skip():
    widths = (2, 3, 4)
    saved = light_unet(widths=widths).count_params() - light_unet(widths=widths, join="sum").count_params()
    assert saved == sum(9 * width * width for width in widths[:-1])
    with pytest.raises(ValueError, match="join must be one of concatenate, sum; found 'mean'"):
        light_unet(join="mean")
    with pytest.raises(ValueError, match="at least two widths"):
        light_unet(widths=(8,))


def test_the_nano_preset_is_the_u_net_on_half_the_grid():
    # As the light U-Net of these widths, but the last layer makes 2 x 2 probabilities of 8 maps instead of one.
    widths = (8, 16, 32, 64)
    assert nano_unet().count_params() == parameters_by_hand(widths) + 3 * widths[0] == 121_089
    half = [layer.output.shape for layer in nano_unet().layers if layer.name == "down0_a"]
    assert half == [(None, None, None, 8)]
    # Wide enough that its first maps are not all dead: of two maps, ReLU may by chance let none through.
    probabilities = nano_unet(widths=(8, 8, 8))(np.random.default_rng(0).random((2, 37, 53, 1), np.float32)).numpy()
    assert probabilities.shape == (2, 37, 53, 1)
    assert len(np.unique(probabilities[0, :2, :2])) == 4, "each pixel of a 2 x 2 block has its own probability"
    assert gflop_per_slice(nano_unet(), paper.SLICE_SIZE) < 2


def test_a_fresh_network_starts_from_about_the_share_of_lesion():
    for build in (light_unet, nano_unet):
        bias = build().get_layer("probability").bias.numpy()
        assert 0.01 < 1 / (1 + np.exp(-bias.item())) < 0.03


def test_a_skip_that_is_left_out_is_joined_nowhere_and_the_others_are():
    whole, cut = light_unet((2, 3, 4)), light_unet((2, 3, 4), without_skips=[1])
    assert [layer.name for layer in cut.layers if layer.name.endswith("_skip")] == ["up1_skip"]
    assert whole.count_params() - cut.count_params() == 9 * 2 * 2  # what read the skip's two maps
    with pytest.raises(ValueError, match=r"skips are numbered from 1 to 2; found \[3\]"):
        light_unet((2, 3, 4), without_skips=[3])
