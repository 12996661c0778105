"""The one family of errors that a user of covidlab can cause, and therefore mend.

Each says which file, what was found, what was expected and what to do, in one line. The command
line prints that line and exits with status 2; anything else that escapes is a bug of ours.
"""

from os import PathLike


class CovidlabError(ValueError):
    """A problem with something the user gave us.

    `subject` is the file, folder or option that the message is about; `found` and `expected` say in plain words what is
    there and what would have been right; `remedy` is what to do now, as an imperative.
    """

    def __init__(self, subject: str | PathLike, found: str, expected: str, remedy: str):
        self.subject, self.told = str(subject), (found, expected, remedy)
        super().__init__(f"{subject}: found {found}; expected {expected}; {remedy}.")


class VolumeError(CovidlabError):
    """A file that cannot be read as a CT volume or as a mask, or a mask that cannot be written."""
