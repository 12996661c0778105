"""A patient's chest without lesions, in HU: what lies where, on any grid, slab by slab.

Geometry is in millimetres: x to the patient's left, y to the back, z to the head. The lungs are what the rib cage
leaves when heart, vessels, spine and diaphragm have taken their room, so their inner edges are those of the organs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

FAT, MUSCLE, AIR = -92, 50, -985


# --- tools for drawing


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a slab lie, in mm: x to the patient's left, y to the back, z to the head."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    pixel: float
    thickness: float

    @cached_property
    def xyz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Broadcastable coordinates of a (z, y, x) array."""
        kind = np.float32
        return self.x[None, None].astype(kind), self.y[None, :, None].astype(kind), self.z[:, None, None].astype(kind)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a (z, y, x) array."""
        return len(self.z), len(self.y), len(self.x)

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """The share of each voxel that is inside, from a signed distance in mm (positive inside)."""
        return np.clip(distance / self.pixel + 0.5, 0, 1)


class SmoothField:
    """Random numbers that vary smoothly in space, about 1 in size: what makes no two outlines the same.

    A lattice of normal numbers with cubic B-splines between; on a regular grid that is three matrix products. They are
    done slice by slice, so that a slice's numbers do not depend on the slab that it is drawn in, and with sparse
    matrices: four weights in a row count, and threads of a linear algebra library would fight the worker processes.
    """

    def __init__(self, random: np.random.Generator, cell: float):
        self.cell = cell
        self.origin = np.array([-80.0, -260.0, -260.0])
        size = np.ceil((np.array([460.0, 520.0, 520.0])) / cell).astype(int) + 4
        self.values = random.standard_normal(size).astype(np.float32) * 1.7
        self._drawn = None, None

    def __call__(self, grid: Grid) -> np.ndarray:
        """float32 (z, y, x), not to be changed: several organs of a slab share it."""
        if self._drawn[0] is not grid:
            rows, columns = (sparse.csr_array(self._weights(axis, at)) for axis, at in ((1, grid.y), (2, grid.x)))
            drawn = np.empty(grid.shape, np.float32)
            for k, heights in enumerate(self._weights(0, grid.z)):
                plane = sum(heights[near] * self.values[near] for near in np.flatnonzero(heights))
                drawn[k] = (columns @ (rows @ plane).T).T
            self._drawn = grid, drawn
        return self._drawn[1]

    def _weights(self, axis: int, places: np.ndarray) -> np.ndarray:
        position = (places - self.origin[axis]) / self.cell + 1
        offset = np.abs(position[:, None] - np.arange(self.values.shape[axis])[None])
        near = 2 / 3 - offset**2 + offset**3 / 2
        far = np.clip(2 - offset, 0, None) ** 3 / 6
        return np.where(offset < 1, near, far).astype(np.float32)


@dataclass(frozen=True)
class Tube:
    """A piece of an organ: a cone with round ends, from start to end.

    Parameters
    ----------
    start, end : float arrays (x, y, z), mm
    radii : tuple of two float, mm
    """

    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]

    def distance(self, grid: Grid, reach: float) -> tuple[tuple[slice, slice, slice], np.ndarray] | None:
        """The box of the slab within reach (mm) of it, and the signed distances there; None where there is no box."""
        low = np.minimum(self.start, self.end) - max(self.radii) - reach
        high = np.maximum(self.start, self.end) + max(self.radii) + reach
        near = [np.flatnonzero((p > a) & (p < b)) for p, a, b in zip((grid.x, grid.y, grid.z), low, high)]
        if not all(len(one) for one in near):
            return None
        box = tuple(slice(one[0], one[-1] + 1) for one in near[::-1])
        x, y, z = grid.xyz
        apart = x[..., box[2]] - self.start[0], y[:, box[1]] - self.start[1], z[box[0]] - self.start[2]
        way = (self.end - self.start).astype(np.float32)
        along = np.clip(sum(a * w for a, w in zip(apart, way)) / max(float(way @ way), 1e-6), 0, 1)
        off = np.sqrt(sum((a - along * w) ** 2 for a, w in zip(apart, way)))
        return box, self.radii[0] + (self.radii[1] - self.radii[0]) * along - off


def step(value, low: float, high: float):
    """0 below low, 1 above high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _over(image: np.ndarray, share: np.ndarray, hu) -> None:
    """Paint a tissue over the image where its share is above 0."""
    image += share * (hu - image)


def _ellipse(x, y, cx, cy, rx, ry):
    """About the signed distance to an ellipse, mm, positive inside."""
    return (1 - np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)) * np.minimum(rx, ry)


