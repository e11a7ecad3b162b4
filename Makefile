# Two commands for a fresh machine: `make run` and `make test`. Each sets itself up in .venv the first time.
VENV ?= .venv
BIN := $(VENV)/bin
BOWER ?= quickstart.bower

.PHONY: run test check bench scoreboard learn clean setup

run: ## load this machine's Python documentation and a small household, ask a few questions
	@scripts/setup $(VENV) openvino,weights
	@$(BIN)/bowerbird quickstart --bower $(BOWER)

test: setup ## everything that must hold
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup ## style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: setup ## the numbers of LOG.md
	@cat benchmarks/README.md

scoreboard: ## docs/scoreboard.md: every task with all baselines, within an hour on two cores; run again, it goes on where it was stopped
	@scripts/setup $(VENV) openvino,weights,dev
	@$(BIN)/bowerbird eval scoreboard --llm local

learn: setup ## one encoder for all kinds beside the plain one: the headline table of learning, within an hour (SMALL=1: in five minutes)
	@$(BIN)/python benchmarks/headline.py $(if $(SMALL),--small,--steps 200 --rewards 256 --rankers) --out docs/learned.md

setup:
	@scripts/setup $(VENV) openvino,weights,train,dev

clean:
	rm -rf $(VENV) *.bower
