"""A cohort of three tiny scans, written with nibabel alone, so that a test can say what is in each file."""

import sys

import nibabel as nib
import numpy as np
import pytest
from hypothesis import settings

from covidlab.data.cohorts import read_cohort
from covidlab.data.slices import open_slice_cache

SIDE, SLICES = 32, 12

# An example may take as long as it takes: on a busy machine a deadline fails tests that are right.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(autouse=True)
def same_first_weights():
    """A network starts from random weights: the same ones in every run of a test, so that what fails fails again."""
    if quiet := sys.modules.get("covidlab._tensorflow"):
        quiet.keras.utils.set_random_seed(0)


def write_scan(folder, name, seed=0, slices=SLICES, side=SIDE):
    """A grey body in air, with a bright square lesion in two slices of three. Returns (image path, mask path)."""
    random = np.random.default_rng(seed)
    image = np.full((side, side, slices), -1000, np.int16)
    image[3:-3, 3:-3] = random.normal(-800, 20, image[3:-3, 3:-3].shape)
    mask = np.zeros(image.shape, np.uint8)
    for z in range(slices):
        if z % 3:
            x, y = random.integers(6, side - 14, 2)
            mask[x : x + 7, y : y + 7, z] = 1
    image[mask == 1] += 600
    # RAS+ voxels of 2.5 x 2.5 x 5 mm.
    affine = np.diag([2.5, 2.5, 5.0, 1.0])
    paths = []
    for sub, array in (("images", image), ("masks", mask)):
        (folder / sub).mkdir(parents=True, exist_ok=True)
        nifti = nib.Nifti1Image(array, affine)
        nifti.header.set_xyzt_units("mm")
        paths.append(folder / sub / f"{name}.nii.gz")
        nib.save(nifti, paths[-1])
    return tuple(paths)


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three scans")
    for seed, name in enumerate(("radiopaedia_10_85902_1", "radiopaedia_10_85902_3", "someone_else")):
        write_scan(folder, name, seed)
    return folder


@pytest.fixture(scope="session")
def cohort(cohort_folder):
    return read_cohort(cohort_folder)


@pytest.fixture(scope="session")
def cache(cohort, tmp_path_factory):
    return open_slice_cache(cohort, size=SIDE, root=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data folder and a working folder of a test's own."""
    monkeypatch.setenv("COVIDLAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def untrained_run(config, cache, folder):
    """A finished run whose network has its first weights: its threshold marks a tenth of the validation pixels."""
    from covidlab.data.splits import PARTS
    from covidlab.models import MODELS, WeightsInfo, predict_slices, save_weights
    from covidlab.training.runs import Run
    from covidlab.training.thresholds import count_slices

    network, split = MODELS[config.model](**config.options), config.split(cache)
    threshold = float(np.quantile(predict_slices(network, cache.images[split.validation]), 0.9))
    counts = {part: count_slices(network, cache, split.part(part), np.array([threshold]))[0] for part in PARTS}
    run = Run(folder, config, counts, threshold, (), "")
    save_weights(run.weights, network, WeightsInfo(config.model, config.grid, threshold, "nothing", config.options))
    return run


def marks_bright_pixels():
    """A model that has learned that white is lesion: a network of one weight."""
    from covidlab._tensorflow import keras  # seconds, which most tests need not wait for

    model = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    model.set_weights([np.full((1, 1, 1, 1), 100.0), np.array([-90.0])])  # 0.5 at grey 0.9
    return model


def run_main(main, capsys, *arguments):
    """Call a command line's main: its status, and what it wrote on standard output and error."""
    status = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return status, shown.out, shown.err
