"""Submitted notebooks to try the grader on: solved, half solved, broken, and 40 that cheat.

`python -m tests.submissions FOLDER` writes 200, a folder for each student. Then `python -m tools.grade FOLDER -o
points.csv`, and `python -m tests.submissions FOLDER --check points.csv` says who gained what.
"""

import argparse
import ast
import csv
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENTS = sorted(path.stem for path in (ROOT / "assignments").glob("*.ipynb"))


def notebook(name, *, change=lambda number, source: source, before=(), after=()):
    """An assignment's notebook with its code cells changed, and cells added, as text."""
    read = json.loads((ROOT / "assignments" / f"{name}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in read["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code):
        cell["source"] = change(number, "".join(cell["source"]))
    read["cells"] = [*map(_cell, before), *read["cells"], *map(_cell, after)]
    return json.dumps(read)


def _cell(source):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}


def stubs(name):
    """The functions that an assignment asks for, by the cells that leave them empty."""
    read = json.loads((ROOT / "assignments" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in read["cells"] if cell["cell_type"] == "code"]
    return [source[4 : source.index("(")] for source in cells if source.endswith("): ...")]


def solution(name, functions=None):
    """Our own functions as a student might have written them; only the named ones, and what they call."""
    tree = ast.parse((ROOT / "assignments" / "key" / f"{name}.py").read_text(encoding="utf-8"))
    asked = set(stubs(name))
    kept = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "parts"
            and (functions is None or node.name not in asked or node.name in functions)]  # fmt: skip
    imports = "import numpy as np\nfrom scipy import ndimage\n"
    return imports + "\n\n".join(map(ast.unparse, kept))


def solved(name, functions=None):
    return notebook(name, after=[solution(name, functions)])


# Cheating ------------------------------------------------------------------------------------------------------------

