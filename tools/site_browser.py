"""The finished site in headless Chromium: what it asks the network for, and what axe finds on every page.

    python -m tools.site_browser OUT [--pictures FOLDER]

`make site-check` runs it. OUT is served from here; a request to anything else, a script that fails and a serious
finding of axe-core (WCAG 2.2 AA, light and dark) are faults. With --pictures each page is drawn as on a desk and on a
phone.
"""

import argparse
import json
import re
import sys
import tempfile
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from tests.plots.chromium import open_page
from tools.site_labs import from_npm

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
READY = "document.readyState === 'complete' && (!document.querySelector('[data-lab]') || !!window.labReady)"


class Quiet(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, *_):
        pass


def serve(folder: Path) -> ThreadingHTTPServer:
    """Serve a folder on a free port, in a thread of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def requests_in(log: str) -> list[str]:
    """What pages and their workers asked for, by Chromium's network log; what it asks for itself comes of no page."""
    return re.findall(r'"initiator":"https?://[^\n]*?"url":"(\w+://[^"]+)"', log)


def axe_findings(page, axe: str) -> list[str]:
    """Axe's findings on the page shown, serious or critical ones first marked so."""
    page.ask(axe + "; 0")
    asked = json.dumps({"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]})
    found = page.ask(
        f"axe.run(document, {asked}).then(r => r.violations.map(v => "
        "[v.impact, v.id, v.nodes.length, v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(' ; ')]))"
    )
    return [f"{impact}: {rule} x {times}: {where}" for impact, rule, times, where in found]


def main(arguments=None) -> int:
    """Visit every page; 1 where one has a fault."""
    parser = argparse.ArgumentParser(prog="python -m tools.site_browser", description=__doc__.split("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--only", default="", help="part of a page's name")
    options = parser.parse_args(arguments)
    server, axe = serve(options.site), from_npm("axe-core@4.14.1", "package/axe.min.js").decode()
    home = f"http://127.0.0.1:{server.server_port}/"
    faults = []
    names = [str(path.relative_to(options.site)) for path in sorted(options.site.rglob("*.html"))]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "network.json")  # the browser's own, of its workers, too
        with open_page(Path(folder, "profile"), f"--log-net-log={log}") as page:
            page.send("Runtime.enable")
            for name, style in product((one for one in names if options.only in one), ("light", "dark")):
                page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": style}])
                page.events.clear()
                page.go(home + name)
                page.wait(READY)
                if page.ask("!!document.querySelector('#scan-sample')"):  # its result is only then on the page
                    page.ask("document.querySelector('#scan-sample').click()")
                    page.wait("!!window.labScan")
                findings = axe_findings(page, axe)
                print(f"{name} ({style}): {'; '.join(findings) or 'nothing found'}", flush=True)
                thrown = [event["params"] for event in page.events if event["method"] == "Runtime.exceptionThrown"]
                grave = [one for one in findings if one.startswith(("serious", "critical"))]
                grave += [one["exceptionDetails"]["text"] for one in thrown]
                faults += [f"{name} ({style}): {one}" for one in grave]
                if options.pictures:
                    draw(page, options.pictures / f"{name.replace('/', '-').removesuffix('.html')}-{style}")
        hosts = Counter(urlsplit(address).netloc for address in requests_in(log.read_text(encoding="utf-8")))
    server.shutdown()
    print(f"requests by host: {dict(hosts)}")
    faults += [f"asked another host: {host}" for host in hosts if host != urlsplit(home).netloc]
    print(*faults, sep="\n")
    return 1 if faults else 0


def draw(page, stem: Path) -> None:
    """The page as PNG at both sizes; says where it is wider than its window."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for size, (width, height) in SIZES.items():
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        page.send("Emulation.setDeviceMetricsOverride", **screen)
        if (wide := page.ask("document.documentElement.scrollWidth")) > width:
            print(f"  {stem.name}: {wide} px wide on a screen of {width}")
        page.screenshot(stem.with_name(f"{stem.name}-{size}.png"))
    page.send("Emulation.clearDeviceMetricsOverride")


if __name__ == "__main__":
    sys.exit(main())
