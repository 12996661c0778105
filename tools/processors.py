"""The notebooks on other processors, imitated on this one: a lane runs them under strict nbval in kernels of its own.

TensorFlow picks its kernels by the processor, and sums in another order with another number of threads; a training ends
elsewhere then. `make test-processors` runs every lane. A lane whose instructions this processor lacks, or has by
default, is named and not run.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def only(isa: str) -> dict[str, str]:
    """What keeps oneDNN to an instruction set, as on a processor that has no later one."""
    return {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": isa}


def threads(number: int) -> dict[str, str]:
    """What gives TensorFlow a number of threads, whatever the processor has."""
    return {"TF_NUM_INTRAOP_THREADS": str(number), "TF_NUM_INTEROP_THREADS": str(number)}


LANES = {
    "default": {},
    "sse41": only("SSE41"),
    "avx2": only("AVX2"),
    "avx512": only("AVX512_CORE"),
    "no-onednn": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "1-thread": threads(1),
    "4-threads": threads(4),
}
# What oneDNN calls the instruction sets of the lanes above.
ISA_NAMES = {"SSE41": "Intel SSE4.1", "AVX2": "Intel AVX2", "AVX512_CORE": "Intel AVX-512 with"}
A_CONVOLUTION = """
from covidlab._tensorflow import tf
tf.nn.conv2d(tf.zeros([1, 8, 8, 4]), tf.zeros([3, 3, 4, 4]), 1, "SAME")
"""


def environment(lane: str) -> dict[str, str]:
    """The environment of a lane's kernels: none of the lanes' variables but its own."""
    ours = {name for one in LANES.values() for name in one}
    return {name: value for name, value in os.environ.items() if name not in ours} | LANES[lane]


def instructions(lane: str) -> str:
    """What oneDNN says that it computes with in a lane; empty where it says nothing (no x86)."""
    command = [sys.executable, "-c", A_CONVOLUTION]
    asked = environment(lane) | {"ONEDNN_VERBOSE": "1"}
    said = subprocess.run(command, cwd=ROOT, env=asked, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^onednn_verbose.*,cpu,isa:(.*)$", said, re.MULTILINE)
    return found[1] if found else ""


def why_not(lane: str) -> str:
    """Why a lane says nothing new on this processor; empty if it does."""
    wanted = LANES[lane].get("ONEDNN_MAX_CPU_ISA")
    if wanted is None:
        return ""
    has, by_default = instructions(lane), instructions("default")
    if not has.startswith(ISA_NAMES[wanted]):
        return f"not run: this processor has no {wanted} (oneDNN finds {has or 'none of its own'})"
    return f"not run: the same as default here ({has})" if has == by_default else ""


def run_lane(lane: str, notebooks: list[str], report: Path) -> dict[str, str]:
    """Run notebooks under strict nbval in a lane: what came of each, in words."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout", "900"]
    command += ["--nbval-sanitize-with", "tools/nbval_sanitize.cfg", "-p", "tools.trained_numbers"]
    command += ["--quiet", "--color=no", f"--junitxml={report}", *(f"notebooks/{name}" for name in notebooks)]
    subprocess.run(command, cwd=ROOT, env=environment(lane), check=False)
    if not report.exists():  # pytest was killed, or could not start
        return dict.fromkeys(notebooks, "FAILED, no report")
    cells: dict[str, list[ElementTree.Element]] = {name: [] for name in notebooks}
    for case in ElementTree.parse(report).iter("testcase"):
        name = re.search(r"notebooks[./](\w+)", f"{case.get('file')} {case.get('classname')}")
        cells[f"{name[1]}.ipynb"].append(case)
    return {name: outcome(found) for name, found in cells.items()}


def outcome(cells: list[ElementTree.Element]) -> str:
    """Cells that passed and failed, and the seconds of all and of the slowest."""
    seconds = [float(cell.get("time", 0)) for cell in cells]
    failed = sum(cell.find(kind) is not None for cell in cells for kind in ("failure", "error"))
    words = f"{failed} of {len(cells)} FAILED" if failed or not cells else f"{len(cells)} passed"
    return f"{words}, {sum(seconds):.0f} s (longest cell {max(seconds, default=0):.0f} s)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", default=",".join(LANES), help=f"some of {', '.join(LANES)}; all by default")
    parser.add_argument("--notebooks", nargs="+", default=NOTEBOOKS, help="file names in notebooks/; all by default")
    asked = parser.parse_args()
    lanes, table = asked.lanes.split(","), []
    if unknown := set(lanes) - set(LANES):
        parser.error(f"no lane {', '.join(sorted(unknown))}; there are {', '.join(LANES)}")
    with tempfile.TemporaryDirectory() as folder:
        for lane in lanes:
            if reason := why_not(lane):
                table.append((lane, reason))
                continue
            started = time.perf_counter()
            found = run_lane(lane, asked.notebooks, Path(folder) / f"{lane}.xml")
            table += [(f"{lane}, {name.removesuffix('.ipynb')}", words) for name, words in found.items()]
            table.append((f"{lane}, all", f"{time.perf_counter() - started:.0f} s"))
    print("\n| lane, notebook | |\n|---|---|")
    print("\n".join(f"| {lane} | {words} |" for lane, words in table))
    return int(any("FAILED" in words for _, words in table))


if __name__ == "__main__":
    sys.exit(main())
