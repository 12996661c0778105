"""What fills the lungs of a drawn chest: airways, vessels, the grain of the tissue."""

import numpy as np

from covidlab.phantom.shapes import distances, over, step


def airways(image, grid, a):
    """All walls first, then the air in them: where bronchi part, no wall closes one off."""
    tubes = [tube for course in a.airways for tube in course]
    for wall, hu in ((1.4, 10), (0.0, -985)):
        for box, distance in distances(tubes, grid, 4):
            over(image[box], grid.inside(distance + wall), hu)


def parenchyma(grid, a, t, mediastinum):
    """HU of the lung itself: texture, gravity, uneven aeration, fissures, bands and the heart's motion."""
    x, y, z = grid.xyz
    _, depth, centre = a.cavity_sides(t)
    mosaic, fine = a.mosaic(grid), a.fine(grid)
    hu = a.parenchyma + 20 * fine + 22 * mosaic + 50 * np.clip(mosaic - 0.6, 0, 2)
    hu = hu + 55 * (np.clip((y - centre) / depth, -1, 1) + 0.2)
    # Dependent density: a smooth rim along the back wall, of lesion-like grey.
    rim = np.exp(-np.clip(centre + depth - y, 0, None) / 13) * step(1 - t, 0.2, 0.7)
    hu = hu + (a.dependent * 2.4) * rim * (0.75 + 0.3 * mosaic)
    # The heart's beat smears muscle into the lung.
    hu = hu + 240 * np.exp(np.clip(mediastinum, None, 0) / 5) * (t < 0.55)
    # Oblique fissures: a faint sheet through each lung.
    higher = np.where(x > 0, a.apart, -a.apart)
    fissure = np.abs(0.62 * (y + 5) + 0.8 * (z - 0.42 * a.height) + 0.25 * np.abs(x) + higher + 14 * a.fissure(grid))
    hu = hu + 75 * np.clip(1 - fissure / (0.9 + 0.5 * grid.pixel), 0, 1)
    for place, height, tilt_x, tilt_y, length in a.bands:
        across = (z - height * a.height) + tilt_x * (x - 70 * np.sign(place)) + tilt_y * y + 3 * mosaic
        along = np.exp(-(((x - 75 * np.sign(place)) / length) ** 2)) * step(y, -30, 30)
        hu = hu + 400 * np.clip(1 - np.abs(across) / 2.5, 0, 1) * along
    return np.clip(hu, -960, -100)


def lung_vessels(image, grid, a, lungs):
    """Paint each sampled point of the trees as a small ball, with partial volume in and through the plane."""
    beam = min(grid.thickness, 2.0)  # scanners cut thinner slices than they keep: partial volume is of 2 mm at most
    reach = beam / 2
    points = a.vessels[(a.vessels[:, 2] > grid.z[0] - 12) & (a.vessels[:, 2] < grid.z[-1] + 12)]
    share = np.zeros_like(image)
    spans = np.ceil((points[:, 3] + grid.pixel) / grid.pixel).astype(int) + 1
    for span in np.unique(spans):
        px, py, pz, radius = points[spans == span].T[..., None]
        around = np.arange(-span, span)
        columns, rows = np.searchsorted(grid.x, px) + around, np.searchsorted(grid.y, py) + around
        in_x, in_y = (columns >= 0) & (columns < len(grid.x)), (rows >= 0) & (rows < len(grid.y))
        columns, rows = columns.clip(0, len(grid.x) - 1), rows.clip(0, len(grid.y) - 1)
        apart = np.hypot((grid.y[rows] - py)[:, :, None], (grid.x[columns] - px)[:, None, :])
        disc = np.clip((radius[..., None] - apart) / grid.pixel + 0.5, 0, 1) * (in_y[:, :, None] & in_x[:, None, :])
        disc *= np.minimum(1.0, 1.8 * radius / grid.pixel)[..., None]  # what is thinner than a pixel fills it in part
        for k, z in enumerate(grid.z):
            (near,) = np.nonzero(np.abs(z - pz[:, 0]) < reach + radius[:, 0])
            r = radius[near, 0]
            # The share of the slice's thickness that the vessel fills.
            fill = np.minimum(1.0, (r + np.minimum(r, reach + r - np.abs(z - pz[near, 0]))) / beam)
            ball = disc[near] * fill[:, None, None]
            np.maximum.at(share[k], (rows[near][:, :, None], columns[near][:, None, :]), ball.astype(np.float32))
    over(image, share * grid.inside(lungs + 1), a.blood if a.blood < 100 else 0.8 * a.blood)
