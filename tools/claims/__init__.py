"""Sentences of the notebooks whose numbers come from a run, a file a notebook; see tools/prose.py."""

from tools.claims import c00, c01, c02, c03, c04, c05, c06, c07, c08

CLAIMS = [claim for notebook in (c00, c01, c02, c03, c04, c05, c06, c07, c08) for claim in notebook.CLAIMS]
