"""`python -m covidlab` is the command `covidlab`."""

import sys

from covidlab.cli import main

sys.exit(main())
