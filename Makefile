# The commands of this repository; `make` alone lists them.

PYTHON  ?= $(shell python3.11 -c "" 2>/dev/null && command -v python3.11 || echo python3)
PORT    ?= 8888
BROWSER ?= yes

VENV  := .venv/bin/python
READY := .venv/.ready

.PHONY: help lab clean tools-lab tools-grade tools-test

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

# Students have the rest of this file only.
-include autograder/commands.mk

lab: $(READY)  ## open the labs in JupyterLab [PORT=8888] [BROWSER=no]
	@$(VENV) -m lablib.jupyter --port $(PORT) $(if $(filter no,$(BROWSER)),--no-browser)

clean:  ## remove what was installed and built; the class in course/ stays
	rm -rf .venv build .pytest_cache .ruff_cache .hypothesis *.egg-info

# The stamp comes last, so that an interrupted installation is taken up again.
$(READY): requirements.lock pyproject.toml | tools-lab
	[ -x $(VENV) ] || $(PYTHON) -m venv .venv
	$(VENV) -m pip install --disable-pip-version-check --requirement requirements.lock
	$(VENV) -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(VENV) -m pip check
	-$(VENV) -m lablib.hls.warm
	@touch $@

tools-lab tools-grade tools-test: tools-%:
	@$(PYTHON) -m lablib.doctor --system $* --install
