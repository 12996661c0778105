"""What must not be in a finished site: anything of another host, a picture without words, a link that leads nowhere.

Links that a reader may follow to another host are no fault; what a page loads by itself is.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

LARGEST = 25_000_000  # bytes of the whole site
LOADED = {"src", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href"}
IN_STYLES = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])((?:https?:)?//[^'\")]+)")
# In a script an address is a fault where it is about to be loaded; others are names and comments.
IN_SCRIPTS = re.compile(r"""(?:import|fetch|importScripts|new Worker|\.src\s*=)\s*\(?\s*['"`]((?:https?:)?//[^'"`]+)""")


def faults_of(site: Path) -> list[str]:
    """Sentences, none for a site that may be published."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    faults = []
    for path, page in pages.items():
        name = path.relative_to(site)
        faults += [f"{name}: {fault}" for fault in page.faults]
        for link in page.links:
            address, place = urldefrag(link)
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            target = (path.parent / unquote(address.split("?")[0])).resolve() if address else path
            if not target.is_relative_to(site.resolve()) and address:
                faults.append(f"{name}: a link out of the site, {link}")
            elif not target.exists():
                faults.append(f"{name}: a link to nothing, {link}")
            elif place and (other := pages.get(site / target.relative_to(site.resolve()) if address else path)):
                if unquote(place) not in other.places:
                    faults.append(f"{name}: a link to no place of that page, {link}")
    for pattern, ending in ((IN_STYLES, "css"), (IN_SCRIPTS, "*js")):
        for path in sorted(site.rglob(f"*.{ending}")):
            found = pattern.findall(path.read_text(encoding="utf-8", errors="replace"))
            faults += [f"{path.relative_to(site)}: loads {address}" for address in found]
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    return faults + ([f"{size:,} bytes, {LARGEST:,} at most"] if size > LARGEST else [])


class _Page(HTMLParser):
    """A page's faults that can be seen in it alone, its links, and the places that links may lead to."""

    def __init__(self):
        super().__init__()
        self.faults, self.links, self.places = [], [], set()

    def handle_starttag(self, tag, given):
        given = {name: value or "" for name, value in given}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        loaded = LOADED | ({"href"} if tag in ("link", "image", "use") else set())
        for name in loaded & set(given):
            if re.match(r"\s*(https?:)?//", given[name]):
                self.faults.append(f"{tag} loads {given[name]}")
        self.faults += [f"style loads {address}" for address in IN_STYLES.findall(given.get("style", ""))]
        if tag == "img" and not given.get("alt", "").strip():
            self.faults.append(f"a picture without words, {given.get('src', '')[:60]}")
        if tag == "html" and not given.get("lang"):
            self.faults.append("no language")
        if "href" in given or tag in ("img", "script"):
            self.links.append(given.get("href") or given.get("src", ""))

    handle_startendtag = handle_starttag


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page
