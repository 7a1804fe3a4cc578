# Commands of those who teach and of those who write labs.

.PHONY: test grade demo hub viva labs new docs student bench bench-gpu lint

test: tools-test $(READY)  ## run every test [ARGS="tests/lablib -k softmax"]
	$(VENV) -m ruff check .
	$(VENV) -m pytest -q -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

grade: tools-grade $(READY)  ## grade a class: LAB=lab06_triton_kernels [FROM=path] [WORKERS=4] [DASK=tcp://host:8786] [SANDBOX=none] [REGRADE=yes]
	$(VENV) -m autograder grade $(LAB) $(if $(FROM),--from "$(FROM)") $(if $(WORKERS),--workers $(WORKERS)) \
	  $(if $(DASK),--dask $(DASK)) $(if $(SANDBOX),--sandbox $(SANDBOX)) $(if $(filter yes,$(REGRADE)),--regrade)

demo: tools-grade $(READY)  ## make a small class of right, wrong and broken hand-ins, and grade it [SANDBOX=none]
	$(if $(SANDBOX),ADLS_SANDBOX=$(SANDBOX)) $(VENV) -m autograder demo

hub: tools-grade $(READY)  ## serve a class with JupyterHub, as root; docs/deploy says what has to be there
	$(VENV) -m jupyterhub --config docs/deploy/hub/jupyterhub_config.py $(ARGS)

viva: tools-grade $(READY)  ## questions for an oral check, from hand-ins' own code: LAB=lab06_triton_kernels [FROM=notebook] [SANDBOX=none]
	$(VENV) -m autograder viva $(LAB) $(if $(FROM),"$(FROM)") $(if $(SANDBOX),--sandbox $(SANDBOX))

labs: $(READY)  ## write labs/ from the masters in solutions/
	$(VENV) -m autograder labs

new: $(READY)  ## start a lab from the template: NN=42 SLUG=mixture_of_experts
	$(VENV) -m autograder new "$(NN)" "$(SLUG)"

docs: $(READY)  ## build the documentation as a site in build/site, every lab run for its figures [LABS="lab06 lab07"]
	$(VENV) -m docs.site $(if $(LABS),--labs $(LABS))

student:  ## pack what students get into build/adls-labs.tar.gz [REPO=clone of the students' repository: commit it there]
	mkdir -p build
	git archive --prefix=adls-labs/ --add-file=docs/student/README.md --output=build/adls-labs.tar.gz HEAD
ifdef REPO
	git -C "$(REPO)" rm -rq --ignore-unmatch .
	tar -xzf build/adls-labs.tar.gz --strip-components=1 -C "$(REPO)"
	git -C "$(REPO)" add --all && git -C "$(REPO)" commit -q -m "Labs of $$(git describe --always)"
endif

bench: $(READY)  ## measure the hardware engines and grading on this machine, an hour, and write benchmarks/results/; try every wrong answer and every page
	$(VENV) -m pytest -q -n 3 --dist loadscope --no-loadscope-reorder tests/labs/test_labs.py tests/labs/test_judged.py tests/browser/test_labs_in_jupyterlab.py tests/site --whole
	$(VENV) -m benchmarks.hls
	$(VENV) -m benchmarks.grading

bench-gpu: $(READY)  ## measure every kernel and those of lab06 and lab07 on this machine's GPU, and write benchmarks/results/
	$(VENV) -m benchmarks.kernels
	$(VENV) -m benchmarks.lab06
	$(VENV) -m benchmarks.lab07

lint: $(READY)  ## check style, types and common misspellings
	$(VENV) -m ruff check . && $(VENV) -m ruff format --check . && $(VENV) -m pyright
	$(VENV) -m codespell_lib
