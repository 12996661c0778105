"""A patient's chest as numbers: where heart, vessels, airways and lungs lie, in mm, and how people differ."""

import numpy as np

from covidlab.phantom.shapes import Grid, SmoothField, bump, distances, join, meet, norm, step

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
        self.chambers = [self._course(points, random, self.heart) for points in HEART.values()]
        self.blood_vessels = [self._course(points, random) for points in VESSELS.values()]
        self.oesophagus = [self._course(OESOPHAGUS, random)]
        self.airways = [self._airway(points, random) for points in AIRWAYS]
        self.vessels = self._vessels(random)

    def _course(self, points, random, heart=(0, 1)) -> np.ndarray:
        """An organ's course in this patient's size and place."""
        course = np.array(points, float)
        course[:, :3] += random.normal(0, 1.2, (len(course), 3))
        front = 6 - self.cavity_sides(0.4)[1]
        course[:, 0] = course[:, 0] * self.width / 165 + heart[0]
        course[:, 1] = np.interp(course[:, 1], [-90, 25, 60], [front, self.back - 16, self.back + 19])
        course[:, 2] *= self.height / 230
        course[:, 3] *= heart[1]
        return course

    def _airway(self, points, random) -> np.ndarray:
        """Bronchi part at a patient's own places: the further out, the less is one side like the other."""
        course = np.array(points, float)
        course[2:, :3] += random.normal(0, 5, (len(course[2:]), 3)) * [1, 1, 1.6]
        course[:, 3] *= random.uniform(0.85, 1.1)
        return self._course(course, random)

    def cavity_sides(self, t):
        """Half width, half depth and centre of the rib cage's inside at relative lung height t."""
        narrow = 1 - 0.6 * np.clip((t - 0.4) / 0.65, 0, 1.1) ** 2.1
        width = (self.width - self.fat - 19) * narrow
        depth = (self.depth - 0.75 * self.fat - 22) * narrow**0.45
        return width, depth, -6 + 14 * np.clip(t - 0.5, 0, 1)

    def posture(self, x, y, z):
        """Distances to the trunk's own middle, mm, as this patient leans, rolls and is wider on one side."""
        return np.abs(x - self.lean * z) * (1 + self.flank * np.tanh(x / 40)), y + self.roll * x

    def angle(self, grid: Grid):
        """0 at the back, pi at the breastbone."""
        x, y, z = grid.xyz
        return np.abs(np.arctan2(x - self.lean * z, y - 2))

    def spaces(self, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Signed distances to the rib cage's inner wall, to the mediastinum and to the lungs, mm."""
        cavity, mediastinum = self._cavity(grid), self._mediastinum(grid)
        return cavity, mediastinum, self._lungs(grid, cavity, mediastinum)

    def _cavity(self, grid: Grid):
        """The inside of the rib cage: narrower in front than behind."""
        width, depth, centre = self.cavity_sides(grid.xyz[2] / self.height)
        x, y = self.posture(*grid.xyz)
        x, y = x / width, (y - centre) / depth
        x = x * (1 + 0.09 * np.clip(-y, 0, 1.3) ** 1.5)
        return (1 - norm(x, y, 2.3)) * depth + 2.8 * self.wall(grid)

    def dome(self, grid: Grid):
        """Height of the diaphragm, mm: two domes that hang on the rib cage, low behind and high in front."""
        x, y, _ = grid.xyz
        width, depth, centre = self.cavity_sides(0.2)
        x, y = x / width, (y - centre) / depth
        edge = np.clip(norm(x, y, 2.3), 0, 1.2)
        attached = 18 - 34 * y + 12 * y**2
        right, left = self.domes
        top = left + (right - left) * (1 - step(x, -0.3, 0.35)) - 9 * bump(x, 0.08, 0.18)
        return attached + (top - attached) * (1 - edge**2.7)

    def _mediastinum(self, grid: Grid):
        """Heart, vessels, airways and the fat about them; nothing below -40 mm."""
        x, y, z = grid.xyz
        body = np.full(grid.shape, -40, np.float32)
        for courses, coat, soft in (
            (self.chambers, 4.0, 16.0), (self.blood_vessels, 2.2, 11.0), (self.oesophagus, 1.5, 12.0),
            ((self.airways[0], self.airways[1][:3], self.airways[2][:2]), 4.0, 9.0),
        ):  # fmt: skip
            for box, distance in distances(courses, grid, 40 + coat + soft):
                body[box] = join(body[box], distance + coat, soft)
        # Fat behind the breastbone: a wedge, its edge where the lungs nearly meet.
        t = z / self.height
        _, depth, centre = self.cavity_sides(t)
        front = centre - depth
        wedge = 3 + 15 * np.exp(-np.clip(y - front, 0, None) / 13) + 16 * step(t, 0.76, 0.98) - np.abs(x - 4)
        wedge = wedge + 22 * step(0.5 - t, 0.0, 0.2)
        body = join(body, meet(wedge, 4 - y), 10.0)
        return body + 2.4 * self.lung_outline(grid)

    def _lungs(self, grid: Grid, cavity: np.ndarray, mediastinum: np.ndarray):
        """What the rib cage leaves above the diaphragm when spine and mediastinum have taken their room."""
        x, y, z = grid.xyz
        rough = self.lung_outline(grid)
        # Through the plane the edge of the diaphragm is as soft as the slice is thick: it mimics lesions.
        above = (z - self.dome(grid) - 3 * rough) * 0.8 * min(1, 2 * grid.pixel / grid.thickness)
        t = np.clip(z / self.height - 0.55, 0, None) / 0.47
        apex = 1 - np.sqrt(((np.abs(x) - 46) / 82) ** 2 + ((y - 10) / 92) ** 2 + t**2)
        behind = np.clip(y - self.back, 0, None)
        spine = 23 + 0.12 * behind - np.hypot(x - self.lean * z, np.minimum(y - self.back, 0))
        lungs = -join(-(cavity - 1.5), spine + 2 * rough, 17.0)
        return -join(-meet(lungs, above, 80 * apex + 1.2 * rough), mediastinum, 3.0)

    def _vessels(self, random: np.random.Generator) -> np.ndarray:
        """Points (x, y, z, radius) along the arteries and veins of both lungs, mm."""
        cell = 5.0
        sides, heights = np.arange(-175, 176, cell), np.arange(0, self.height + 1, cell)
        grid = Grid(sides, sides, heights, cell, cell)
        _, _, lungs = self.spaces(grid)
        trees = []
        for side in (-1, 1):
            inside = np.argwhere((lungs > 5) & (side * grid.xyz[0] > 5))
            for hilum in ((46, 2, 128), (44, 8, 110)):
                places = inside[random.choice(len(inside), 560)][:, ::-1] + random.uniform(-0.5, 0.5, (560, 3))
                targets = places * cell + [sides[0], sides[0], heights[0]]
                root, _ = self._course([(side * hilum[0], *hilum[1:], 1), (side * 60, 5, 115, 1)], random)
                trees.append(_vessel_tree(root[:3], targets, random))
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
    twigs, middle = np.ones(len(nodes)), np.zeros_like(nodes)
    for k in range(len(nodes) - 1, 0, -1):
        twigs[parent[k]] += twigs[k]
        middle[parent[k]] += twigs[k] * nodes[k]
    # Straighten: a node moves towards its parent and its heavier children.
    inner = twigs > 1
    inner[0] = False
    middle[inner] /= twigs[inner, None] - 1
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
