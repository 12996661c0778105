"""A page in headless Chromium, for the test that clicks and types as a reader would. Not a general browser driver.

It speaks Chromium's own DevTools protocol through websocket-client, which JupyterLab brings along: a driver package
would add 27 MB (selenium, and a second program beside the browser) or 165 MB (playwright) for this one test.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Offline, and the same picture everywhere.
FLAGS = (
    "--headless --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1300,1000"
).split()
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Tab": 9, " ": 32}


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab: go somewhere, ask, click, press keys, wait."""

    def __init__(self, socket: websocket.WebSocket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self.events: list[dict] = []  # What the browser told unasked, once `send` has enabled a domain

    def send(self, method: str, **parameters) -> dict:
        """Give a command of the DevTools protocol, and return its answer."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if "id" not in answer:
                self.events.append(answer)
            elif answer["id"] == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def go(self, address: str) -> None:
        """Open an address in this tab."""
        self.send("Page.navigate", url=address)

    def ask(self, expression: str):
        """The value of a JavaScript expression; promises are waited for."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 90):
        """Ask until the answer is true, and return it; otherwise fail with what the page says."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.ask(expression):
                return value
            time.sleep(0.1)
        raise AssertionError(f"after {seconds} s still not: {expression}\n{self.ask('document.body.innerText')}")

    def click(self, selector: str, text: str) -> None:
        """Click the middle of the first visible element with exactly this text."""
        place = self.wait(
            f"(() => {{ for (const e of document.querySelectorAll({json.dumps(selector)})) {{"
            f" const b = e.getBoundingClientRect();"
            f" if (b.width && e.textContent.trim() === {json.dumps(text)})"
            f" return [b.x + b.width / 2, b.y + b.height / 2] }} }})()"
        )
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", buttons=buttons,
                clickCount=1,
            )  # fmt: skip

    def press(self, key: str) -> None:
        """Press and release a key, wherever the focus is."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=KEYS[key])

    def screenshot(self, path: Path) -> None:
        """Write what the tab shows, as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def open_page(folder: Path, *flags: str) -> Iterator[Page]:
    """Start a browser of its own, with its profile in `folder` and flags of its own, and end it afterwards."""
    command = [find_chromium(), *FLAGS, *flags, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium refuses to start as root with one
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file, end = folder / "DevToolsActivePort", time.monotonic() + 60
        while not port_file.exists() or not port_file.read_text():
            if browser.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Chromium did not start: {' '.join(command)}")
            time.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
            tab = next(tab for tab in json.load(answer) if tab["type"] == "page")
        socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=120, suppress_origin=True)
        try:
            yield Page(socket)
        finally:
            socket.close()
    finally:
        browser.terminate()
        try:
            browser.wait(20)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()
