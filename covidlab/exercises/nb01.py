"""Checks of the exercises of notebook 01: windows."""

from collections.abc import Callable

import numpy as np

from covidlab.data.intensities import window
from covidlab.exercises import checking


def check_window_ends(black: float | None, white: float | None) -> str:
    """Check which CT numbers a window of level -600 and width 1200 HU shows black and white (notebook 01).

    Parameters
    ----------
    black, white : float
        The highest CT number that is black, the lowest that is white, HU.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_window_ends(0, -1200)
    'Not quite: the other way round. What is thin is dark.'
    """
    if problem := checking.no_number(black, white):
        return problem
    level, width = -600, 1200
    mistakes = {
        (level + width / 2, level - width / 2): "the other way round. What is thin is dark.",
        (level - width, level + width): "that is twice as wide. The width goes from black to white, not to the middle.",
        (level, level + width): "that starts at the level. The level is the middle of the window.",
        (level - width, level): "that ends at the level. The level is the middle of the window.",
        (level, width): "those are level and width themselves. Go half a width down from the level, and up.",
        (-level - width / 2, -level + width / 2): "the level is negative.",
    }
    if (black, white) == (level - width / 2, level + width / 2):
        return "Right: half a width below the level, half a width above it."
    return "Not quite: " + mistakes.get((black, white), "go half a width down from the level, and half a width up.")


def check_window(function: Callable[[np.ndarray, float, float], np.ndarray]) -> str:
    """Check a function that maps CT numbers to grey values by a window (notebook 01).

    Parameters
    ----------
    function : callable (hu, level, width) -> array of the same shape
        0 at the window's lower end and below, 1 at its upper end and above, straight between. It gets an int16 array,
        as scans are stored.

    Returns
    -------
    str
        A sentence that begins with "Right", "Not quite" or "Not yet".

    Examples
    --------
    >>> check_window(lambda hu, level, width: (hu - level) / width + 0.5)
    'Not quite: at 3000 HU it gives 3.778. Below the window all is 0, above it all is 1.'
    """
    level, width = 50, 900
    lowest = level - width / 2
    # No number lies on an end or on the level: an answer may treat those either way.
    hu = np.array([[-1000, -401, -175], [20, 275, 499], [501, 1200, 3000]], np.int16)
    found, problem = checking.ask_for_numbers(lambda: function(hu.copy(), level, width))
    if problem:
        return problem
    if found.shape != hu.shape:
        return f"Not quite: an array of shape {hu.shape} goes in, and one of shape {found.shape} comes out."
    right = window(hu, level, width)
    if np.allclose(found, right, atol=1e-3):
        inside = np.array([[-175, 50, 275]], np.int16)
        found, _ = checking.ask_for_numbers(lambda: function(inside.copy(), level, width))
        if np.shape(found) != inside.shape or not np.allclose(found, window(inside, level, width), atol=1e-3):
            return (
                "Not quite: on a slice without black and white it is wrong. Level and width decide what is black "
                "and white, not the lowest and the highest value of the slice."
            )
        return checking.right("black below, white above, straight between.", function, hu, level, width)
    outside = (hu < lowest) | (hu > lowest + width)
    unbracketed = hu - lowest / width
    brackets = "brackets are missing: Python divides before it subtracts. Subtract first, then divide."
    middle = "black and white are right, but in between it is still in HU. Subtract the lower end, divide by the width."
    mistakes = [
        (right.round(), "only black and white. Between the ends grey rises in a straight line."),
        (np.floor(right), "only whole numbers come out. Greys between 0 and 1 need decimals."),
        (1 - right, "black and white have changed places."),
        (np.clip((hu - float(level)) / width, 0, 1), "it starts at the level. The level is the middle of the window."),
        (np.clip((hu - float(level)) / (2 * width) + 0.5, 0, 1), "that window is twice as wide as it should be."),
        (np.clip((hu - float(level)) / (width / 2) + 0.5, 0, 1), "that window is half as wide as it should be."),
        (right * width + lowest, "clipped, but still in HU. Scale it to 0..1."),
        (np.where(outside, right, hu), middle),
        (np.where(outside, right, hu - lowest), middle),
        (unbracketed, brackets),
        (np.clip(unbracketed, 0, 1), brackets),
    ]
    if mistake := checking.named(mistakes, lambda wrong: np.allclose(found, wrong, atol=1e-3)):
        return mistake
    if np.allclose(found, right * 255, atol=1):  # whole numbers may be cut or rounded
        return "Not quite: grey values up to 255. Here white is 1."
    place = np.unravel_index(np.abs(found - right).argmax(), hu.shape)
    what = f"Not quite: at {hu[place]} HU it gives {found[place]:.3f}"
    if outside[place] and not 0 <= found[place] <= 1:
        return f"{what}. Below the window all is 0, above it all is 1."
    return f"{what}; {right[place]:.3f} is expected."
