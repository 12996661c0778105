# Everything a reader or CI does with covidlab, each as one command; `make` alone lists them.
# Needs make and a Python of the range that pyproject.toml names; nothing is installed outside .venv.

PYTHON ?= python3
# Unit tests run side by side; notebooks one after the other, because each trains on every core.
WORKERS ?= 2
LAB_FLAGS ?=
LOCK_FLAGS ?=
REPRODUCE_FLAGS ?=
LANE_FLAGS ?=
TABLE_FLAGS ?=
FUZZ_FLAGS ?=
SCANS ?=

VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
# A second environment, with the versions that Colab has.
COLAB := .venv-colab
# A third, with what builds the web site.
SITE := .venv-site
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))

# A user's own Jupyter, IPython, matplotlib and Keras settings must not change what a notebook shows.
export JUPYTER_CONFIG_DIR := $(CURDIR)/$(VENV)/settings/jupyter
export JUPYTER_DATA_DIR := $(CURDIR)/$(VENV)/settings/jupyter-data
export IPYTHONDIR := $(CURDIR)/$(VENV)/settings/ipython
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/settings/matplotlib
export KERAS_HOME := $(CURDIR)/$(VENV)/settings/keras
export KERAS_BACKEND := tensorflow
export PYTHONNOUSERSITE := 1
export PIP_USER := 0
unexport PYTHONPATH PYTHONHOME PYTHONWARNINGS PYTEST_ADDOPTS MPLBACKEND JUPYTER_PATH JUPYTER_CONFIG_PATH
# Tests and stored outputs are the phantom's, in the lesson profile, whatever the reader has switched to.
ON_PHANTOM := env -u COVIDLAB_DATA

NBVAL := --nbval --nbval-current-env --nbval-cell-timeout 300 --nbval-sanitize-with tools/nbval_sanitize.cfg \
	-p tools.trained_numbers --durations 5

define HELP
covidlab: a course in notebooks on segmenting COVID-19 lesions in chest CT. Teaching material, not a medical device.

  make lab         open the course in JupyterLab, at notebooks/00_start_here.ipynb
  make test        lint, unit tests, then every notebook run again and compared with its stored outputs

Both set up .venv first, so there is nothing to run before them; only the first time needs the network.

  make setup       only the set-up: .venv from requirements.lock, each file checked against its hash
  make reproduce   train, score and print the paper's table
  make notebooks   run every notebook again, in order, and store what it shows (when you changed one)
  make site        the web site with the notebooks and the live labs, in build/html/ (needs npm's command the first time)
  make site-check  every page of it in headless Chromium: other hosts, dead links, alt text, axe-core, the labs' masks
  make slides      slides of each notebook, with speaker notes, in build/slides/; each looked at in headless Chromium
  make student     copies of the notebooks without solutions and outputs, in student/ (for teachers)
  make address     REPO=owner/name: write the repository's address into every badge and link
  make lock        resolve requirements.lock again (when you changed pyproject.toml)
  make test-colab  every notebook once more, on the versions that Colab has (in .venv-colab)
  make test-processors  every notebook on other processors, imitated on this one
  make fuzz        damaged files of every kind, as many as you like; what is not refused in one line is kept
  make course-table  measure each notebook's time and memory, and write the table into README
  make clean       remove .venv, .venv-colab, .venv-site, build/ with the web site, and caches; data/ and runs/ stay

Choices, written after the command:
  COVIDLAB_DATA=/path/to/folder    real CT volumes instead of the synthetic phantom (lab, reproduce): see data/README.md
  PYTHON=python3.12                another Python to make .venv with
  LAB_FLAGS="--no-browser --ip=127.0.0.1 --port=8899"
  REPRODUCE_FLAGS="--protocol patient --seed 1"
  LOCK_FLAGS=--upgrade             newest versions that the bounds allow, instead of keeping those locked
  TABLE_FLAGS='--machine "2 cores of an AMD EPYC" --only 05'  the machine in words; one notebook instead of all
  FUZZ_FLAGS="--inputs 200000 --seed 1 --kinds scan,mask"  for make fuzz; without it 20,000 of all kinds
  SCANS="a.nii.gz b.nii.gz"         for make site-check: scans to compare the lab on, in place of the synthetic one
  WORKERS=4                        unit tests side by side
endef
export HELP

define CHECK_PYTHON
import re, sys
bounds = re.search('requires-python = ">=([0-9.]+),<([0-9.]+)"', open("pyproject.toml").read()).groups()
low, high = [tuple(int(part) for part in bound.split(".")) for bound in bounds]
if not low <= sys.version_info[:2] < high:
    sys.exit("covidlab needs Python >= %s and < %s; %s is %s. Name another: make setup PYTHON=python%s"
             % (bounds[0], bounds[1], sys.executable, sys.version.split()[0], bounds[0]))
endef
export CHECK_PYTHON

define NO_VENV
$(PYTHON) can make no virtual environment here: it has neither ensurepip nor a pip of version 22.3 or later.
On Debian or Ubuntu: apt install python3-venv (or python3-pip), then run make again.
endef
export NO_VENV

.PHONY: help setup lab test test-colab test-processors notebooks site site-check slides fuzz course-table reproduce student address lock clean FORCE
.DELETE_ON_ERROR:

help:
	@printf '%s\n' "$$HELP"

setup: $(VENV)/.ready

# .venv with uv in it. An environment that works is kept, whoever made it. Where Python comes without ensurepip (Debian
# keeps it in python3-venv), the machine's own pip installs into .venv from outside, which an "externally managed"
# Python allows.
$(VENV)/.uv:
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) is not there. Name your Python: make setup PYTHON=python3.11"; exit 1; }
	@if $(PY) -c "$$CHECK_PYTHON" 2>/dev/null && $(UV) --version >/dev/null 2>&1; then touch $@; exit 0; fi; \
	$(PYTHON) -c "$$CHECK_PYTHON" || exit 1; \
	echo "Making $(VENV) with $$($(PYTHON) --version)"; \
	if $(PYTHON) -c "import ensurepip, venv" 2>/dev/null && $(PYTHON) -m venv --clear $(VENV); then \
		pip="$(PY) -m pip"; \
	elif $(PYTHON) -m pip --python "$(PYTHON)" --version >/dev/null 2>&1 && $(PYTHON) -m venv --clear --without-pip $(VENV); then \
		pip="$(PYTHON) -m pip --python $(PY)"; \
	else \
		printf '%s\n' "$$NO_VENV"; exit 1; \
	fi; \
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock >$(VENV)/uv.txt && \
	$$pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt && touch $@

