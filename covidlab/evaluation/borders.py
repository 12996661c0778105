"""Distances between two borders: how far apart they are where it is bad (HD95), and how much of them agrees (NSD).

Overlap scores say little of borders, and the paper's statements on coarse and smooth boundaries (section II.A.2) are
about them. Distances are in millimetres where the spacing is known. Where it is not, pass 1: then they are in pixels,
and must be labelled so.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class SurfaceScores:
    """How two masks' borders agree."""

    # 95th percentile of the distances from each border pixel to the other border, both ways together. 0 where both
    # masks are empty, infinite where one is.
    hd95: float
    # Share of both borders that lies within the tolerance of the other, 0..1. 1 where both masks are empty, 0 where
    # one is.
    nsd: float


def border(mask: np.ndarray) -> np.ndarray:
    """Pixels of a mask that touch a pixel outside of it by a side; beyond the picture is outside.

    >>> int(border(np.ones((3, 3), bool)).sum())
    8
    """
    return mask & ~ndimage.binary_erosion(mask)


def surface_scores(
    reference: np.ndarray, prediction: np.ndarray, spacing: tuple[float, ...] | float = 1.0, tolerance: float = 2.0
) -> SurfaceScores:
    """HD95 and NSD of two masks of a slice, or of a volume.

    Borders are pixels, each counting once, not areas of a mesh. Written out since the library that published results
    use, DeepMind's surface-distance 0.1, fails on empty masks with NumPy 2.

    - `reference`, `prediction`, bool or 0/1 arrays of the same shape, two or three dimensions
    - `spacing`, float or tuple of float: of the pixels along each axis, mm; 1 for pixels.
    - `tolerance`, float: in the same unit. Take two pixels or more: with less, a shift by one pixel scores 1 or a
      third, as the pixel happens to be a little smaller or larger than the tolerance.
    """
    if reference.shape != prediction.shape:
        raise ValueError(f"reference has shape {reference.shape}, prediction {prediction.shape}: they must be equal")
    masks = np.asarray(reference, bool), np.asarray(prediction, bool)
    # Cropped to the box that holds both: no border leaves it, and most of a slice is air.
    box = next(iter(ndimage.find_objects((masks[0] | masks[1]).astype(np.uint8))), ...)
    one, other = (border(mask[box]) for mask in masks)
    if not one.any() or not other.any():
        both_empty = one.any() == other.any()
        return SurfaceScores(0.0 if both_empty else float("inf"), float(both_empty))
    distances = np.concatenate([
        ndimage.distance_transform_edt(~other, sampling=spacing)[one],
        ndimage.distance_transform_edt(~one, sampling=spacing)[other],
    ])  # fmt: skip
    # Rounding must not decide about two pixels at a tolerance of two pixels.
    return SurfaceScores(float(np.percentile(distances, 95)), float(np.mean(distances <= tolerance * (1 + 1e-9))))


@dataclass(frozen=True)
class BorderShares:
    """What the paper says of boundaries, as three numbers over many slices; nan where nothing is marked."""

    area: float  # Marked pixels for each lesion pixel of the reference: below 1, regions are smaller than the reference
    missed_at_border: float  # Share of the missed pixels that lie within a pixel of the reference's border, 0..1
    # Border pixels over the square root of the area, median over lesions, over the reference's: below 1, outlines are
    # smoother. Of all lesions together it would count how many there are.
    roughness: float


# Pixels of the smallest lesion that has an outline to speak of.
OUTLINED = 30
# Neighbours by a side on the same slice.
IN_PLANE = np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0)))


def border_shares(references: np.ndarray, predictions: np.ndarray) -> BorderShares:
    """Area, misses at the border and roughness of predictions, bool or 0/1 arrays (slices, height, width)."""
    references, predictions = np.asarray(references, bool), np.asarray(predictions, bool)
    missed = references & ~predictions
    # Within a pixel inside of the border: the border itself and the pixels beside it.
    at_border = missed & ~ndimage.binary_erosion(references, IN_PLANE, iterations=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return BorderShares(
            area=float(predictions.sum() / references.sum()),
            missed_at_border=float(at_border.sum() / missed.sum()),
            roughness=_roughness(predictions) / _roughness(references),
        )


def _roughness(masks: np.ndarray) -> float:
    """Of the median lesion that is large enough; nan where there is none."""
    labels, _ = ndimage.label(masks, IN_PLANE)
    edges = labels[masks & ~ndimage.binary_erosion(masks, IN_PLANE)]
    area, edge = (np.bincount(found)[1:] for found in (labels.ravel(), edges))  # every lesion has a border
    large = area >= OUTLINED
    return float(np.median(edge[large] / np.sqrt(area[large]))) if large.any() else float("nan")


def single_lesions(masks: np.ndarray) -> np.ndarray:
    """Each connected lesion of each slice alone on a slice of its own, so that lesions can be judged by their size.

    0/1 (slices, height, width) -> uint8 (lesions, height, width), in the order of slices. Pixels that touch along an
    edge are one lesion.

    >>> single_lesions(np.array([[[1, 1, 0, 1]], [[0, 0, 0, 0]]])).tolist()
    [[[1, 1, 0, 0]], [[0, 0, 0, 1]]]
    """
    lesions = [np.zeros((0, *masks.shape[1:]), np.uint8)]
    for mask in masks[masks.any(axis=(1, 2))]:
        labels, number = ndimage.label(mask)
        lesions.append((labels == np.arange(1, number + 1)[:, None, None]).astype(np.uint8))
    return np.concatenate(lesions)


def answers_by_lesion(references: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """What was marked for each lesion alone: the marked pieces that touch it, as far as no other lesion is nearer.

    So a piece that bridges two lesions is shared out between them, and a pixel outside of all lesions is false once.

    - `references`, `predictions`: 0/1 (slices, height, width)
    - returns uint8 (lesions, height, width), in the order of `single_lesions(references)`; 0 where no piece touches

    >>> answers_by_lesion(np.array([[[1, 0, 0, 0, 1]]]), np.array([[[1, 1, 0, 1, 1]]])).tolist()
    [[[1, 1, 0, 0, 0]], [[0, 0, 0, 1, 1]]]
    """
    answers = [np.zeros((0, *references.shape[1:]), np.uint8)]
    for reference, prediction in zip(references, predictions):
        lesions, number = ndimage.label(reference)
        pieces, _ = ndimage.label(prediction)
        nearest = ndimage.distance_transform_edt(lesions == 0, return_distances=False, return_indices=True)
        owner = lesions[tuple(nearest)]
        for lesion in range(1, number + 1):
            touching = np.setdiff1d(pieces[lesions == lesion], 0)
            answers.append((np.isin(pieces, touching) & (owner == lesion))[None].astype(np.uint8))
    return np.concatenate(answers)