def _join(a, b, soft: float):
    """The union of two bodies, its inner edge filled as by a fillet of about this many mm."""
    overlap = np.clip(soft - np.abs(a - b), 0, None)
    return np.maximum(a, b) + overlap * overlap / (4 * soft)


def _bump(value, centre: float, width: float):
    return np.exp(-(((value - centre) / width) ** 2))


# --- a patient

# Courses of the mediastinal organs in a patient 230 mm high from the lungs' lowest edge to their top, the spine's front
# at y = 25: points (x, y, z) and a radius at each.
HEART = {
    "left ventricle": [(18, -16, 104, 32), (50, -42, 68, 28)],
    "right ventricle": [(0, -50, 100, 27), (26, -58, 66, 25)],
    "right atrium": [(-24, -20, 114, 24), (-22, -18, 72, 26)],
    "left atrium": [(-16, 4, 118, 19), (20, 4, 120, 18)],
}
VESSELS = {
    "aorta": [
        (0, -24, 114, 15), (-16, -34, 142, 16), (-12, -28, 166, 15), (4, -12, 176, 13), (19, 12, 173, 12.5),
        (25, 26, 160, 12.5), (24, 28, 110, 12), (18, 26, 60, 11.5), (8, 20, 10, 11), (4, 20, -60, 11),
    ],
    "superior vena cava": [(-26, -22, 186, 9), (-27, -20, 150, 9.5), (-26, -16, 118, 11)],
    "left brachiocephalic vein": [(-24, -24, 186, 8), (8, -40, 194, 7), (42, -36, 206, 7)],
    "right brachiocephalic vein": [(-26, -22, 186, 8.5), (-34, -24, 212, 7)],
    "inferior vena cava": [(-26, -8, 82, 13), (-24, 0, 30, 12), (-22, 4, -60, 12)],
    "azygos": [(-8, 27, -40, 3.5), (-9, 26, 148, 4), (-17, 12, 162, 5), (-25, -12, 160, 5)],
    "innominate artery": [(-6, -20, 174, 7.5), (-16, -14, 200, 7), (-32, -6, 226, 5)],
    "left carotid": [(6, -10, 176, 5), (14, -4, 204, 4.5), (18, -4, 240, 4)],
    "left subclavian": [(16, 6, 176, 6), (24, 8, 205, 5.5), (40, -2, 230, 5)],
    "pulmonary trunk": [(16, -46, 112, 14), (20, -30, 136, 14.5)],
    "left pulmonary artery": [(20, -30, 136, 12), (36, -6, 144, 11), (46, 8, 128, 8.5), (50, 14, 108, 6.5)],
    "right pulmonary artery": [(18, -26, 138, 11), (-8, -12, 136, 10.5), (-36, -6, 132, 9), (-50, 6, 110, 6.5)],
    "left veins": [(20, 4, 118, 9), (44, 12, 104, 6)],
    "left upper vein": [(22, -2, 122, 8), (44, -20, 132, 5.5)],
    "right veins": [(-20, 6, 116, 9), (-44, 14, 102, 6)],
    "right upper vein": [(-22, -6, 122, 8), (-44, -22, 126, 5.5)],
}  # fmt: skip
OESOPHAGUS = [(2, 20, 245, 7), (5, 17, 165, 7), (4, 15, 120, 7), (12, 8, 55, 8), (26, -6, 20, 9)]
AIRWAYS = [
    [(0, -2, 262, 8.5), (-2, 6, 150, 8.5)],
    [(-4, 6, 153, 7), (-28, 10, 135, 6.5), (-38, 14, 112, 5), (-42, 26, 92, 3.5), (-46, 36, 70, 2.2)],
    [(0, 6, 153, 6.5), (34, 12, 130, 5.8), (44, 22, 108, 4.2), (48, 32, 80, 2.4)],
    [(-26, 9, 138, 4.2), (-48, 10, 146, 3.2), (-62, 18, 158, 2)],
    [(-26, 9, 138, 4.2), (-50, 0, 142, 3), (-62, -22, 150, 2)],
    [(36, 12, 128, 4), (52, -4, 134, 3.2), (64, -18, 146, 2)],
    [(-39, 14, 110, 3), (-56, -14, 94, 2)],
]


