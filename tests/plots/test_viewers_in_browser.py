"""The slice viewer in a real JupyterLab in a real browser: run all, move sliders by keyboard, see what changes."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
for needed in ("jupyterlab", "websocket"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"the package {needed} is not installed", allow_module_level=True)

from tests.plots.chromium import NAMES, find_chromium, open_page  # noqa: E402

if find_chromium() is None:
    pytest.skip(f"no browser is installed: none of {', '.join(NAMES)} (Debian: chromium)", allow_module_level=True)

MAKE_A_VIEWER = """
import numpy as np
from covidlab.plots.viewers import slice_viewer
rows, columns = np.mgrid[:32, :32]
images = np.stack([(40 * k + rows + columns).astype(np.uint8) for k in range(5)])
masks = np.zeros(images.shape, np.uint8)
masks[:, 8:16, 8:16] = 1
# Slice k is marked k columns too far: F1 is (8 - k) / 8.
marked = np.stack([np.roll(mask, k, axis=1) for k, mask in enumerate(masks)])
titles = [f"case, slice {k}" for k in range(5)]
viewer = slice_viewer(images, titles, masks, {"U-Net": marked}, start=0)
"""
SHOW = 'viewer.show("A square lesion, outlined.")'
PLANT = """
def fail(**_):
    raise RuntimeError("planted")
viewer.draw = fail
"""

# Run All is lost before the kernel is there, and the page itself does not say so.
KERNEL_ANSWERS = """fetch('/api/sessions').then(answer => answer.json()).then(sessions => sessions.some(session =>
    location.pathname.endsWith(session.path) && session.kernel.connections > 0
    && session.kernel.execution_state === 'idle'))"""
ALL_RUN = """[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .every(prompt => /\\[\\d+\\]/.test(prompt.textContent))"""
READOUT = "document.querySelector('.jupyter-widgets.widget-html')?.innerText.trim()"
# The dots themselves, because the address of a picture changes with every redraw.
PICTURE = """(() => {
    const image = document.querySelector('.jupyter-widgets img');
    if (!image || !image.complete || !image.naturalWidth) return null;
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL();
})()"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a folder with two notebooks: its address and token."""
    folder = tmp_path_factory.mktemp("lab")
    for name, cells in {"sound": [MAKE_A_VIEWER, SHOW], "broken": [MAKE_A_VIEWER, SHOW, PLANT]}.items():
        notebook = new_notebook(cells=[new_code_cell(cell.strip()) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / f"{name}.ipynb")
    settings = tmp_path_factory.mktemp("settings")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "JUPYTER_"))}
    for name in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{name}_DIR"] = str(settings / name.lower())
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(settings / "workspaces")
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}"]
    log = (settings / "lab.log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        end, found = time.monotonic() + 120, []
        while not found:
            assert server.poll() is None and time.monotonic() < end, (settings / "lab.log").read_text()
            found = list((settings / "runtime").glob("jpserver-*.json"))
            time.sleep(0.2)
        yield json.loads(found[0].read_text())
    finally:
        server.terminate()
        server.wait(60)
        log.close()


@pytest.fixture
def run_all(lab, tmp_path):
    """A function that opens a notebook in its own browser (an unsaved one would ask before it goes) and runs it."""
    with open_page(tmp_path / "profile") as page:

        def run(name):
            page.go(f"{lab['url']}lab/tree/{name}.ipynb?token={lab['token']}&reset")
            page.wait("!!document.querySelector('.jp-Notebook .jp-CodeCell')")
            page.wait(KERNEL_ANSWERS)
            page.click(".lm-MenuBar-itemLabel", "Run")
            page.click(".lm-Menu-itemLabel", "Run All Cells")
            page.wait(f"({READOUT})?.includes('slice 0')")
            page.wait(PICTURE)
            page.wait(ALL_RUN)
            return page

        yield run


def test_a_slider_moved_by_keyboard_changes_picture_and_number(run_all, tmp_path):
    page = run_all("sound")
    assert "F1 1.00" in page.ask(READOUT)
    before = page.ask(PICTURE)
    still = "document.querySelector('.jp-RenderedImage img')"
    assert page.ask(f"{still}.naturalWidth > 100 && {still}.getClientRects().length") == 0  # there, and hidden
    assert page.ask("document.querySelector('.jupyter-widgets img').alt") == page.ask(READOUT)
    assert page.ask("document.querySelector('.noUi-handle').tabIndex") == 0  # Tab reaches it
    page.ask("document.querySelector('.noUi-handle').focus()")
    page.press("ArrowRight")
    page.wait(f"{READOUT}.includes('slice 1') && {READOUT}.includes('F1 0.88')", 30)
    page.wait(f"{PICTURE} !== {json.dumps(before)}", 30)
    page.press("ArrowLeft")
    page.wait(f"{READOUT}.includes('slice 0')", 30)
    page.wait(f"{PICTURE} === {json.dumps(before)}", 30)
    # The masks go and come with the space bar.
    page.ask("document.querySelector('.widget-checkbox input').focus()")
    page.press(" ")
    page.wait(f"!{READOUT}.includes('F1')", 30)
    page.screenshot(tmp_path / "viewer.png")
    assert (tmp_path / "viewer.png").stat().st_size > 10_000


def test_an_exception_planted_in_the_callback_is_seen(run_all):
    page = run_all("broken")
    page.ask("document.querySelector('.noUi-handle').focus()")
    page.press("ArrowRight")
    page.wait(f"{READOUT}.includes('This viewer failed: RuntimeError: planted')", 30)
