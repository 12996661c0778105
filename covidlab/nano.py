"""The whole road on one page: from a scan's file to a mask's file, with NumPy, nibabel and Keras alone.

Read it from top to bottom; run it with `python -m covidlab.nano`. It imports nothing of the package, and the package
nothing of it: what is here in ten lines is there with progress, checks and clear errors. Tests hold the two equal.
Teaching material, not a medical device.

    scan -> slices -> patches, or whole slices -> a network that learns -> probabilities -> a threshold -> mask -> F1
"""

import sys
from pathlib import Path

import keras
import nibabel as nib
import numpy as np

layers = keras.layers
LOWEST, HIGHEST = -1250, 250  # HU: the window in which lungs are read


# --- 1. A scan is a file. Its numbers are Hounsfield units; its affine says which way it lies.


def read(path, is_mask=False):
    """A NIfTI file as slices for the eye: float32 (slices, rows, columns), foot to head, spine down.

    Of a CT the window [-1250, 250] HU as 0..1; of a mask its 0 and 1.
    """
    image = nib.as_closest_canonical(nib.load(path))  # x to the patient's right, y to the front, z to the head
    voxels = np.asarray(image.dataobj, np.float32)
    slices = voxels.transpose(2, 1, 0)[:, ::-1, ::-1]  # the front of the patient on top, the right on the left
    if is_mask:
        return slices
    if slices.min() >= 0:
        sys.exit(f"{path}: found no number below 0; expected HU, where air is -1000 (the package reads more).")
    # The package keeps slices in 8 bits, as the published record does: steps of 6 HU.
    return np.rint((np.clip(slices, LOWEST, HIGHEST) - LOWEST) / (HIGHEST - LOWEST) * 255) / 255


def write(path, mask, scan):
    """A mask (slices, rows, columns) as a file that fits its scan: the same voxels, the same affine.

    Step by step the reverse of `read`: to x, y, z, then to the axes and directions in which the scan is stored.
    """
    affine = nib.load(scan).affine
    voxels = mask[:, ::-1, ::-1].transpose(2, 1, 0).astype(np.uint8)
    back = nib.orientations.ornt_transform(nib.io_orientation(np.eye(4)), nib.io_orientation(affine))
    nib.save(nib.Nifti1Image(nib.apply_orientation(voxels, back), affine), path)


# --- 2. Patches: is the middle pixel of this small square lesion? The paper's first model asks that of every pixel.
# Notebook 03 trains it; the road below goes on with whole slices.


