"""What notebook 01 says of numbers that a run could change."""

from tools.prose import Claim, output

NOTEBOOK = "01_ct_background"
CLAIMS = [
    Claim(NOTEBOOK, r"So a CT number of the lung says how much air is in it",
          output(r"half air, half water +(-?\d+) HU"), lambda _, true: true == [-500]),
    Claim(NOTEBOOK, r"Ground-glass lies near (-\d+) HU", output(r"^ground-glass opacity +(-\d+) HU"),
          lambda said, true: abs(said[0] - true[0]) < 60),
    Claim(NOTEBOOK, r"with CT numbers near (-\d+) HU for ground-glass",
          output(r"^ground-glass opacity +(-\d+) HU"), lambda said, true: abs(said[0] - true[0]) < 60),
    Claim(NOTEBOOK, r"Consolidated lung is nearly as dense as muscle",
          output(r"^consolidation +(-?\d+) HU"), lambda _, true: 0 < true[0] < 80),
    Claim(NOTEBOOK, r"Healthy lung is more than two thirds air", output(r"^healthy lung +(-\d+) HU"),
          lambda _, true: -780 < true[0] < -667),
    Claim(NOTEBOOK, r"The pleural change is near water", output(r"^pleural changes +(-?\d+) HU"),
          lambda _, true: abs(true[0]) < 20),
    Claim(NOTEBOOK, r"Nearly all that is marked is no lesion, and about a fifth of the lesion is left out",
          output(r"^precision (\d+)%, recall (\d+)%"), lambda _, true: true[0] < 20 and 75 <= true[1] <= 85),
    Claim(NOTEBOOK, r"A voxel is no cube: a slice is thicker than a pixel is wide",
          output(r"a voxel is ([\d.]+) times as thick"), lambda _, true: true[0] > 1.5),
    Claim(NOTEBOOK, r"on our slice much of the boxes is healthy",
          output(r"boxes, (\d+)% of their pixels are lesion"), lambda _, true: true[0] < 65),
]  # fmt: skip
