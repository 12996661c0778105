"""How like the record the phantom is: `python -m studies.phantom_report` prints its statistics beside the real ones.

The real figures were measured on the 462 positive slices of the record's ten Radiopaedia cases at 128 px.
"""

import numpy as np
from scipy import ndimage

from covidlab.data.cohorts import Cohort, open_cohort
from covidlab.data.masks import read_mask
from covidlab.data.volumes import read_volume
from covidlab.phantom import writing

PERCENTILES = (5, 25, 50, 75, 95)

# name -> (percentiles of it, or one number) in the record
RECORD = {
    "lesion share of a positive slice, %": (0.18, 0.81, 1.53, 4.34, 8.78),
    "grey value in lesions, 0..255": (83, 117, 140, 172, 233),
    "lesions in a positive slice, 5/50/95": (1, 2, 8),
    "lesion share of all pixels, %": (1.23,),
    "F1 of the best grey-value band in the lungs": (0.41,),
}


def grey_band_f1(images: np.ndarray, masks: np.ndarray, region: np.ndarray) -> tuple[float, int, int]:
    """The best that thresholding can do, fitted on the very slices it is scored on.

    Of uint8 images, and of 0/1 arrays of their shape: the reference, and where pixels may be marked (the lungs).
    Returns the pooled F1 of marking every pixel of the region with low <= grey <= high, and low and high.

    >>> grey_band_f1(np.array([10, 20, 30], np.uint8), np.array([0, 1, 0]), np.array([1, 1, 1]))
    (1.0, 20, 20)
    """
    inside = region > 0
    # From cumulative histograms: pixels with a grey below each value.
    lesion, marked = (
        np.concatenate([[0], np.bincount(images[which], minlength=256).cumsum()])
        for which in (inside & (masks > 0), inside)
    )
    found = lesion[None, 1:] - lesion[:-1, None]
    all_marked = marked[None, 1:] - marked[:-1, None]
    f1 = 2 * found / np.maximum(all_marked + np.count_nonzero(masks), 1)
    f1[np.tril_indices(256, -1)] = 0
    low, high = np.unravel_index(f1.argmax(), f1.shape)
    return float(f1[low, high]), int(low), int(high)


def load_slices(cohort: Cohort) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Display slices, lesion masks and lung masks of a whole phantom cohort, each uint8 (slices, rows, columns)."""
    parts = []
    for case in cohort.cases:
        volume = read_volume(case.image)
        lungs = read_mask(cohort.folder / writing.LUNGS / case.image.name, like=volume)
        masks = read_mask(case.mask, like=volume)
        parts.append((volume.slices(), volume.to_display(masks), volume.to_display(lungs)))
    images, masks, lungs = (np.concatenate(one) for one in zip(*parts))
    return images, masks, lungs


def measure(images: np.ndarray, masks: np.ndarray, lungs: np.ndarray) -> dict[str, tuple[float, ...]]:
    """The same statistics as `RECORD`, of these slices."""
    positive = masks[masks.any(axis=(1, 2))]
    values = (
        np.percentile(100 * positive.mean(axis=(1, 2)), PERCENTILES),
        np.percentile(images[masks > 0], PERCENTILES),
        np.percentile([ndimage.label(mask)[1] for mask in positive], (5, 50, 95)),
        (100 * masks.mean(),),
        (grey_band_f1(images, masks, lungs)[0],),
    )
    return {name: tuple(float(value) for value in one) for name, one in zip(RECORD, values)}


def main() -> None:
    """Print the table."""
    cohort = open_cohort("phantom")
    measured = measure(*load_slices(cohort))
    print(f"{cohort.name}; percentiles {', '.join(map(str, PERCENTILES))} where five numbers stand")
    for name, record in RECORD.items():
        print(f"{name:46}  phantom {_numbers(measured[name]):32}  record {_numbers(record)}")


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


if __name__ == "__main__":
    main()
