# Sets up .venv first, and again only when pyproject.toml or constraints.txt changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check format bench docs picture constraints clean

demo: $(READY)  ## send a campaign to the sandbox and report conversions; ends with the path of the report
	$(BIN)/campaign run campaigns/autumn-fair.yaml --sandbox
	$(BIN)/campaign feedback autumn-fair campaigns/recipients/autumn-fair-conversions.csv --sandbox --rate 100/s
	$(BIN)/campaign report autumn-fair --sandbox

# One process more than there are cores, because tests wait for other processes. OPTIONS are pytest's, such as --cov.
# Every process imports all tests. It does so faster without the plugins that no test uses, and with bytecode on disk.
test: export PYTEST_DISABLE_PLUGIN_AUTOLOAD = 1
test: export PYTHONDONTWRITEBYTECODE =
test: $(READY)  ## all tests
	$(BIN)/python -m pytest -p xdist -p pytest_cov -p hypothesispytest \
		--numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --dist worksteal $(OPTIONS)

check: $(READY)  ## lint, format, types, dead code, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vulture
	$(BIN)/lint-imports

format: $(READY)  ## format the code, and fix what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## the benchmarks
	$(BIN)/python -m benchmarks

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; say which with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "the venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q runner
	@touch $@

docs: $(READY)  ## generate the JSON Schema and the reference of the campaign file
	$(BIN)/campaign schema > campaigns/campaign.schema.json
	$(BIN)/python -m docs.campaign_file > docs/reference/campaign-file.md

picture: demo  ## take the README's picture of the demo's report; needs chromium
	$(BIN)/python -m docs.picture reports/autumn-fair/sandbox/report.html docs/report.png

constraints:  ## pin all versions from pyproject.toml, with hashes
	$(PYTHON) -m venv --clear $(VENV)-pin
	$(VENV)-pin/bin/pip install --quiet pip-tools
	$(VENV)-pin/bin/pip-compile --quiet --upgrade --extra dev --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-header --output-file constraints.txt pyproject.toml
	rm -rf $(VENV)-pin

clean:
	rm -rf $(VENV)
