"""A scan as ITK's programs write it, MetaImage or NRRD, read through SimpleITK, the extra `itk`.

ITK checks no checksum and passes over some of what a header says, or leaves unsaid, in silence: so that is read here.
"""

import os
import re
import zlib
from pathlib import Path

import numpy as np
from nibabel.affines import from_matvec

from covidlab.data.dicom import ROUNDING, TURN
from covidlab.data.orientation import header_at, in_millimetres, millimetres
from covidlab.data.volumes import AGAIN, BEHIND, FOUR, Volume, as_volume, check_claim
from covidlab.errors import CovidlabError, refused, require

WHOLE = "the whole of a MetaImage or NRRD file"

FIELD = re.compile(r"([\w ]+?) *(?:=|:(?!=)) *(.*?)\s*")
# Fields that ITK passes over, or reads without a checksum, and which of their values are right.
RIGHT = {
    "binarydata": ("true", "1"), "encoding": ("raw", "gzip", "gz"), "distanceunits": ("mm", "?"),
    "spaceunits": ("mm", "???", ""), "elementtointensityfunctionslope": ("1",),
    "elementtointensityfunctionoffset": ("0",),
}  # fmt: skip
TURNED, SIZED = {"transformmatrix", "rotation", "orientation"}, {"elementspacing", "elementsize"}


def read_itk(path: Path) -> Volume:
    """Read one scan; one that does not say where its voxels lie is read as NIfTI without a believed affine is.

    Raises a CovidlabError if SimpleITK is not installed; if the file is damaged, or the file of its voxels is missing;
    if it is not three-dimensional, or too large; or if voxels are no grey values, or no boxes measured in mm.
    """
    require(path, "itk", "SimpleITK")
    import SimpleITK as sitk

    with refused(path, "a damaged or cut-off file", WHOLE, AGAIN):
        (fields, data, start), of_meta = read_header(path), path.suffix in (".mha", ".mhd")
        reader = sitk.ImageFileReader()
        reader.SetImageIO("MetaImageIO" if of_meta else "NrrdImageIO")
        reader.SetFileName(str(path))
        _told(reader.ReadImageInformation)
        if (channels := reader.GetNumberOfComponents()) > 1:
            raise CovidlabError(path, f"{channels} numbers a voxel", "one grey value", "convert it to grey values")
        shape, pixel = reader.GetSize(), sitk.Image([1, 1, 1], reader.GetPixelID())
        claimed = check_claim(path, shape, sitk.GetArrayViewFromImage(pixel).dtype)
        packed = "t" in fields.get("compresseddata", "") or "g" in fields.get("encoding", "")
        held, sizes = _check_whole(data, start, claimed, packed), ("compresseddatasize", "headersize")
        said, before = (int(fields.get(name, 0)) for name in sizes)
        # ITK reads no more than is said, from the start where nothing is, and unpacks what comes of that.
        if of_meta and (packed and said < held and (said or start) or start and before > 0):
            found = f"a compresseddatasize of {said} and a headersize of {before}"
            raise CovidlabError(path, found, f"{held if packed else 0} and 0", "correct that, or save it as NIfTI")
        directions = np.reshape(reader.GetDirection(), (len(shape), -1))[:3, :3]
        spacing = np.array(reader.GetSpacing()[:3])
        if not np.allclose(directions.T @ directions, np.eye(3), atol=ROUNDING) or not spacing.min() > 0:
            found = f"directions {directions.ravel().round(4).tolist()} and voxels of {millimetres(spacing)}"
            raise CovidlabError(path, found, "directions at right angles, of length 1", "correct or resample it")
        # ITK's x and y are DICOM's.
        affine = TURN @ from_matvec(directions * spacing, reader.GetOrigin()[:3])
        placed = fields.keys() & TURNED and fields.keys() & SIZED
        if not of_meta and (placed := reader.HasMetaDataKey("NRRD_space")):  # to the first ITK turns all that it knows
            known = reader.GetMetaData("NRRD_space") == "left-posterior-superior"
            placed = known and fields.get("spacedirections", "").count("(") == 3
        header = header_at(shape[:3], affine, code=1 if placed else 0)
        affine, findings = in_millimetres(header, affine)
        if not placed:
            findings.append("the header does not say where voxels lie, or in a space that is no patient's")
        voxels = sitk.GetArrayFromImage(_told(reader.Execute)).T
        if voxels.dtype == np.float64:
            voxels = voxels.astype(np.float32)
        if voxels.ndim == 4:
            voxels = voxels[..., 0]
            findings.append(FOUR)
    return as_volume(path, header, affine, voxels, findings)


def _told(read):
    """What a reader gives, without what it writes past Python; of its errors the last line, as the first ones say where
    SimpleITK was built."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        return read()
    except RuntimeError as error:
        raise ValueError(str(error).strip().splitlines()[-1]) from error
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def read_header(path: Path) -> tuple[dict[str, str], Path, int]:
    """What a header says, in small letters, by its fields' names without blanks; the file of the voxels, and where in
    it they begin."""
    fields, named = {}, "local"
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(BEHIND), b""):
            if found := FIELD.fullmatch(line.decode("utf-8", "surrogateescape")):
                name, value = found[1].lower().replace(" ", ""), found[2]
                fields[name] = value.lower()
                named = value if name in ("datafile", "elementdatafile") else named
            if "elementdatafile" in fields or not line.strip() or file.tell() > BEHIND:
                break
        start = file.tell()
    if (dimensions := int(fields.get("ndims") or fields["dimension"])) not in range(2, 5):  # ITK crashes of a large one
        raise CovidlabError(path, f"{dimensions} dimensions", "three: x, y, z", "save one volume a file")
    for name, right in RIGHT.items():
        if not {one.strip('"') for one in fields.get(name, right[0]).split()} <= set(right):
            raise CovidlabError(path, f"{name} {fields[name]}", right[0], "save the scan as NIfTI")
    if named.lower() == "local":
        return fields, path, start
    if not (data := path.parent / named).is_file():
        if "%" in named or named.upper().startswith("LIST"):
            raise CovidlabError(path, "voxels in many files", "all in one file", "save the scan as NIfTI")
        raise CovidlabError(path, f"no file {named} for its voxels", "all in one file", "copy that beside it, too")
    return fields, data, 0


def _check_whole(data: Path, start: int, claimed: int, packed: bool) -> int:
    """Whether a file holds the bytes of voxels that a header claims; where they are packed, by their checksum. Gives
    the bytes that they take in the file."""
    size = 0 if packed else data.stat().st_size - start
    packing = zlib.decompressobj(47)  # by either header, zlib's or gzip's
    with data.open("rb") as file:
        file.seek(start)
        while packed and not packing.eof and size <= claimed + BEHIND:
            piece = packing.unconsumed_tail or file.read(BEHIND)
            size += (more := len(packing.decompress(piece, BEHIND)))
            if not piece and not more:
                raise EOFError("its packed voxels end early")
        held = file.tell() - start - len(packing.unused_data)
    if not claimed <= size <= claimed + BEHIND:
        raise EOFError(f"its header claims {claimed:,} bytes of voxels, and it holds fewer, or many more")
    return held
