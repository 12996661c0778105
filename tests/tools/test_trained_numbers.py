"""Numbers behind a tilde have to lie where such trainings ended; the plugin that asks so is tried here by hand."""

import pytest

from tools.trained_numbers import faults

TABLE = [
    {"recipe": "light U-Net", "train_f1": "0.80", "validation_f1": "0.70", "test_f1": "0.60"},
    {"recipe": "light U-Net", "train_f1": "0.90", "validation_f1": "0.75", "test_f1": "0.65"},
]
OURS = "| light U-Net, ours, 3,000 updates | 0.99 | 0.99 | 0.99 | 0.5 |\n"


@pytest.mark.parametrize(
    "row, wrong",
    [
        ("| light U-Net, yours, 300 updates | ~0.85 | ~0.72 | ~0.62 | ~0.5 |", []),
        ("| light U-Net, yours, 300 updates | ~0.71 | ~0.84 | ~0.74 | ~0.5 |", []),  # within the margin
        ("| light U-Net, yours, 300 updates | ~0.85 | ~0.72 | ~0.45 | ~0.5 |", ["test_f1 0.45"]),
        ("| light U-Net, yours, 300 updates | ~0.00 | ~0.00 | ~nan | ~0.5 |", ["train_f1", "validation_f1", "test_f1"]),
        ("| heavy U-Net, yours, 300 updates | ~0.85 | ~0.72 | ~0.62 | ~0.5 |", ["no recipe"]),
    ],
)
def test_where_a_training_ends_is_looked_at(row, wrong):
    found = faults(OURS + row, TABLE)
    assert len(found) == len(wrong)
    assert all(words in fault for words, fault in zip(wrong, found))
