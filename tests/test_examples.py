"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import covidlab


def test_examples_give_what_they_say():
    names = [one.name for one in pkgutil.walk_packages(covidlab.__path__, "covidlab.") if "__main__" not in one.name]
    done = {name: doctest.testmod(importlib.import_module(name)) for name in names}
    assert sum(one.attempted for one in done.values()) > 20
    assert [name for name, one in done.items() if one.failed] == []
