"""A synthetic cohort: drawn chests with lesions, in HU, and no patient's data.

You need not read this wing to follow the course.
"""

from covidlab.phantom.archive import write_archive
from covidlab.phantom.findings import draw_findings
from covidlab.phantom.head import deface
from covidlab.phantom.writing import write_cohort
