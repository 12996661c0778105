"""Every slide in headless Chromium at 1280 x 720: what a class could not read, and what comes from another host."""

import re
import tempfile
from pathlib import Path

from tests.plots.chromium import open_page

WIDTH, HEIGHT = 1280, 720
LEAST = 16  # px of type, of a slide 720 high
MOST_WORDS = 70  # a row of a table that cannot be cut; prose is cut at 40
READY = "!!window.Reveal && Reveal.isReady() && [...document.images].every(one => one.complete)"
# The slide shown: its faults. Words are those of prose: not of code, nor of a long table of results.
ASKED = """(() => {
  const slide = Reveal.getCurrentSlide(), found = [], shown = slide.querySelector('.shown');
  for (const one of [slide, shown, ...shown.querySelectorAll('*')].filter(one => !one.closest('math'))) {
    const box = one.getBoundingClientRect(), name = one.tagName.toLowerCase();
    if (box.right > WIDTH + 1 || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')
      found.push(`${name} too wide: ${Math.round(Math.max(box.right, one.scrollWidth))} px`);
    if (box.bottom > HEIGHT + 1) found.push(`${name} too high: ${Math.round(box.bottom)} px`);
    const size = parseFloat(getComputedStyle(one).fontSize);
    if (one.innerText && size < LEAST) found.push(`type of ${size} px`);
    if (name === 'img' && !(one.naturalWidth && box.width > 900 | box.height > 480)) found.push('img small or missing');
  }
  const prose = shown.cloneNode(true);
  prose.querySelectorAll('pre, math').forEach(one => one.remove());
  const words = (prose.textContent.match(/[A-Za-z]{2,}/g) || []).length;
  if (words > MOST && !slide.matches('.many')) found.push(`${words} words`);
  if (!shown.innerText.trim() && !shown.querySelector('img')) found.push('empty');
  return [...new Set(found)].slice(0, 4);
})()"""


def faults_of(out: Path, pictures: Path | None = None, only: str = "*.html") -> list[str]:
    """Sentences, each naming its deck and slide; `pictures` is a folder to draw each slide into."""
    faults, decks = [], sorted(out.glob(only))
    asked = ASKED.replace("WIDTH", str(WIDTH)).replace("HEIGHT", str(HEIGHT))
    asked = asked.replace("LEAST", str(LEAST)).replace("MOST", str(MOST_WORDS))
    with tempfile.TemporaryDirectory() as folder, open_page(Path(folder)) as page:
        page.send("Network.enable")
        page.send("Runtime.enable")
        page.send("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        for deck in decks:
            page.go(deck.resolve().as_uri())
            page.wait(READY)
            for number in range(page.ask("Reveal.getTotalSlides()")):
                page.ask(f"Reveal.slide({number})")
                faults += [f"{deck.stem}, slide {number + 1}: {fault}" for fault in page.ask(asked)]
                if pictures:
                    pictures.mkdir(parents=True, exist_ok=True)
                    page.screenshot(pictures / f"{deck.stem}-{number + 1:02d}.png")
        events = page.events
    thrown = [one["params"]["exceptionDetails"]["text"] for one in events if one["method"] == "Runtime.exceptionThrown"]
    asked_for = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    faults += [f"a script fails: {one}" for one in thrown]
    faults += [f"asks another host: {one}" for one in sorted(set(asked_for)) if not re.match("file:|data:|about:", one)]
    return faults if decks else ["no deck; `python lab.py slides` writes them"]