# The packages exactly as locked, wheels only, then covidlab itself, editable. uv asks the registry even where nothing is
# to be done, so an unchanged lock is not synced again: after the first time all this works offline. The font list is
# built here, because matplotlib would otherwise announce it inside the first notebook.
$(VENV)/.ready: $(VENV)/.uv requirements.lock pyproject.toml
	@cmp -s requirements.lock $(VENV)/requirements.lock || { \
		echo "Installing what requirements.lock names (about 3 GB on disk, TensorFlow most of it)"; \
		$(UV) pip sync --quiet --python $(PY) --require-hashes --no-build requirements.lock && \
		cp requirements.lock $(VENV)/requirements.lock; }
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
		>$(VENV)/share/jupyter/lab/settings/overrides.json
	@$(PY) -c "import matplotlib.font_manager"
	@printf '%s' "$(CURDIR)" >$@
	@echo "Ready. Next: make lab, or: source .venv/bin/activate && covidlab --help"

# A checkout that was moved or copied still points at its old place: install covidlab again.
ifneq ($(shell cat $(VENV)/.ready 2>/dev/null),$(CURDIR))
$(VENV)/.ready: FORCE
endif

lab: setup
	$(PY) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
		$(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_FLAGS)

test: setup
	$(ON_PHANTOM) $(PY) -m ruff check --output-format concise covidlab studies tools tests notebooks
	@$(ON_PHANTOM) $(VENV)/bin/lint-imports --no-logo
	$(ON_PHANTOM) $(PY) -m pytest -n $(WORKERS) --dist worksteal tests
ifneq ($(NOTEBOOKS),)
	$(ON_PHANTOM) $(PY) -m pytest $(NBVAL) notebooks/
endif

# Everything resolved together: versions of Colab that pyproject.toml does not allow would be refused here.
$(COLAB)/.ready: tools/colab-requirements.txt pyproject.toml | $(VENV)/.uv
	@echo "Making $(COLAB) with Colab's versions (about 3 GB on disk)"
	@$(UV) venv --quiet --clear --python $(PY) $(COLAB)
	@$(UV) pip install --quiet --python $(COLAB)/bin/python -r tools/colab-requirements.txt --editable ".[test]"
	@$(COLAB)/bin/python -c "import matplotlib.font_manager"
	@touch $@

test-colab: $(COLAB)/.ready
	$(ON_PHANTOM) $(COLAB)/bin/python -m pytest tests/plots/test_viewers.py
	$(ON_PHANTOM) $(COLAB)/bin/python -m pytest $(NBVAL) notebooks/

# LANE_FLAGS="--lanes sse41 --notebooks 05_light_unet.ipynb" runs a part.
test-processors: setup
	$(ON_PHANTOM) $(PY) -m tools.processors $(LANE_FLAGS)

notebooks: setup
	$(ON_PHANTOM) $(PY) -c "from nbclient.cli import main; main()" --inplace --timeout=300 $(NOTEBOOKS)
	$(PY) -m nbstripout --keep-output --keep-count --extra-keys "metadata.language_info.version" $(NOTEBOOKS)

reproduce: setup
	$(PY) -m studies reproduce $(REPRODUCE_FLAGS)

# No TensorFlow in it: nothing is run, and the labs' network is a file.
$(SITE)/.ready: pyproject.toml | $(VENV)/.uv
	@$(UV) venv --quiet --clear --python $(PY) $(SITE)
	@$(UV) pip install --quiet --python $(SITE)/bin/python --group site --editable ".[dicom]"
	@touch $@

site: $(SITE)/.ready
	$(ON_PHANTOM) $(SITE)/bin/python -m tools.site build/html

site-check: $(SITE)/.ready
	$(SITE)/bin/python -m tools.site build/html --check
	$(SITE)/bin/python -m tools.site_browser build/html
	$(ON_PHANTOM) $(SITE)/bin/python -m tools.site_masks build/html $(SCANS)

slides: $(SITE)/.ready
	$(SITE)/bin/python -m tools.slides build/slides

course-table: setup
	$(ON_PHANTOM) $(PY) -m tools.course_table --measure $(TABLE_FLAGS)

fuzz: setup
	$(ON_PHANTOM) $(PY) -m tools.fuzz $(FUZZ_FLAGS)

student: setup
	$(PY) -m tools.student --output student $(NOTEBOOKS)

address: setup
	@$(PY) -m tools.address "$(REPO)"

# Universal: one file for Linux, macOS and Windows and every Python that pyproject.toml allows. It names no host.
lock: $(VENV)/.uv
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-annotate --quiet --output-file requirements.lock $(LOCK_FLAGS)
	@! grep -n '://' requirements.lock

clean:
	rm -rf $(VENV) $(COLAB) $(SITE) build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find covidlab tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

FORCE:
