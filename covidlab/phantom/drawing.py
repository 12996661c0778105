"""A patient's chest without lesions, in HU: what lies where, on any grid, slab by slab.

Geometry is in millimetres: x to the patient's left, y to the back, z to the head. The lungs are what the rib cage
leaves when heart, vessels, spine and diaphragm have taken their room, so their inner edges are those of the organs.
"""

import numpy as np

from covidlab.phantom.anatomy import Anatomy
from covidlab.phantom.shapes import Grid, bump, distances, ellipse, join, meet, norm, over, step

FAT, MUSCLE = -92, 50  # HU


def draw_chest(anatomy: Anatomy, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The chest without lesions on a slab; slices may be drawn in slabs of any size.

    Returns three float32 arrays (z, y, x): the image in HU, and the signed distances to the lungs and to the rib cage's
    inner wall, mm, positive inside.
    """
    a = anatomy
    t = grid.xyz[2] / a.height
    image = np.full(grid.shape, -1000, np.float32)
    cavity, mediastinum, lungs = a.spaces(grid)
    _couch(image, grid, a)
    body = _body(image, grid, a, t)
    _muscles(image, grid, a, t, cavity, body)
    _shoulders(image, grid, a, t, cavity, body)
    _abdomen(image, grid, a, cavity)
    _mediastinum(image, grid, a, cavity, mediastinum)
    over(image, grid.inside(lungs), _parenchyma(grid, a, t, mediastinum))
    _ribs_and_sternum(image, grid, a, t, cavity, body)
    _spine(image, grid, a, body)
    _lung_vessels(image, grid, a, lungs)
    _airways(image, grid, a)
    return image, lungs, cavity


def _couch(image, grid, a):
    x, y, _ = grid.xyz
    gap, sag, thick, hu, blanket = a.couch
    surface = a.depth + gap - sag * (x / 200) ** 2
    wide = np.clip((205 - np.abs(x)) / 3, 0, 1)
    for offset, shell in ((0, hu), (thick + 14 * (x / 200) ** 2, hu - 100)):
        share = np.clip(1.2 - np.abs(y - surface - offset) / max(grid.pixel, 2.2), 0, 1) * wide
        over(image, share, shell)
    if blanket:  # loose folds over the chest
        fold = -a.depth * (1.04 - 0.32 * (x / a.width) ** 2) + 4 * a.fat_field(grid) - 6
        share = np.clip(0.8 - np.abs(y - fold) / max(grid.pixel, 1.2), 0, 1) * (a.organ(grid) > 0.1)
        over(image, 0.3 * share, -500)


def _body(image, grid, a, t):
    """Skin and the fat under it; returns the signed distance to the skin."""
    x, y, z = grid.xyz
    high = step(t, 0.5, 1.0)
    width, depth = a.width * (1 + a.shoulder * high), a.depth * (1 - 0.16 * step(t, 0.55, 1.1))
    power = a.squareness - 0.25 * high
    # The back is flatter than the chest, and near the shoulders it is the wider of the two.
    lateral, y = a.posture(x, y, z)
    lateral = lateral / width * (1 + (0.05 + 0.16 * high) * np.clip(-y / depth, 0, 1))
    ring = norm(lateral, y * np.where(y > 0, 1.0, 1.04) / depth, power)
    body = (1 - ring) * depth + 7 * a.outline(grid) - 6 * np.exp(-((x / 24) ** 2)) * step(y, 0, 40)
    if a.breast:
        wall = (74, -a.depth * 0.62, 0.44 * a.height, 46)
        tip = (88, 14 - a.depth * 0.74 - a.breast, 0.34 * a.height, 24 + 0.6 * a.breast)
        for box, distance in distances(_both_sides(wall, tip), grid, 40):
            body[box] = join(body[box], distance + 2 * a.outline(grid)[box], 34.0)
    over(image, grid.inside(body), 10)
    over(image, grid.inside(body - 2), FAT + 7 * a.fat_field(grid))
    if a.breast:  # strands of glands
        glands = meet(body - 9, -y - a.depth * 0.80, 46 - np.abs(np.abs(x) - 80))
        glands = glands - 4 + 7 * a.organ(grid) - 90 * np.clip(np.abs(t - 0.38) - 0.12, 0, 1)
        over(image, 0.7 * grid.inside(glands), 25)
    return body


def _both_sides(*course):
    """A course on the left and its mirror image on the right."""
    return [np.multiply(course, (side, 1, 1, 1)) for side in (-1, 1)]


def _bone(image, grid, a, distance, cortex, marrow=130.0, box=...):
    """Dense outside, marrow inside."""
    over(image[box], grid.inside(distance), 420 * a.bone)
    over(image[box], grid.inside(distance - a.cortex * cortex), (marrow + 60 * a.marrow(grid)[box]) * a.bone)


def _muscles(image, grid, a, t, cavity, body):
    """In layers, with fat between: round the rib cage, between the outer muscles, and in the armpit."""
    x, y, z = grid.xyz
    out, field, under_skin = -cavity, a.fat_field(grid), body - 2
    angle, high = a.angle(grid), step(t, 0.66, 0.92)
    pectoral = 15 * bump(angle, 2.3, 0.45) * step(t, 0.38, 0.62)
    latissimus = 15 * bump(angle, 0.95, 0.42) * step(t, 0.05, 0.5)
    serratus = 7 * bump(angle, 1.5, 0.6)
    back = 30 * bump(angle, 0.0, 0.5)
    thick = a.muscles * (pectoral + latissimus + serratus + 90 * high) + back + 1.5 * field
    under_fat = under_skin - (a.fat * (0.75 + 0.25 * np.cos(angle) ** 2) * (1 - 0.25 * high) + 2 * field)
    over(image, grid.inside(meet(14 + thick - out, under_fat)), MUSCLE + 5 * a.organ(grid) + 5 * field)
    plane = max(1.2, 0.45 * grid.pixel)
    rim = step(angle, 0.5, 0.7)
    between = y + 6 + 7 * field - 0.3 * (np.abs(x) - 100)  # the chest's muscles from the shoulder blade's
    for apart, width in (
        (out - 13.5 - 0.8 * field, rim),
        (out - 14 - 0.52 * np.minimum(thick, 30) - 4 * field, 1.2 * rim * step(thick, 10, 16)),
        (between, 1.3 * high * step(out, 12, 20)),
    ):
        share = np.clip((width * plane - np.abs(apart)) / grid.pixel + 0.6, 0, 1) * (width > 0.3)
        over(image, 0.8 * share * grid.inside(under_fat), FAT)
    armpit = (1 - np.hypot((out - 27) / 15, (angle - 1.65) / 0.34)) * 10 * a.muscles + 8 * field
    over(image, grid.inside(meet(armpit, 90 * (t - 0.5), 90 * (1.0 - t), under_skin - 4)), FAT)
    groove = meet(1.8 - np.abs(x - a.lean * z), y - a.back - 40)  # between the long muscles of the back
    over(image, 0.7 * grid.inside(meet(groove, under_skin)), FAT)


def _shoulders(image, grid, a, t, cavity, body):
    """Shoulder blades, collar bones, heads of the arms."""
    out, angle = -cavity, a.angle(grid)
    turn = 0.86 + 4 * a.lean * np.sign(grid.xyz[0])
    bent = out - 26 - 16 * (angle - 0.8) - 2 * a.fat_field(grid)
    blade = meet(2.2 - np.abs(bent), (0.36 - np.abs(angle - turn)) * 75)
    ridge = meet(2.4 - np.abs(angle - 1.02 + 0.004 * (out - 30)) * 70, out - 27, 56 - out, 160 * (t - 0.74))
    blade = meet(np.maximum(blade, ridge), 110 * (t - 0.47), 110 * (1.15 - t))
    _bone(image, grid, a, meet(blade, body - 9), 1.6)
    front, top = a.depth * 0.86, a.height
    collar = (16, 16 - front, 0.90 * top, 9), (58, 30 - front, 0.96 * top, 5.5), (120, 60 - front, 1.04 * top, 6.5)
    arm = (150, 2, 1.02 * top, 22), (152, -4, 1.2 * top, 21)
    for box, distance in distances(_both_sides(*collar) + _both_sides(*arm), grid, 5):
        _bone(image, grid, a, meet(distance, body[box] - 5), 2.0, box=box)


def _abdomen(image, grid, a, cavity):
    """Below the diaphragm: liver on the right, stomach, spleen and gut with gas on the left."""
    x, y, z = grid.xyz
    organ, field = a.organ(grid), a.fat_field(grid)
    below = np.clip((a.dome(grid) - z) / grid.thickness + 0.6, 0, 1) * grid.inside(cavity - 1)
    over(image, below, -55 + 40 * organ)
    liver = meet(cavity - 3, a.liver - x - 0.5 * np.clip(y, -80, 60) + 13 * organ)
    over(image, below * grid.inside(liver), 58 + 3 * field)
    spleen = meet(cavity - 3, ellipse(x, y, 92, 36, 38, 34) + 4 * organ)
    over(image, below * grid.inside(spleen), 50 + 3 * field)
    for gx, gy, gz, gr, gh in a.gas:
        bubble = (1 - np.sqrt(((x - gx) / gr) ** 2 + ((y - gy) / gr) ** 2 + ((z - gz) / gh) ** 2)) * gr + 3 * field
        over(image, below * grid.inside(meet(bubble + 3, cavity - 5)), 35)
        over(image, below * grid.inside(meet(bubble, cavity - 8)), -900)
    cx, cy, rx, ry, level = a.stomach
    stomach = meet(cavity - 4, ellipse(x, y, cx, cy, rx, ry) + 11 * organ)
    over(image, below * grid.inside(stomach), 38)
    over(image, below * grid.inside(stomach - 4), 15 + 25 * field)
    over(image, below * grid.inside(meet(stomach - 4, cy - level - y)), -940)


def _mediastinum(image, grid, a, cavity, mediastinum):
    """Heart, great vessels and gullet, in fat."""
    organ, inside = a.organ(grid), grid.inside(cavity)
    above = np.clip((grid.xyz[2] - a.dome(grid)) / grid.thickness + 0.5, 0, 1) * inside
    over(image, above * grid.inside(mediastinum + 30), FAT + 9 * a.fat_field(grid))
    muscle = np.full(grid.shape, -40, np.float32)
    for box, distance in distances(a.chambers, grid, 56):
        muscle[box] = join(muscle[box], distance, 16.0)
    over(image, above * grid.inside(muscle + 1.5 * organ), 44 + 4 * organ)
    for box, distance in distances(a.chambers, grid, 3):
        over(image[box], 0.8 * above[box] * grid.inside(distance - 8 + 3 * organ[box]), a.blood + 4)
    for courses, hu in ((a.oesophagus, 38.0), (a.blood_vessels, a.blood)):
        for box, distance in distances(courses, grid, 3):
            over(image[box], grid.inside(distance + organ[box]) * inside[box], hu)


def _ribs_and_sternum(image, grid, a, t, cavity, body):
    """A rib runs level near the spine, falls along the side and less in front: an axial slice cuts each a way along."""
    x, y, z = grid.xyz
    angle = a.angle(grid)
    fall = a.rib_drop * (1 - np.cos(0.85 * angle)) + 12 * angle + 2.5 * a.fat_field(grid)
    place = (z + 80 + fall + a.rib_phase) / a.rib_spacing
    number = np.clip(place.astype(int), 0, 39)
    side = np.where(x > 0, 0, 1)
    size = a.rib_size[side, number]
    along = (place - number - 0.5) * a.rib_spacing - a.rib_shift[side, number]
    # The flat of a rib leans outwards below.
    across = -cavity - 6.8 + 0.22 * along
    rib = (1 - np.sqrt((across / (3.7 * size**0.5)) ** 2 + (along / (6.4 * size)) ** 2)) * 3.7
    front = 2.45 + 0.35 * np.clip(t - 0.35, -0.4, 0.4)
    _bone(image, grid, a, meet(rib, (front - angle) * 60, body - 5), 1.25, 160)
    cartilage = meet(rib + 0.5, (angle - front) * 60, 110 * (0.86 - t), body - 5)
    over(image, grid.inside(cartilage), 105 + 20 * a.marrow(grid))
    _, depth, centre = a.cavity_sides(t)
    wide = 15 + 14 * step(t, 0.66, 0.82)
    sternum = ellipse(x - a.lean * z, y, 0, centre - depth - 9 + 0.006 * x**2, wide, 6.0)
    sternum = meet(sternum + 0.6 * a.fat_field(grid), 90 * (t - 0.16), 90 * (0.9 - t), body - 5)
    _bone(image, grid, a, sternum, 1.3, 110)


def _spine(image, grid, a, body):
    """Vertebrae: body, canal, arch, transverse and spinous processes, which change over a vertebra's height."""
    x, y, z = grid.xyz
    x, y = x - a.lean * z, y - a.back
    level = (z + a.rib_phase) % 25  # 0..5 a disc
    disc = step(2.5 - np.abs(level - 2.5), 0.0, 1.5)
    size = 0.94 + 0.12 * step(180 - z, 0, 120)
    waist = 1 - 0.06 * (1 - disc) * np.sin(np.pi * np.clip((level - 5) / 20, 0, 1))
    across, deep, power = a.vertebra
    bend = 1.5 * a.organ(grid)  # no vertebra is quite as the next
    ring = norm((x + bend) / (across * size * waist), y / (deep * size * waist), power)
    vertebra = meet((1 - ring) * deep + 1.6 * a.fat_field(grid), 13.5 - y - 1.5 * np.exp(-((x / 8) ** 2)))
    over(image, grid.inside(vertebra), (430 - 320 * disc) * a.bone)
    over(image, grid.inside(vertebra - 1.6 * a.cortex), (165 + 60 * a.marrow(grid) - 80 * disc) * a.bone)
    pedicle = meet(4.2 - np.abs(np.abs(x) - 12.5), y - 8 - 10 * disc, 31 - y)
    lamina = meet(3.8 - np.abs(y - 34 + 0.75 * np.abs(x)) * 0.8, 18 - np.abs(x))
    # The transverse processes point back and out, on the upper half; the spinous one slants down behind them.
    wing = 4.4 - 0.05 * np.abs(x) - np.abs(y - 22 - 0.4 * np.abs(x) - 2 * a.organ(grid)) * 0.93
    wing = meet(wing, 30 * size - np.abs(x), np.abs(x) - 11, 5 - np.abs(level - 17))
    slant, (tip, aside) = 6 * ((level - 14) / 12), a.spinous
    away = x + 1.5 * a.fat_field(grid) - aside * (y - 33) / 20
    spinous = meet(3.1 - np.abs(away), y - 33 + slant, tip + slant - y, 8.5 - np.abs(level - 13))
    for part in (pedicle, lamina, wing, spinous):
        _bone(image, grid, a, meet(part + 0.5 * a.fat_field(grid), body - 5), 1.3, 190)
    over(image, grid.inside(ellipse(x, y, 0, 22, 9.5, 8.5)), 25)  # the canal


def _airways(image, grid, a):
    """All walls first, then the air in them: where bronchi part, no wall closes one off."""
    for wall, hu in ((1.4, 10), (0.0, -985)):
        for box, distance in distances(a.airways, grid, 4):
            over(image[box], grid.inside(distance + wall), hu)


def _parenchyma(grid, a, t, mediastinum):
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


def _lung_vessels(image, grid, a, lungs):
    """Paint each sampled point of the trees as a small ball, with partial volume in and through the plane."""
    beam = min(grid.thickness, 2.0)  # scanners cut thinner slices than they keep: partial volume is of 2 mm at most
    reach = beam / 2
    points = a.vessels[(a.vessels[:, 2] > grid.z[0] - 12) & (a.vessels[:, 2] < grid.z[-1] + 12)]
    spans = np.ceil(points[:, 3] / grid.pixel).astype(int) + 2
    edge = spans.max(initial=0)  # pixels round the slices for what sticks out of them
    share = np.pad(np.zeros_like(image), [(0, 0), (edge, edge), (edge, edge)])
    for span in np.unique(spans):
        px, py, pz, radius = points[spans == span].T[..., None, None]
        around = np.arange(-span, span)
        columns, rows = np.searchsorted(grid.x, px) + around, np.searchsorted(grid.y, py) + around[:, None]
        apart = np.hypot(grid.y.take(rows, mode="clip") - py, grid.x.take(columns, mode="clip") - px)
        disc = np.clip((radius - apart) / grid.pixel + 0.5, 0, 1)
        disc *= np.minimum(1.0, 1.8 * radius / grid.pixel)  # what is thinner than a pixel fills it in part
        for k, z in enumerate(grid.z):
            # The share of the slice's thickness that the vessel fills.
            near = (reach + radius > np.abs(z - pz)).ravel()
            r = radius[near]
            fill = np.minimum(1.0, (r + np.minimum(r, reach + r - np.abs(z - pz[near]))) / beam)
            ball = (disc[near] * fill).astype(np.float32)
            np.maximum.at(share[k], (rows[near] + edge, columns[near] + edge), ball)
    share = share[:, edge : edge + len(grid.y), edge : edge + len(grid.x)]
    over(image, share * grid.inside(lungs + 1), a.blood if a.blood < 100 else 0.8 * a.blood)
