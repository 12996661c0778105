# For those who type make: `make test` is `python3 lab.py test`, and lab.py, which needs no make, does it all. Flags:
#   make lab LAB_FLAGS="--no-browser --port=8899"    make lab COVIDLAB_DATA=/path/to/folder    make test WORKERS=4
#   make setup PYTHON=python3.12                     make lock LOCK_FLAGS=--upgrade            make address REPO=owner/name
PYTHON ?= python3
WORKERS ?= 2
FLAGS_lab = $(LAB_FLAGS)
FLAGS_test = -n $(WORKERS)
FLAGS_lock = $(LOCK_FLAGS)
FLAGS_site-check = $(SCANS)
# Of the tools that are run by their own names, the phantom's, whatever the reader has switched to.
RUN := $(PYTHON) lab.py run -m

.PHONY: help lab test setup student site slides clean notebooks site-check release lock test-colab \
	reproduce address fuzz test-processors course-table
help:
	@$(PYTHON) lab.py --help
lab test setup student site slides clean notebooks site-check release lock test-colab:
	@$(PYTHON) lab.py $@ $(FLAGS_$@)
reproduce:
	$(RUN) studies reproduce $(REPRODUCE_FLAGS)
address:
	$(RUN) tools.address "$(REPO)"
fuzz:
	COVIDLAB_DATA= $(RUN) tools.fuzz $(FUZZ_FLAGS)
test-processors:
	COVIDLAB_DATA= $(RUN) tools.processors $(LANE_FLAGS)
course-table:
	COVIDLAB_DATA= $(RUN) tools.course_table --measure $(TABLE_FLAGS)
