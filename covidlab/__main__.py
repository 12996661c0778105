"""`python -m covidlab` is the command `covidlab`."""

import sys

from covidlab.cli import main

if __name__ == "__main__":  # workers that are started anew import this module, too
    sys.exit(main())
