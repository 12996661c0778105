"""How the repository's programs end: a user's problem is one line, as the course's own commands tell it."""

import sys
from collections.abc import Callable
from functools import wraps

from covidlab.errors import CovidlabError


def told(main: Callable[..., int]) -> Callable[..., int]:
    """A program that ends with status 2, and one line on stderr, where the user has a CovidlabError to see to."""

    @wraps(main)
    def program(*arguments) -> int:
        try:
            return main(*arguments)
        except CovidlabError as error:
            print(error, file=sys.stderr)
            return 2

    return program
