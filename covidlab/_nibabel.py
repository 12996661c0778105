"""nibabel without pydicom, which it imports, too, where it finds it: a second that a scan in NIfTI need not wait for.

The command `covidlab` imports this before all else. What reads DICOM imports pydicom itself.
"""

import sys

if not {"nibabel", "pydicom"} & sys.modules.keys():
    sys.modules["pydicom"] = None  # so that importing it fails, as where it is not installed
    import nibabel  # noqa: F401

    del sys.modules["pydicom"]
