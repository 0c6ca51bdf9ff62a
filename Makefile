# make reproduce   batch norm on real digits: trains, prints, draws
# make reproduce-all   every experiment at full size, into docs/results
# make test        the tests
# make docs        the site in build/docs, its notebooks run; warnings are errors
# make check       before each commit: format, lint, types, tests, docs
#
# Each sets up .venv first, if it is not there as constraints.txt says; the
# stamp's name holds what the set-up depends on, so that it is done once and
# done again after any change, an interruption or a move of the directory.

PYTHON ?= python3
# Without bytecode each process that starts compiles jax's source, for seconds.
unexport PYTHONDONTWRITEBYTECODE
# A .venv whose Python does not start (moved, half removed) is set up afresh.
BROKEN := $(shell [ ! -e .venv ] || .venv/bin/python -c '' 2>/dev/null || rm -rf .venv)
BIN := .venv/bin
KEY := $(shell { cat pyproject.toml constraints.txt; pwd; $(PYTHON) -VV; } | cksum | cut -d' ' -f1)
STAMP := .venv/ready-$(KEY)
DEV_STAMP := .venv/ready-dev-$(KEY)
DOCS_STAMP := .venv/ready-docs-$(KEY)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --no-compile \
  --progress-bar off --constraint constraints.txt

# $(call install,EXTRAS): a terminal shows, in a line, what pip is at; what it
# said is shown where it fails.
, := ,
install = $(PIP) --editable '.[$(1)]' >.venv/log 2>&1 & pip=$$!; \
  trap 'kill $$pip; exit 130' INT TERM; \
  while kill -0 $$pip 2>/dev/null; do \
    [ ! -t 1 ] || printf '\r  %-76.76s' "$$(tail -n 1 .venv/log)"; sleep 1; \
  done; \
  [ ! -t 1 ] || printf '\r%78s\r' ''; \
  wait $$pip || { cat .venv/log; exit 1; }

.PHONY: reproduce reproduce-all test lint docs check format venv clean

DIGITS ?= mnist5k
reproduce: $(STAMP)
	$(BIN)/python scripts/train.py --config=configs/init_robustness.py:$(DIGITS)

# All that docs/results has, with the settings that its configs have. MNIST and
# CIFAR-10 come through tensorflow-datasets; CIFAR-10 as it was published here,
# re-encoded, where that is prepared (CIFAR=cifar10 for the original). Done ones
# are kept: what was interrupted goes on. DIGITS=smoke: each in small, offline,
# into build/results.
DATA := $(or $(TFDS_DATA_DIR),$(HOME)/tensorflow_datasets)
CIFAR ?= $(if $(wildcard $(DATA)/cifar10_jpeg),cifar10_jpeg,cifar10)
EXPERIMENTS = init_robustness:mnist loss_curves:mnist init_gradients:mnist \
  dropout_comparison:mnist cost:mnist deep_signal:gaussian \
  gradient_growth:gaussian rank_collapse:gaussian shattered_gradients:line \
  deep_linear:gaussian covariate_shift:mnist covariate_shift:$(CIFAR) \
  landscape:mnist landscape:$(CIFAR) residual_branch:mnist \
  residual_branch:$(CIFAR) residual_depth:mnist residual_depth:$(CIFAR) \
  variance_shift:mnist effective_rate:mnist trainability_depth:mnist \
  learning_rate_limits:mnist one_update:mnist normalization_batch:mnist \
  adversarial:mnist population:mnist placement:mnist trainability:mnist \
  lenet:mnist lenet:$(CIFAR) accelerating:$(CIFAR) inception_cifar:$(CIFAR) \
  sigmoid_percentiles:mnist learning_rates:mnist only_batch_norm:mnist
SMALL := $(filter smoke,$(DIGITS))
JOBS = $(if $(SMALL),$(sort $(foreach job,$(EXPERIMENTS),\
  $(firstword $(subst :, ,$(job))):smoke)),$(EXPERIMENTS))
KEPT = $(if $(SMALL),build,docs)/results

reproduce-all: $(STAMP)
	@begun=$$(date +%s); mkdir -p $(KEPT); \
	for job in $(JOBS); do \
	  dir=runs/all/$$(echo $$job | tr : -); \
	  if [ ! -e $$dir/summary.json ]; then \
	    echo "== $$job"; $(BIN)/python scripts/train.py \
	      --config=configs/$$(echo $$job | sed s/:/.py:/) --workdir=$$dir || exit 1; \
	  fi; \
	  $(BIN)/python scripts/report.py --workdir=$$dir \
	    --export=$(KEPT)/$$(basename $$dir) || exit 1; \
	done; \
	$(BIN)/python scripts/report.py --gallery=$(KEPT); \
	echo "reproduce-all took $$(( $$(date +%s) - begun )) s"

test: $(DEV_STAMP)
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile \
	  --no-loadscope-reorder

lint: $(DEV_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(DOCS_STAMP)
	@rm -rf build/docs  # pages of code that is gone stay otherwise
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs
	@echo "build/docs/index.html"

check: lint test docs

format: $(DEV_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

venv: $(DEV_STAMP) $(DOCS_STAMP)

$(STAMP):
	@echo "setting up .venv, once: pip fetches and installs jax, flax and what the"
	@echo "experiments need; two or three minutes, half of one with cached packages"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bnjax needs Python 3.11 or later; this is " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	@$(PYTHON) -m venv --clear .venv
	@$(call install,lab)
	@touch $@
	@echo "set up; experiments are compiled the first time, too"

$(DEV_STAMP): $(STAMP)
	@echo "adding what the tests need"
	@$(call install,lab$(,)dev)
	@touch $@

$(DOCS_STAMP): $(STAMP)
	@echo "adding what the documentation needs"
	@$(call install,lab$(,)docs)
	@touch $@

clean:
	rm -rf .venv build runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
