"""A drawn chest whose lungs are known, small enough to be tried in many ways."""

import nibabel as nib
import numpy as np

SIDE, SLICES = 128, 24
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] / SIDE


def oval(row, column, height, width):
    """Bool (row, column); centre and half axes in parts of a side."""
    return ((ROWS - row) / height) ** 2 + ((COLUMNS - column) / width) ** 2 < 1


BODY = oval(0.5, 0.5, 0.32, 0.45)
LUNGS = {1: oval(0.5, 0.28, 0.22, 0.14), 2: oval(0.5, 0.72, 0.22, 0.14)}  # the patient's right is on the left


def chest(sides=(1, 2)):
    """HU (slice, row, column) and sides of a drawn chest with a windpipe, the lungs in the middle 16 of 24 slices."""
    hu, truth = np.full((SLICES, SIDE, SIDE), -1000, np.int16), np.zeros((SLICES, SIDE, SIDE), np.uint8)
    hu[:, BODY] = 40
    hu[:, oval(0.4, 0.5, 0.03, 0.03)] = -1000
    for side in sides:
        truth[4:20, LUNGS[side]] = side
    hu[truth > 0] = -850
    return hu, truth


def write_chest(path, hu, codes="RAS"):
    """Write HU (slice, row, column) as displayed, voxels of 2.5 x 2.5 x 5 mm, in any order of storage."""
    image = nib.Nifti1Image(hu[:, ::-1, ::-1].transpose(2, 1, 0), np.diag([2.5, 2.5, 5.0, 1.0]))
    image.header.set_xyzt_units("mm")
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    nib.save(image.as_reoriented(turn), path)


def read_display(path):
    """A file's voxels as (slice, row, column): foot to head, spine down, the patient's right on the left."""
    return np.asarray(nib.as_closest_canonical(nib.load(path)).dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]