class Anatomy:
    """One patient: sizes drawn once, and functions that say where each organ is."""

    def __init__(self, seed: int, patient: int):
        random = np.random.default_rng([seed, patient, 1])
        u = random.uniform
        self.width, self.depth = u(152, 178), u(104, 124)  # half, of the body
        self.squareness = u(2.15, 2.8)
        self.fat = u(4, 17)
        self.height = u(205, 250)  # of the lungs
        self.heart = (u(-4, 6), u(0.9, 1.12))  # shift to the left, size
        self.domes = (u(52, 74), u(38, 58))  # right and left, mm above the recess
        self.lean, self.roll = u(-0.04, 0.04), u(-0.07, 0.07)  # nobody lies quite straight
        self.flank = u(-0.05, 0.05)  # one half of the trunk is the wider
        self.rib_spacing, self.rib_drop, self.rib_phase = u(25, 31), u(42, 70), u(0, 30)
        self.rib_shift, self.rib_size = random.normal(0, 4.0, (2, 40)), u(0.55, 1.15, (2, 40))
        self.bone, self.cortex = u(0.45, 0.85), u(0.6, 1.2)  # young bone is dense, old bone is thin
        self.vertebra, self.spinous = (u(16, 21), u(13.5, 17), u(2.0, 3.2)), (u(48, 58), u(-4, 4))
        self.blood = random.choice([42.0, 46.0, 70.0, 130.0])  # with or without contrast medium
        # How deeply the patient breathed in: steps of the golden ratio spread even a few patients over the range.
        self.parenchyma = -860 + 120 * ((0.618 * patient + u(0, 0.15)) % 1)
        self.dependent = u(120, 210)  # HU that gravity adds at the back
        self.muscles = u(0.7, 1.35)
        self.liver = u(12, 40)  # how far it reaches to the left
        self.breast = u(2, 16) * (u(0, 1) < 0.4)
        self.shoulder = u(0.15, 0.34)
        self.back = self.depth - 0.75 * self.fat - u(63, 72)  # centre of the vertebral bodies
        # Couch: gap to the back, sag, thickness, how deep its shell; a blanket or a cable; gas in the gut.
        self.couch = (u(2, 10), u(8, 34), u(10, 40), u(-700, -250), u(0, 1) < 0.6)
        self.gas = [(u(30, 100), u(-70, 0), u(-25, 55), u(5, 22), u(5, 15)) for _ in range(random.integers(1, 6))]
        self.stomach = (u(40, 78), u(-50, -10), u(32, 50), u(22, 36), u(-4, 42))
        self.outline, self.wall, self.lung_outline = (SmoothField(random, cell) for cell in (95, 50, 38))
        self.fat_field, self.marrow = SmoothField(random, 34), SmoothField(random, 9)
        self.mosaic, self.fine = SmoothField(random, 38), SmoothField(random, 9)
        self.organ, self.fissure = SmoothField(random, 32), SmoothField(random, 70)
        self.apart = u(-30, 30)  # mm by which one lung's fissure lies higher than the other's
        self.bands = [
            # Steep enough that a slice cuts a band and not a veil.
            (u(-1, 1), u(0.05, 0.3), u(-0.5, 0.5), u(0.4, 0.9) * random.choice([-1, 1]), u(15, 40))
            for _ in range(random.integers(1, 5))
        ]
        self.chambers = [tube for course in HEART.values() for tube in self._tubes(course, random, self.heart)]
        self.blood_vessels = [tube for course in VESSELS.values() for tube in self._tubes(course, random)]
        self.oesophagus = self._tubes(OESOPHAGUS, random)
        self.airways = [self._airway(course, random) for course in AIRWAYS]
        self.vessels = self._vessels(random)

    def _tubes(self, course, random, heart=(0, 1)) -> list[Tube]:
        """An organ's course in this patient's size and place."""
        course = np.array(course, float)
        course[:, :3] += random.normal(0, 1.2, (len(course), 3))
        front = 6 - self.cavity_sides(0.4)[1]
        course[:, 0] = course[:, 0] * self.width / 165 + heart[0]
        course[:, 1] = np.interp(course[:, 1], [-90, 25, 60], [front, self.back - 16, self.back + 19])
        course[:, 2] *= self.height / 230
        course[:, 3] *= heart[1]
        return [Tube(a[:3], b[:3], (a[3], b[3])) for a, b in zip(course, course[1:])]

    def _airway(self, course, random) -> list[Tube]:
        """Bronchi part at a patient's own places: the further out, the less is one side like the other."""
        course = np.array(course, float)
        course[2:, :3] += random.normal(0, 5, (len(course[2:]), 3)) * [1, 1, 1.6]
        course[:, 3] *= random.uniform(0.85, 1.1)
        return self._tubes(course, random)

    def cavity_sides(self, t):
        """Half width, half depth and centre of the rib cage's inside at relative lung height t."""
        narrow = 1 - 0.6 * np.clip((t - 0.4) / 0.65, 0, 1.1) ** 2.1
        width = (self.width - self.fat - 19) * narrow
        depth = (self.depth - 0.75 * self.fat - 22) * narrow**0.45
        return width, depth, -6 + 14 * np.clip(t - 0.5, 0, 1)

    def posture(self, x, y, z):
        """Distances to the trunk's own middle, mm, as this patient leans, rolls and is wider on one side."""
        return np.abs(x - self.lean * z) * (1 + self.flank * np.tanh(x / 40)), y + self.roll * x

    def ring(self, grid: Grid):
        """0 in the middle of the rib cage, 1 at its inner wall; narrower in front than behind."""
        x, y, z = grid.xyz
        t = z / self.height
        width, depth, centre = self.cavity_sides(t)
        x, y = self.posture(x, y, z)
        x, y = x / width, (y - centre) / depth
        x = x * (1 + 0.09 * np.clip(-y, 0, 1.3) ** 1.5)
        return (x**2.3 + np.abs(y) ** 2.3) ** (1 / 2.3)

    def cavity(self, grid: Grid):
        """Signed distance to the inner wall of the rib cage, mm."""
        _, depth, _ = self.cavity_sides(grid.xyz[2] / self.height)
        return (1 - self.ring(grid)) * depth + 2.8 * self.wall(grid)

    def dome(self, grid: Grid):
        """Height of the diaphragm, mm: two domes that hang on the rib cage, low behind and high in front."""
        x, y, _ = grid.xyz
        width, depth, centre = self.cavity_sides(0.2)
        x, y = x / width, (y - centre) / depth
        edge = np.clip((np.abs(x) ** 2.3 + np.abs(y) ** 2.3) ** (1 / 2.3), 0, 1.2)
        attached = 18 - 34 * y + 12 * y**2
        right, left = self.domes
        top = left + (right - left) * (1 - step(x, -0.3, 0.35)) - 9 * _bump(x, 0.08, 0.18)
        return attached + (top - attached) * (1 - edge**2.7)

    def mediastinum(self, grid: Grid):
        """Signed distance to heart, vessels, airways and the fat about them; nothing below -40 mm."""
        x, y, z = grid.xyz
        body = np.full(grid.shape, -40, np.float32)
        for tubes, coat, soft in (
            (self.chambers, 4.0, 16.0), (self.blood_vessels, 2.2, 11.0), (self.oesophagus, 1.5, 12.0),
            (self.airways[0] + self.airways[1][:2] + self.airways[2][:1], 4.0, 9.0),
        ):  # fmt: skip
            for tube in tubes:
                if near := tube.distance(grid, 40 + coat + soft):
                    box, distance = near
                    body[box] = _join(body[box], distance + coat, soft)
        # Fat behind the breastbone: a wedge, its edge where the lungs nearly meet.
        t = z / self.height
        front = self.cavity_sides(t)[2] - self.cavity_sides(t)[1]
        wedge = 3 + 15 * np.exp(-np.clip(y - front, 0, None) / 13) + 16 * step(t, 0.76, 0.98) - np.abs(x - 4)
        wedge = wedge + 22 * step(0.5 - t, 0.0, 0.2)
        body = _join(body, np.minimum(wedge, 4 - y), 10.0)
        return body + 2.4 * self.lung_outline(grid)

    def lungs(self, grid: Grid, cavity: np.ndarray, mediastinum: np.ndarray):
        """Signed distance to the lungs, mm."""
        x, y, z = grid.xyz
        rough = self.lung_outline(grid)
        # Through the plane the edge of the diaphragm is as soft as the slice is thick: it mimics lesions.
        above = (z - self.dome(grid) - 3 * rough) * 0.8 * min(1, 2 * grid.pixel / grid.thickness)
        t = np.clip(z / self.height - 0.55, 0, None) / 0.47
        apex = 1 - np.sqrt(((np.abs(x) - 46) / 82) ** 2 + ((y - 10) / 92) ** 2 + t**2)
        behind = np.clip(y - self.back, 0, None)
        spine = 23 + 0.12 * behind - np.hypot(x - self.lean * z, np.minimum(y - self.back, 0))
        lungs = -_join(-(cavity - 1.5), spine + 2 * rough, 17.0)
        lungs = np.minimum(np.minimum(lungs, above), 80 * apex + 1.2 * rough)
        return -_join(-lungs, mediastinum, 3.0)

    def _vessels(self, random: np.random.Generator) -> np.ndarray:
        """Points (x, y, z, radius) along the arteries and veins of both lungs, mm."""
        cell = 5.0
        sides, heights = np.arange(-175, 176, cell), np.arange(0, self.height + 1, cell)
        grid = Grid(sides, sides, heights, cell, cell)
        lungs = self.lungs(grid, self.cavity(grid), self.mediastinum(grid))
        trees = []
        for side in (-1, 1):
            inside = np.argwhere((lungs > 5) & (side * grid.xyz[0] > 5))
            for hilum in ((46, 2, 128), (44, 8, 110)):
                places = inside[random.choice(len(inside), 560)][:, ::-1] + random.uniform(-0.5, 0.5, (560, 3))
                targets = places * cell + [sides[0], sides[0], heights[0]]
                (start,) = self._tubes([(side * hilum[0], *hilum[1:], 1), (side * 60, 5, 115, 1)], random)
                trees.append(_vessel_tree(start.start, targets, random))
        return np.concatenate(trees)