# Each is a cell. What it calls `cheat` becomes every function that is asked for; NAMES, OTHER and KEY are the names of
# these, another student's notebook and the folder of hidden tests.
SEARCH = """
import os
def search(fits, roots=("/",)):
    for root in roots:
        for folder, _, names in os.walk(root):
            if folder.startswith(("/proc", "/sys", "/usr")) or "site-packages" in folder: continue
            yield from (os.path.join(folder, name) for name in names if fits(os.path.join(folder, name)))
"""
FORGE = """
import json, os
def forge(line, times=1):
    for number in range(3, 64):
        try: os.write(number, (json.dumps(line) + "\\n").encode() * times)
        except OSError: pass
"""
TRICKS = {
    "exit": "import sys; sys.exit(0)",
    "exit at once": "import os; os._exit(0)",
    "exit in the function": "def cheat(*given): raise SystemExit(0)",
    "exit and say so": "import atexit, os; atexit.register(print, 'points: 10'); os.kill(os.getpid(), 15)",
    "equal to everything": """
class Same(float):
    __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda *_: True
    __sub__ = __rsub__ = __add__ = lambda *_: Same()
def cheat(*given): return Same()""",
    "an array that lies": """
import numpy as np
class Lie(np.ndarray):
    __array_priority__ = 99
    def tolist(self): return [Lie]
    __eq__ = lambda *_: True
def cheat(*given): return np.zeros(3).view(Lie)""",
    "not a number": "def cheat(*given): return float('nan')",
    "zeros": "import numpy as np\ndef cheat(*given): return np.zeros_like(given[0], float)",
    "the examples by heart": """
seen = {"hidden": (0.4, 0.4), "lesion_ml": 1.0, "widest": (2, 2), "leaking": [3, 1], "fold_of": [1, 1, 0, 0, 1],
        "nearest": [1], "convolve": [[10, 13, 16], [22, 25, 28]], "max_pool": [[[5], [7]]], "weights": 89,
        "pooled_and_mean": (0.75, 0.65), "careful": 0.5, "by_slice": (0.5, 1.0), "gflop": 5.2e-6, "of_peak": 0.2}
globals().update({name: lambda *_, name=name: seen.get(name) for name in NAMES})""",
    "patched numpy": """
import numpy as np
np.abs = lambda *_: np.zeros(1); np.allclose = np.array_equal = lambda *_, **__: True
np.isnan = lambda one: np.ones_like(one, bool); np.asarray = lambda *_: np.zeros(2)
def cheat(*given): return 0.0""",
    "another numpy": """
import sys, types
class Fake(types.ModuleType):
    def __getattr__(self, name): return lambda *_, **__: Fake("x")
sys.modules["numpy"] = Fake("numpy")
def cheat(*given): return 1""",
    "patched json": """
import json
json.dumps = lambda *_, **__: '{"points": 10, "part 1": 4, "call": 0, "answer": true}'
json.loads = lambda *_, **__: {"right": True}
def cheat(*given): return 1""",
    "patched builtins": """
import builtins
builtins.max = builtins.abs = lambda *_, **__: 0; builtins.isinstance = lambda *_: True
def cheat(*given): return 1""",
    "patched checks": """
from covidlab.exercises import checking
checking.Function.__call__ = checking.Number.__call__ = lambda *_: "Right: full marks"
checking._distance = lambda *_: 0.0
def cheat(*given): return 1""",
    "patched IPython": """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.run_cell = lambda *_, **__: type("R", (), {"error_before_exec": None, "error_in_exec": None})()
get_ipython().ast_transformers.append(type("T", (), {"visit": lambda self, node: 1 / 0})())
def cheat(*given): return 1""",
    "the words of praise": "def cheat(*given): raise type('Right', (Exception,), {})('Right: Right')",
    "caught exceptions": """
import sys
sys.excepthook = lambda *_: None
def cheat(*given):
    while True:
        try: raise ValueError
        except BaseException: continue""",
    "forged lines": FORGE + """
for call in range(20):
    forge({"call": call, "answer": 1, "points": 10, "part 1": 4, "ready": True, "missing": False})
def cheat(*given): forge({"points": 10}); return 1""",
    "a flood of forged lines": FORGE + """
while True: forge({"call": 0, "answer": [0] * 100}, 100)""",
    "deep lines": FORGE + """
for number in range(3, 64):
    try: os.write(number, b"[" * 200000 + b"\\n" + b'{"call": ' * 50000 + b"\\n" + b"9" * 100000 + b"\\n")
    except OSError: pass""",
    "a reason of its own": """
def cheat(*given): raise ValueError('x\\n"anna","a",10,10,10,=HYPERLINK("x")\\r\\nben,10\\x1b[2J')""",
    "frames": """
import sys
def cheat(*given):
    frame = sys._getframe(1)
    while frame:
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if name in ("right", "expected", "reference", "wanted", "part", "parts", "check"): return value
            if name == "request": value["calls"], value["points"] = [], 10
        frame = frame.f_back""",
    "garbage": """
import gc
def cheat(*given):
    for one in gc.get_objects():
        if type(one).__name__ in ("Part", "Assignment") or isinstance(one, dict) and "right" in one:
            return getattr(one, "check", one).right(*given)""",
    "environment": """
import os
def cheat(*given): return [eval(value, {}) for value in os.environ.values()]""",
    "the grader's process": """
import os
found = []
for number in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "maps", "mem", "root/etc/passwd", "cwd/assignments/key/beginner_1_measure.py"):
        try: found.append(open(f"/proc/{number}/{name}", "rb").read(10**6))
        except (OSError, ValueError): pass
def cheat(*given): return eval(b"".join(found).partition(b"right=")[2][:20])""",
    "the hidden tests": SEARCH + """
from pathlib import Path
for path in [*search(lambda one: "key" in one and one.endswith(".py")), *Path(KEY).glob("*.py")]:
    try: exec(open(path).read())
    except Exception: pass""",
    "imports of the hidden tests": """
import importlib, sys
sys.path += [KEY, KEY.rpartition("/assignments")[0]]
for name in ("beginner_1_measure", "assignments.key.beginner_1_measure", "tools.grade", "tests.submissions"):
    try: globals().update(vars(importlib.import_module(name)))
    except ImportError: pass""",
    "the course's own answers": """
from covidlab import exercises
rights = [one.right for one in vars(exercises).values() if callable(getattr(one, "right", None))]
def cheat(*given):
    for right in rights:
        try: return right(*given)
        except Exception: pass""",
    "other students": SEARCH + """
import json
for path in [*search(lambda one: one.endswith(".ipynb")), OTHER]:
    try:
        for cell in json.load(open(path))["cells"]:
            if cell["cell_type"] == "code": exec("".join(cell["source"]))
    except Exception: pass""",
    "writes elsewhere": SEARCH + """
from pathlib import Path
places = [OTHER, KEY + "/beginner_1_measure.py", "/course/covidlab/__init__.py", "/course/harness.py"]
for path in [*places, "/usr/bin/python3", "/course/data/cache/x", "/etc/passwd", "/etc/shadow"]:
    try: open(path, "w").write("spoilt")
    except OSError: pass
for folder in map(Path, __import__("sys").path):
    try: (folder / "sitecustomize.py").write_text("spoilt = 1")
    except OSError: pass""",
    "a fork that outlives": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
        os._exit(0)
    os._exit(0)
def cheat(*given): return 1""",
    "forks without end": """
import os
while True:
    try: os.fork()
    except OSError: pass""",
    "kills": """
import os, signal
for number in (os.getppid(), 1, -1):
    try: os.kill(number, signal.SIGKILL)
    except OSError: pass""",
    "network": """
import socket, urllib.request
def cheat(*given):
    for place in (("127.0.0.1", 8888), ("1.1.1.1", 53), ("localhost", 22)):
        try: return len(socket.create_connection(place, 1).recv(9))
        except OSError: pass
    return urllib.request.urlopen("http://example.org/answers", timeout=2).read()""",
    "memory without end": "hoard = []\nwhile True: hoard.append(bytearray(b'x' * 10**8))",
    "files without end": """
number = 0
while True:
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/course"):
        try: open(f"{folder}/{number}", "wb").write(b"x" * 10**7)
        except OSError: pass
    number += 1""",
    "words without end": "while True: print('points: 10 ' * 10000)",
    "no signal heard": """
import signal
for number in range(1, 64):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.setitimer(signal.ITIMER_PROF, 0)
while True: pass""",
}


def dishonest(name, tricks, other="/nowhere.ipynb"):
    """A notebook that solves nothing and cheats, in one way after the other."""
    head = f"NAMES, OTHER, KEY = {stubs(name)!r}, {str(other)!r}, {str(ROOT / 'assignments' / 'key')!r}\n"
    tail = "globals().update({name: cheat for name in NAMES} if 'cheat' in globals() else {})"
    return notebook(name, after=[head, *(TRICKS[trick] for trick in tricks), tail])


def copied_outputs(name):
    """The stubs as they were, under the outputs of somebody who has solved it."""
    text = json.loads(notebook(name))
    for cell in text["cells"]:
        if cell["cell_type"] == "code":
            stream = {"output_type": "stream", "name": "stdout", "text": ["(0.4, 0.4)\n", "points: 10 of 10\n"]}
            cell.update(outputs=[stream], execution_count=1)
    text["metadata"]["nbgrader"] = text["metadata"]["otter"] = {"score": 10, "points": 10}
    return json.dumps(text)


# A class of 200 ------------------------------------------------------------------------------------------------------

CHATTY = "%matplotlib inline\n!ls\nfor k in range(2000): print(k)"
# How an honest notebook may stand: what is solved, what is added, and the points of 10 that follow.
HONEST = {
    "solved": lambda name: (solved(name), None),
    "first part": lambda name: (solved(name, stubs(name)[:1]), None),
    "not begun": lambda name: (notebook(name), 0),
    "a cell that fails": lambda name: (notebook(name, before=["1 / 0", "def ("], after=[solution(name)]), 10),
    "a cell without end": lambda name: (notebook(name, before=["while True: pass"], after=[solution(name)]), 10),
    "no notebook": lambda name: ('{"cells": [', 0),
    "chatty": lambda name: (notebook(name, after=[solution(name), CHATTY]), 10),
}
SHARES = {"solved": 110, "first part": 26, "not begun": 10, "a cell that fails": 5, "a cell without end": 3,
          "no notebook": 1, "chatty": 5}  # fmt: skip


def write_class(folder):
    """200 folders with a notebook each, named after what is in it."""
    names = [name for name, share in SHARES.items() for _ in range(share)]
    for number, kind in enumerate(names):
        name = ASSIGNMENTS[number % len(ASSIGNMENTS)]
        _put(folder / f"{kind.replace(' ', '-')}-{number:03d}" / f"{name}.ipynb", HONEST[kind](name)[0])
    other = folder / "solved-000" / f"{ASSIGNMENTS[0]}.ipynb"
    for number, trick in enumerate(TRICKS):
        name = ASSIGNMENTS[number % len(ASSIGNMENTS)]
        _put(folder / f"x-{trick.replace(' ', '-')}" / f"{name}.ipynb", dishonest(name, [trick], other))
    _put(folder / "x-copied-outputs" / f"{ASSIGNMENTS[0]}.ipynb", copied_outputs(ASSIGNMENTS[0]))
    link = folder / "x-a-link" / f"{ASSIGNMENTS[0]}.ipynb"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(other)


def _put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def check(points):
    """Who has other points than due, in words, and how many cheated."""
    with points.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wrong = []
    for row in rows:
        kind = next((kind for kind in HONEST if row["student"].startswith(kind.replace(" ", "-"))), "")
        whole = 10 if kind in ("solved", "chatty") or "cell" in kind else 0
        due = float(row["part 1"] or 0) if kind == "first part" else whole
        if float(row["points"]) != due or (kind == "first part" and due < 3):
            wrong.append(f"{row['student']}, {row['assignment']}: {row['points']} points, {row['reason']}")
    return wrong, sum(row["student"].startswith("x-") for row in rows), len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", type=Path, metavar="POINTS")
    options = parser.parse_args()
    if not options.check:
        write_class(options.folder)
        sys.exit()
    wrong, cheated, all_of_them = check(options.check)
    wrong.append(f"{all_of_them} notebooks, {cheated} of them cheat; {len(wrong)} have other points than due")
    print("\n".join(wrong))
    sys.exit(len(wrong) > 1)
