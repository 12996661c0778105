"""Drawn findings: each differs from the healthy picture by what its name means."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from covidlab.phantom.findings import PIXEL, draw_findings


@pytest.fixture(scope="module")
def findings():
    return {finding.name: finding for finding in draw_findings()}


def test_the_same_seed_draws_the_same(findings):
    for finding in draw_findings():
        np.testing.assert_array_equal(finding.hu, findings[finding.name].hu)


def test_outside_of_its_mask_a_finding_is_the_healthy_slice(findings):
    healthy = findings["healthy lung"]
    assert not healthy.mask.any()
    for finding in findings.values():
        np.testing.assert_array_equal(finding.hu[~finding.mask], healthy.hu[~finding.mask])
        assert finding.name == "healthy lung" or 500 < finding.mask.sum() * PIXEL**2 < 2500  # mm2


def test_ground_glass_lies_between_lung_and_water_and_leaves_vessels_to_be_seen(findings):
    healthy, glass = findings["healthy lung"].hu, findings["ground-glass opacity"]
    assert -600 < np.median(glass.hu[glass.mask]) < -400
    # A vessel is what was denser than the veil: it stays within the noise.
    vessel = (healthy > -100) & findings["consolidation"].mask
    assert vessel.sum() > 50 and np.abs(glass.hu - healthy)[vessel].max() < 100


def test_crazy_paving_is_ground_glass_with_lines(findings):
    glass, paving = findings["ground-glass opacity"], findings["crazy paving"]
    both = glass.mask & paving.mask
    added = (paving.hu - glass.hu)[both]
    assert 0.2 < np.mean(added > 100) < 0.6  # the lines
    assert np.mean(np.abs(added) < 60) > 0.3  # the cells between them


def test_a_consolidation_hides_vessels_but_not_airways(findings):
    solid = findings["consolidation"]
    inside = solid.hu[solid.mask]
    assert -50 < np.median(inside) < 80
    assert 0.01 < np.mean(inside < -600) < 0.15


def test_pleural_changes_lie_along_the_chest_wall(findings):
    pleura, healthy = findings["pleural changes"], findings["healthy lung"]
    assert -50 < np.median(pleura.hu[pleura.mask]) < 80
    # The wall is the dense part that touches the picture's lower left corner.
    near_wall = binary_dilation(healthy.hu > -200, iterations=round(25 / PIXEL))
    assert near_wall[pleura.mask].all()