def cut_patches(slice_, size=11):
    """Every size x size square of a slice, mirrored at its edges: (rows, columns, size, size), a view."""
    around = np.pad(slice_, size // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(around, (size, size))


def balanced_pixels(masks, number, random):
    """Positions of pixels, half of them lesion: as many rare ones as common ones."""
    chosen = [random.choice(np.flatnonzero(masks.ravel() == kind), number // 2) for kind in (1, 0)]
    return np.unravel_index(np.concatenate(chosen), masks.shape)


# --- 3. The light U-Net: down to see far, up to be exact, and skips that carry the detail across.


def convolution(x, width, name, normalised):
    """3 x 3, then ReLU; between them batch normalisation, with which it learns. Without: as shipped weights have it."""
    if not normalised:
        return layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x))


def unet(widths=(8, 16, 32, 64, 128), dropout=0.3, normalised=True):
    """Slices (batch, rows, columns, 1) in 0..1 to probabilities of the same shape; sides are multiples of 16.

    The package keeps no normalisation: it folds it into the weights after training, which changes no answer.
    """
    *levels, deepest = widths
    slices = keras.Input((None, None, 1))
    x = layers.Rescaling(4.0, offset=-1.2)(slices)  # lung comes to lie near 0, soft tissue near 2
    skips = []
    for depth, width in enumerate(levels):
        for half in "ab":
            x = convolution(x, width, f"down{depth}_{half}", normalised)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    for half in "ab":
        x = convolution(x, deepest, f"bottleneck_{half}", normalised=True)  # always, as in the paper
    x = layers.Dropout(dropout)(x)
    for depth, width in reversed(list(enumerate(levels))):
        x = layers.Conv2DTranspose(width, 2, strides=2, name=f"up{depth}_grow")(x)
        x = layers.Concatenate()([x, skips[depth]])
        for half in "ab":
            x = convolution(x, width, f"up{depth}_{half}", normalised)
    rare = keras.initializers.Constant(-4.0)  # one pixel in eighty is lesion: start from there, not from one half
    return keras.Model(slices, layers.Conv2D(1, 1, activation="sigmoid", bias_initializer=rare, name="probability")(x))


# --- 4. Learning: show a few slices, measure how wrong the answer is, go a small step downhill. Again and again.


def how_wrong(reference, probability):
    """Cross-entropy, which is steep where nothing is found yet, plus one less soft Dice, which ignores the easy air."""
    ops = keras.ops
    cross_entropy = ops.mean(keras.losses.binary_crossentropy(reference, probability))
    both = ops.sum(reference * probability)
    return cross_entropy + 1 - 2 * both / (ops.sum(reference) + ops.sum(probability) + 1e-7)


def train(network, slices, masks, updates, batch=4, rate=2e-3, seed=0, show=print):
    """Fit a network to slices (n, rows, columns) and their masks; changes the network."""
    # Gently at first, since the first steps know least; and gently at the end, to come to rest.
    warm_up = max(1, updates // 20)
    rates = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, updates - warm_up), alpha=0.01, warmup_target=rate, warmup_steps=warm_up
    )
    network.compile(keras.optimizers.Adam(rates, global_clipnorm=1.0), loss=how_wrong)
    random, queue = np.random.default_rng(seed), np.array([], int)
    for update in range(1, updates + 1):
        while len(queue) < batch:  # every slice once before any comes again
            queue = np.concatenate([queue, random.permutation(len(slices))])
        chosen, queue = queue[:batch], queue[batch:]
        loss = network.train_on_batch(slices[chosen][..., None], masks[chosen][..., None].astype(np.float32))
        if update % 50 == 0:
            show(f"update {update} of {updates}, loss {float(loss):.2f}")


# --- 5. From probabilities to a mask, and how good it is.


def predict(network, slices):
    """Probabilities, float32 (slices, rows, columns)."""
    return network.predict(slices[..., None], batch_size=16, verbose=0)[..., 0]


def f1(reference, mask):
    """2 tp / (2 tp + fp + fn) over all pixels: what medicine calls Dice."""
    reference, mask = reference > 0, mask > 0
    return 2 * np.sum(reference & mask) / (np.sum(reference) + np.sum(mask))


def best_threshold(reference, probabilities):
    """The threshold with the highest F1; to be chosen on validation, never on test."""
    thresholds = np.arange(0.05, 0.96, 0.05)
    return thresholds[np.argmax([f1(reference, probabilities >= one) for one in thresholds])]


# --- 6. The road, walked once. Whole patients are kept apart, so that the test says something of the next one; the
# phantom's files lie in the order of its patients (of other data see `data.make_split`).


def gather(images):
    """All slices of several scans, and of their masks beside them."""
    masks = [path.parents[1] / "Infection_Mask" / path.name for path in images]
    return np.concatenate([read(path) for path in images]), np.concatenate([read(path, is_mask=True) for path in masks])


def main(folder="data/phantom-lesson", updates=300):
    """Train on the first scans of a cohort, choose the threshold on two more, test on the last two."""
    images = sorted(Path(folder, "COVID-19-CT-Seg_20cases").glob("*.nii*"))
    if len(images) < 6:
        sys.exit(f"{folder}: found {len(images)} scans; expected a cohort; run `covidlab phantom` first.")
    train_on, choose_on, test_on = images[:-4], images[-4:-2], images[-2:]

    slices, masks = gather(train_on)
    positive = masks.any(axis=(1, 2))
    network = unet()
    print(f"{len(train_on)} scans, {positive.sum()} of their slices with lesion, {network.count_params():,} weights")
    train(network, slices[positive], masks[positive], updates)

    slices, masks = gather(choose_on)
    threshold = best_threshold(masks, predict(network, slices))

    for path in test_on:
        slices, reference = gather([path])
        mask = predict(network, slices) >= threshold
        write(f"mask_{path.name}", mask, scan=path)
        print(f"{path.name}: F1 {f1(reference, mask):.2f} at threshold {threshold:.2f}; its mask lies in this folder")


if __name__ == "__main__":
    main(*sys.argv[1:2])