def _vessel_tree(root: np.ndarray, targets: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Points (x, y, z, radius) of a tree that reaches every target: short twigs on ways that stay direct, mm."""
    targets = targets[np.argsort(np.linalg.norm(targets - root, axis=1))]
    nodes = np.concatenate([root[None], targets])
    parent, way = np.zeros(len(nodes), int), np.zeros(len(nodes))
    for k in range(1, len(nodes)):
        apart = np.linalg.norm(nodes[:k] - nodes[k], axis=1)
        parent[k] = np.argmin(apart + 0.6 * way[:k])
        way[k] = way[parent[k]] + apart[parent[k]]
    twigs = np.ones(len(nodes))
    children, middle = np.zeros(len(nodes)), np.zeros_like(nodes)
    for k in range(len(nodes) - 1, 0, -1):
        twigs[parent[k]] += twigs[k]
        children[parent[k]] += twigs[k]
        middle[parent[k]] += twigs[k] * nodes[k]
    # Straighten: a node moves towards its parent and its heavier children.
    inner = children > 0
    inner[0] = False
    middle[inner] /= children[inner, None]
    nodes[inner] = 0.4 * nodes[inner] + 0.3 * nodes[parent[inner]] + 0.3 * middle[inner]
    # A vessel's cross-section is shared out among its branches: hardly half a millimetre is left to a twig.
    radius = np.minimum(0.48 * twigs**0.39, 5.0)
    points = []
    for k in range(1, len(nodes)):
        start, end = nodes[parent[k]], nodes[k]
        length = np.linalg.norm(end - start)
        s = np.linspace(0, 1, max(2, int(length / max(0.8, 0.4 * radius[k]))))[:, None]
        bend = random.normal(0, 0.09 * length, 3) * 4 * s * (1 - s)
        # It tapers: a branch leaves hardly wider than it goes on, and ends as its widest child begins.
        wide = min(radius[parent[k]], 1.35 * radius[k])
        points.append(np.hstack([start + s * (end - start) + bend, wide + s * (radius[k] - wide)]))
    return np.concatenate(points)


# --- one slab of a scan


def draw_chest(anatomy: Anatomy, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The chest without lesions on a slab.

    Parameters
    ----------
    anatomy : Anatomy
    grid : Grid
        Slices may be drawn in slabs of any size: the voxels are the same.

    Returns
    -------
    image : float32 array (z, y, x), HU
    lungs, cavity : float32 arrays (z, y, x)
        Signed distance to the lungs and to the rib cage's inner wall, mm, positive inside.
    """
    a = anatomy
    t = grid.xyz[2] / a.height
    image = np.full(grid.shape, -1000, np.float32)
    cavity, mediastinum = a.cavity(grid), a.mediastinum(grid)
    lungs = a.lungs(grid, cavity, mediastinum)
    _couch(image, grid, a)
    body = _body(image, grid, a, t)
    _chest_wall(image, grid, a, t, cavity, body)
    _abdomen(image, grid, a, cavity)
    _mediastinum(image, grid, a, cavity, mediastinum)
    _over(image, grid.inside(lungs), _parenchyma(grid, a, t, mediastinum))
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
        _over(image, share + 0 * image, shell)
    if blanket:  # loose folds over the chest
        fold = -a.depth * (1.04 - 0.32 * (x / a.width) ** 2) + 4 * a.fat_field(grid) - 6
        share = np.clip(0.8 - np.abs(y - fold) / max(grid.pixel, 1.2), 0, 1) * (a.organ(grid) > 0.1)
        _over(image, 0.3 * share, -500)


def _body(image, grid, a, t):
    """Skin and the fat under it; returns the signed distance to the skin."""
    x, y, z = grid.xyz
    high = step(t, 0.5, 1.0)
    width, depth = a.width * (1 + a.shoulder * high), a.depth * (1 - 0.16 * step(t, 0.55, 1.1))
    power = a.squareness - 0.25 * high
    # The back is flatter than the chest, and near the shoulders it is the wider of the two.
    lateral, y = a.posture(x, y, z)
    lateral = lateral / width * (1 + (0.05 + 0.16 * high) * np.clip(-y / depth, 0, 1))
    ring = (lateral**power + np.abs(y * np.where(y > 0, 1.0, 1.04) / depth) ** power) ** (1 / power)
    body = (1 - ring) * depth + 7 * a.outline(grid) - 6 * np.exp(-((x / 24) ** 2)) * step(y, 0, 40)
    if a.breast:
        for side in (-1, 1):
            tube = Tube(
                np.array([side * 74, -a.depth * 0.62, 0.44 * a.height]),
                np.array([side * 88, 14 - a.depth * 0.74 - a.breast, 0.34 * a.height]),
                (46.0, 24 + 0.6 * a.breast),
            )
            if near := tube.distance(grid, 40):
                box, distance = near
                body[box] = _join(body[box], distance + 2 * a.outline(grid)[box], 34.0)
    _over(image, grid.inside(body), 10)
    _over(image, grid.inside(body - 2), FAT + 7 * a.fat_field(grid))
    if a.breast:  # strands of glands
        glands = np.minimum(np.minimum(body - 9, -y - a.depth * 0.80), 46 - np.abs(np.abs(x) - 80))
        glands = glands - 4 + 7 * a.organ(grid) - 90 * np.clip(np.abs(t - 0.38) - 0.12, 0, 1)
        _over(image, 0.7 * grid.inside(glands), 25)
    return body


def _bone(image, grid, a, distance, cortex, marrow=130.0):
    """Dense outside, marrow inside."""
    _over(image, grid.inside(distance), 420 * a.bone)
    _over(image, grid.inside(distance - a.cortex * cortex), (marrow + 60 * a.marrow(grid)) * a.bone)


def _chest_wall(image, grid, a, t, cavity, body):
    """Muscles in layers with fat between, shoulder blades, collar bones, heads of the arms."""
    x, y, z = grid.xyz
    out = -cavity
    field, under_skin = a.fat_field(grid), body - 2
    angle = np.abs(np.arctan2(x - a.lean * z, y - 2)) + 0 * z  # 0 at the back, pi at the breastbone
    high = step(t, 0.66, 0.92)
    pectoral = 15 * _bump(angle, 2.3, 0.45) * step(t, 0.38, 0.62)
    latissimus = 15 * _bump(angle, 0.95, 0.42) * step(t, 0.05, 0.5)
    serratus = 7 * _bump(angle, 1.5, 0.6)
    back = 30 * _bump(angle, 0.0, 0.5)
    thick = a.muscles * (pectoral + latissimus + serratus + 90 * high) + back + 1.5 * field
    fat = a.fat * (0.75 + 0.25 * np.cos(angle) ** 2) * (1 - 0.25 * high) + 2 * field
    muscle = np.minimum(14 + thick - out, under_skin - fat)
    _over(image, grid.inside(muscle), MUSCLE + 5 * a.organ(grid) + 5 * field)
    # Fat between the layers: round the rib cage, between the outer muscles, and in the armpit.
    plane = max(1.2, 0.45 * grid.pixel)
    rim = step(angle, 0.5, 0.7)
    between = y + 6 + 7 * field - 0.3 * (np.abs(x) - 100)  # the chest's muscles from the shoulder blade's
    for apart, width in (
        (out - 13.5 - 0.8 * field, 1.0 * rim),
        (out - 14 - 0.52 * np.minimum(thick, 30) - 4 * field, 1.2 * rim * step(thick, 10, 16)),
        (between, 1.3 * high * step(out, 12, 20)),
    ):
        share = np.clip((width * plane - np.abs(apart)) / grid.pixel + 0.6, 0, 1) * (width > 0.3)
        _over(image, 0.8 * share * grid.inside(under_skin - fat), FAT)
    armpit = (1 - np.hypot((out - 27) / 15, (angle - 1.65) / 0.34)) * 10 * a.muscles
    armpit = np.minimum(armpit + 8 * field, 90 * np.minimum(t - 0.5, 1.0 - t))
    _over(image, grid.inside(np.minimum(armpit, under_skin - 4)), FAT)
    # The groove between the long muscles of the back.
    groove = np.minimum(1.8 - np.abs(x - a.lean * z), y - a.back - 40)
    _over(image, 0.7 * grid.inside(np.minimum(groove, under_skin)), FAT)

    turn = 0.86 + 4 * a.lean * np.sign(x)
    blade = np.minimum(2.2 - np.abs(out - 26 - 16 * (angle - 0.8) - 2 * field), (0.36 - np.abs(angle - turn)) * 75)
    ridge = np.minimum(2.4 - np.abs(angle - 1.02 + 0.004 * (out - 30)) * 70, np.minimum(out - 27, 56 - out))
    ridge = np.minimum(ridge, 160 * (t - 0.74))
    blade = np.minimum(np.maximum(blade, ridge), 110 * np.minimum(t - 0.47, 1.15 - t))
    _bone(image, grid, a, np.minimum(blade, body - 9), 1.6)
    front = a.depth * 0.86
    for side in (-1, 1):
        for start, end, radii in (
            ((16, 16 - front, 0.90), (58, 30 - front, 0.96), (9.0, 5.5)),
            ((58, 30 - front, 0.96), (120, 60 - front, 1.04), (5.5, 6.5)),
            ((150, 2, 1.02), (152, -4, 1.2), (22.0, 21.0)),
        ):
            place = [np.array([side * p[0], p[1], p[2] * a.height]) for p in (start, end)]
            if near := Tube(*place, radii).distance(grid, 5):
                box, distance = near
                thin = Grid(grid.x[box[2]], grid.y[box[1]], grid.z[box[0]], grid.pixel, grid.thickness)
                _bone(image[box], thin, a, np.minimum(distance, body[box] - 5), 2.0)


def _abdomen(image, grid, a, cavity):
    """Below the diaphragm: liver on the right, stomach, spleen and gut with gas on the left."""
    x, y, z = grid.xyz
    if grid.z[0] > max(a.domes) + 30:
        return
    organ, field = a.organ(grid), a.fat_field(grid)
    inside = grid.inside(cavity - 1)
    below = np.clip((a.dome(grid) - z) / grid.thickness + 0.6, 0, 1) * inside
    _over(image, below, -55 + 40 * organ)
    liver = np.minimum(cavity - 3, a.liver - x - 0.5 * np.clip(y, -80, 60) + 13 * organ)
    _over(image, below * grid.inside(liver), 58 + 3 * field)
    spleen = np.minimum(_ellipse(x, y, 92, 36, 38, 34) + 4 * organ, cavity - 3)
    _over(image, below * grid.inside(spleen), 50 + 3 * field)
    for gx, gy, gz, gr, gh in a.gas:
        bubble = (1 - np.sqrt(((x - gx) / gr) ** 2 + ((y - gy) / gr) ** 2 + ((z - gz) / gh) ** 2)) * gr + 3 * field
        _over(image, below * grid.inside(np.minimum(bubble + 3, cavity - 5)), 35)
        _over(image, below * grid.inside(np.minimum(bubble, cavity - 8)), -900)
    cx, cy, rx, ry, level = a.stomach
    stomach = np.minimum(_ellipse(x, y, cx, cy, rx, ry) + 11 * organ, cavity - 4)
    _over(image, below * grid.inside(stomach), 38)
    _over(image, below * grid.inside(stomach - 4), 15 + 25 * field)
    _over(image, below * grid.inside(np.minimum(stomach - 4, cy - level - y)), -940)


def _mediastinum(image, grid, a, cavity, mediastinum):
    """Heart, great vessels and gullet, in fat."""
    z = grid.xyz[2]
    organ, inside = a.organ(grid), grid.inside(cavity)
    above = np.clip((z - a.dome(grid)) / grid.thickness + 0.5, 0, 1) * inside
    _over(image, above * grid.inside(mediastinum + 30), -92 + 9 * a.fat_field(grid))
    muscle = np.full(grid.shape, -40, np.float32)
    for tube in a.chambers:
        if near := tube.distance(grid, 56):
            muscle[near[0]] = _join(muscle[near[0]], near[1], 16.0)
    _over(image, above * grid.inside(muscle + 1.5 * organ), 44 + 4 * organ)
    for tube in a.chambers:
        if near := tube.distance(grid, 3):
            box, distance = near
            _over(image[box], 0.8 * above[box] * grid.inside(distance - 8 + 3 * organ[box]), a.blood + 4)
    for tubes, hu, wall in ((a.oesophagus, 38.0, 1.0), (a.blood_vessels, a.blood, 1.0)):
        for tube in tubes:
            if near := tube.distance(grid, 3):
                box, distance = near
                _over(image[box], grid.inside(distance + wall * organ[box]) * inside[box], hu)


def _ribs_and_sternum(image, grid, a, t, cavity, body):
    x, y, z = grid.xyz
    out = -cavity
    # A rib runs level near the spine, falls along the side and less in front: an axial slice cuts each a way along.
    angle = np.abs(np.arctan2(x - a.lean * z, y - 2)) + 0 * z
    fall = a.rib_drop * (1 - np.cos(0.85 * angle)) + 12 * angle + 2.5 * a.fat_field(grid)
    place = (z + 80 + fall + a.rib_phase) / a.rib_spacing
    number = np.clip(place.astype(int), 0, 39)
    side = (x > 0) & np.ones(grid.shape, bool)
    size = np.where(side, a.rib_size[0][number], a.rib_size[1][number])
    shift = np.where(side, a.rib_shift[0][number], a.rib_shift[1][number])
    along = (place - number - 0.5) * a.rib_spacing - shift
    # The flat of a rib leans outwards below.
    across = out - 6.8 + 0.22 * along
    rib = (1 - np.sqrt((across / (3.7 * size**0.5)) ** 2 + (along / (6.4 * size)) ** 2)) * 3.7
    front = 2.45 + 0.35 * np.clip(t - 0.35, -0.4, 0.4)
    _bone(image, grid, a, np.minimum(np.minimum(rib, (front - angle) * 60), body - 5), 1.25, 160)
    cartilage = np.minimum(np.minimum(rib + 0.5, (angle - front) * 60), 110 * (0.86 - t))
    _over(image, grid.inside(np.minimum(cartilage, body - 5)), 105 + 20 * a.marrow(grid))
    _, depth, centre = a.cavity_sides(t)
    wide = 15 + 14 * step(t, 0.66, 0.82)
    sternum = _ellipse(x - a.lean * z, y, 0, centre - depth - 9 + 0.006 * x**2, wide, 6.0 + 0 * z)
    sternum = np.minimum(sternum + 0.6 * a.fat_field(grid), 90 * np.minimum(t - 0.16, 0.9 - t))
    _bone(image, grid, a, np.minimum(sternum, body - 5), 1.3, 110)


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
    sideways, back = np.abs((x + bend) / (across * size * waist)), np.abs(y / (deep * size * waist))
    vertebra = (1 - (sideways**power + back**power) ** (1 / power)) * deep + 1.6 * a.fat_field(grid)
    vertebra = np.minimum(vertebra, 13.5 - y - 1.5 * np.exp(-((x / 8) ** 2)))
    _over(image, grid.inside(vertebra), (430 - 320 * disc) * a.bone)
    _over(image, grid.inside(vertebra - 1.6 * a.cortex), (165 + 60 * a.marrow(grid) - 80 * disc) * a.bone)
    canal = _ellipse(x, y, 0, 22, 9.5, 8.5) + 0 * z
    pedicle = np.minimum(4.2 - np.abs(np.abs(x) - 12.5), np.minimum(y - 8 - 10 * disc, 31 - y))
    lamina = np.minimum(3.8 - np.abs(y - 34 + 0.75 * np.abs(x)) * 0.8, 18 - np.abs(x))
    # The transverse processes point back and out, on the upper half; the spinous one slants down behind them.
    wing = 4.4 - 0.05 * np.abs(x) - np.abs(y - 22 - 0.4 * np.abs(x) - 2 * a.organ(grid)) * 0.93
    wing = np.minimum(np.minimum(wing, 30 * size - np.abs(x)), np.minimum(np.abs(x) - 11, 5 - np.abs(level - 17)))
    slant, (tip, aside) = 6 * ((level - 14) / 12), a.spinous
    away = x + 1.5 * a.fat_field(grid) - aside * (y - 33) / 20
    spinous = np.minimum(3.1 - np.abs(away), np.minimum(y - 33 + slant, tip + slant - y))
    spinous = np.minimum(spinous, 8.5 - np.abs(level - 13))
    for part in (pedicle, lamina, wing, spinous):
        _bone(image, grid, a, np.minimum(part + 0.5 * a.fat_field(grid), body - 5), 1.3, 190)
    _over(image, grid.inside(canal), 25)


def _airways(image, grid, a):
    walls = [(tube, 1.4) for course in a.airways for tube in course]
    for tube, thick, hu in [(t, w, 10) for t, w in walls] + [(t, 0.0, AIR) for t, _ in walls]:
        if near := tube.distance(grid, 4):
            _over(image[near[0]], grid.inside(near[1] + thick), hu)


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
    # Scanners cut thinner slices than they keep: what a vessel fills is counted over 3 mm at most.
    beam = min(grid.thickness, 2.0)
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
    _over(image, share * grid.inside(lungs + 1), a.blood if a.blood < 100 else 0.8 * a.blood)
