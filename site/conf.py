"""How Sphinx makes the site out of the pages that `tools/site.py` lays out: notebooks as stored, nothing run.

Four things are done here that no extension does: the alt text and size that `covidlab.plots.show` stores with a figure
reach the page, formulas become MathML, which browsers draw and screen readers read without a script, terms of the
glossary become links, and a translated notebook's page says which language it is in.
"""

import re
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from myst_nb.core.render import NbElementRenderer

project = "covidlab"
author = "The covidlab authors"
copyright = "The covidlab authors; text and figures CC BY 4.0, code MIT"
html_title = "covidlab"
language = "en_GB"

extensions = ["myst_nb", "sphinx_copybutton"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # they would come from another host; a viewer's still stands above its line of text
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
suppress_warnings = ["myst.header", "toc.not_included", "misc.highlighting_failure"]

html_theme = "furo"
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_permalinks_icon = "#"
# Of enough contrast on the theme's grounds (WCAG 2: 4.5 to 1).
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
html_math_renderer = "mathml"

GLOSSARY = "docs/glossary"
# A plain word, such as *case*, is linked only where a text stresses it.
UNMISTAKABLE = re.compile(r"[ A-Z0-9-]")
NEVER_IN = (nodes.reference, nodes.title, nodes.literal, nodes.literal_block, nodes.math, nodes.raw, nodes.image)


def with_alt_text(render):
    """`NbElementRenderer.render_image`, but with the alt text and the width that a notebook's output carries."""

    def render_image(self, data):
        shown = render(self, data)
        known = data.output_metadata.get(data.mime_type, {})
        for image in (one for node in shown for one in node.findall(nodes.image)):
            image["alt"] = known.get("alt", image.get("alt", ""))
            if "width" in known:
                image["width"] = f"{known['width']}px"
        return shown

    return render_image


NbElementRenderer.render_image = with_alt_text(NbElementRenderer.render_image)


def formula(display):
    """What writes a formula, in a line of text or on one of its own."""

    def visit(writer, node):
        writer.body.append(convert(node.astext(), display=display))
        raise nodes.SkipNode

    return visit, None


def read_glossary(app):
    """The glossary's table as {term: meaning}; a row may name several terms."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| [\d, ]+ \|$", Path(app.srcdir, f"{GLOSSARY}.md").read_text("utf-8"), re.M)
    app.glossary = {term: meaning for terms, meaning in rows for term in re.split(r", | and ", terms)}


def anchor(term):
    return f"term-{re.sub('[^a-z0-9]+', '-', term.lower())}"


def name_rows(app, doctree):
    """Give each row of the glossary's table the anchors of its terms."""
    if app.env.docname == GLOSSARY:
        for row in doctree.findall(nodes.row):
            terms = re.split(r", | and ", row.children[0].astext())
            row.children[0]["ids"] += [anchor(term) for term in terms if term in app.glossary]


def link_terms(app, doctree, page):
    """On each page make a term's first occurrence a link to the glossary, with the meaning as its title."""
    if page == GLOSSARY or not page.startswith(("notebooks/", "docs/", "labs/", "index")):
        return
    left = {term.lower(): term for term in app.glossary}  # not linked yet
    longest_first = "|".join(map(re.escape, sorted(left, key=len, reverse=True)))
    words = re.compile(rf"(?<![\w-])(?:{longest_first})(?![\w-])", re.IGNORECASE)
    home = app.builder.get_relative_uri(page, GLOSSARY)
    for text in list(doctree.findall(nodes.Text)):
        if any(isinstance(one, NEVER_IN) for one in above(text)):
            continue
        whole, start, pieces = str(text), 0, []
        stressed = isinstance(text.parent, (nodes.strong, nodes.emphasis))
        for match in words.finditer(whole):
            term = left.get(match[0].lower())
            if term and (UNMISTAKABLE.search(term) or stressed and match[0] == whole):
                del left[term.lower()]
                link = nodes.reference("", match[0], refuri=f"{home}#{anchor(term)}", classes=["term"])
                link["reftitle"] = re.sub(r"[`*$]", "", app.glossary[term])
                pieces += [nodes.Text(whole[start : match.start()]), link]
                start = match.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(whole[start:])])


def above(node):
    while node := node.parent:
        yield node


def in_its_language(app, page, template, context, doctree):
    """A translated notebook is read aloud in its language, but code and what it shows in English."""
    if found := re.match(r"notebooks/(\w+)/", page):
        context["language"] = found[1].replace("_", "-")
        context["body"] = context["body"].replace('<div class="cell ', '<div lang="en" class="cell ')


MENDED = (
    (r'role="heading"', 'role="heading" aria-level="2"'),
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'<(pre\b|div(?= class="(?:math|table)-wrapper))', r'<\1 tabindex="0"'),
    (r'<div id="search-results">', r'<h1>Search</h1>\n<div id="search-results">'),
    (r'<aside class="sidebar-drawer"', '<aside class="sidebar-drawer" aria-label="Pages"'),
    (r'<aside class="toc-drawer', '<aside aria-label="On this page" class="toc-drawer'),
)


def accessible(app, error):
    """What axe-core finds in the theme's and the notebook extension's HTML, mended: headings without a level, a page
    without one, folds and side bars that are all named alike, and parts that scroll and no key reaches."""
    for path in () if error else Path(app.outdir).rglob("*.html"):
        page = path.read_text("utf-8")
        for found, instead in MENDED:
            page = re.sub(found, instead, page)
        path.write_text(page, "utf-8")


def setup(app):
    app.add_html_math_renderer("mathml", formula("inline"), formula("block"))
    app.connect("builder-inited", read_glossary)
    app.connect("doctree-read", name_rows)
    app.connect("doctree-resolved", link_terms)
    app.connect("html-page-context", in_its_language)
    app.connect("build-finished", accessible)
