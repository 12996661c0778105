"""Import nibabel without pydicom, which it imports wherever it finds it: a second, lost where NIfTI alone is read.

The command `covidlab` imports this before all else. What reads DICOM imports pydicom itself.
"""

import sys

if not {"nibabel", "pydicom"} & sys.modules.keys():
    sys.modules["pydicom"] = None  # importing it now fails, as where it is not installed
    try:
        import nibabel  # noqa: F401
    finally:
        del sys.modules["pydicom"]
