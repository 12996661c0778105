"""The page against the package: the same patches, the same network, the same training, the same mask."""


from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from covidlab import nano
from covidlab.data import open_cohort, open_slice_cache, read_mask, read_volume, slice_patches
from covidlab.data.lungs import lung_mask
from covidlab.data.splits import split_by_slice
from covidlab.evaluation import count
from covidlab.models import light_unet, open_segmenter
from covidlab.models.segment import predict_file
from covidlab.models.weights_file import read_info
from covidlab.training import THRESHOLDS, Recipe, best_threshold, count_slices
from covidlab.training.fit import train
from covidlab.weights import find_weights

SMALL = (4, 8, 16)


@pytest.fixture(scope="module")
def phantom():
    return open_cohort()


@pytest.mark.parametrize("axes", ["LPS", "SAL"])
def test_a_scan_is_read_and_a_mask_written_as_the_package_does(phantom, tmp_path, axes):
    case = phantom.cases[3]
    image = nib.load(case.image)
    turned = image.as_reoriented(nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(axes)))  # fmt: skip
    nib.save(turned, tmp_path / "scan.nii.gz")
    slices, volume = nano.read(tmp_path / "scan.nii.gz"), read_volume(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(np.rint(slices * 255), volume.slices())
    marked = slices > 0.6
    nano.write(tmp_path / "mask.nii.gz", marked, tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(volume.to_display(read_mask(tmp_path / "mask.nii.gz", like=volume)), marked)


def test_patches_are_the_packages_and_half_of_the_pixels_are_lesion(cache):
    np.testing.assert_array_equal(nano.cut_patches(cache.images[0]), slice_patches(cache.images[0]))
    chosen = nano.balanced_pixels(cache.masks, 100, np.random.default_rng(0))
    assert cache.masks[chosen].sum() == 50 and len(cache.masks[chosen]) == 100


def test_f1_and_the_threshold_are_the_packages(cache):
    random = np.random.default_rng(0)
    probabilities = (random.random(cache.masks.shape) * 0.6 + cache.masks * 0.3).astype(np.float32)
    assert nano.f1(cache.masks, probabilities > 0.5) == count(cache.masks, probabilities > 0.5).f1
    steps = np.arange(0.05, 0.96, 0.05)
    ours = best_threshold([count(cache.masks, probabilities >= one) for one in steps], steps)[0]
    assert nano.best_threshold(cache.masks, probabilities) == ours


def test_the_same_recipe_ends_at_the_same_f1(phantom, tmp_path):
    cache = open_slice_cache(phantom, size=32)
    split = split_by_slice(len(cache), seed=0)
    recipe = Recipe(updates=100, batch_size=4, learning_rate=5e-3, updates_per_epoch=100, augment=0)
    model = light_unet((4, 8), dropout=0)
    learner = light_unet((4, 8), dropout=0, normalised=True)
    network = nano.unet((4, 8), dropout=0)
    network.set_weights(learner.get_weights())
    train(model, cache, split, recipe, tmp_path, lambda epoch: None, twin=learner)
    rows = np.sort(split.train[cache.positive[split.train]])
    slices = cache.images[rows] / np.float32(255)
    nano.train(network, slices, cache.masks[rows], recipe.updates, rate=5e-3, show=lambda line: None)

    def ends(probabilities):
        return max(count(cache.masks[split.test], probabilities >= one).f1 for one in THRESHOLDS)

    packages = max(one.f1 for one in count_slices(model, cache, split.test, THRESHOLDS))
    assert packages > 0.3, "it has learnt something"
    assert ends(nano.predict(network, cache.images[split.test] / np.float32(255))) == pytest.approx(packages, abs=0.01)


def test_shipped_weights_mark_the_same_voxels(phantom, tmp_path, monkeypatch):
    info, case = read_info(find_weights("phantom")), phantom.cases[2]
    network = nano.unet(normalised=False)
    network.set_weights(open_segmenter("phantom").network.get_weights())
    nano.write(tmp_path / "nano.nii.gz", nano.predict(network, nano.read(case.image)) >= info.threshold, case.image)
    # The page looks for no lungs: their grey stays as it is, and what lies outside of them is dropped here. Nor does it
    # let slices hear their neighbours.
    monkeypatch.setattr("covidlab.models.segmenter.REACH", 1e-9)
    ours = open_segmenter("phantom")
    predict_file(case.image, tmp_path / "ours.nii.gz", replace(ours, info=replace(ours.info, lung=None)))
    one, other = (np.asarray(nib.load(tmp_path / f"{name}.nii.gz").dataobj) for name in ("nano", "ours"))
    volume = read_volume(case.image)
    one = one & volume.from_display(lung_mask(volume.slices()).near)
    assert other.sum() > 1000 and np.count_nonzero(one != other) <= 2  # rounding, at the threshold itself
    assert info.smallest == 1 and not info.mirror


def test_it_imports_nothing_of_the_package_and_fits_a_page_or_two():
    text = open(nano.__file__).read()
    assert "from covidlab" not in text and "import covidlab" not in text and len(text.splitlines()) <= 300


def test_the_road_can_be_walked(phantom, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    network = nano.unet(SMALL)
    monkeypatch.setattr(nano, "unet", lambda: network)
    for path in (path for case in phantom.cases[:6] for path in (case.image, case.mask)):
        (tmp_path / "six" / path.parent.name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "six" / path.parent.name / path.name).symlink_to(path)
    nano.main(tmp_path / "six", updates=2)
    assert "F1" in capsys.readouterr().out and len(list(tmp_path.glob("mask_*.nii.gz"))) == 2
