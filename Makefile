PYTHON ?= python
MODEL ?= local:qwen2.5-coder-1.5b
PICTURES ?= docs

.PHONY: format lint type test test-fast test-local test-vllm test-studio test-harness test-mcp-adapters test-clients test-open-webui test-community test-training test-postgres test-ray test-faults test-wheel docs docs-check screenshots dist audit studio bench bench-million check

format:            ## rewrite the code in the one format
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lint:              ## what CI holds against the code
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	bash .ci/prose.sh $(PYTHON)

docs:              ## the documentation site, served on http://localhost:8000 (needs the extra `docs`)
	$(PYTHON) docs/site/build.py serve

docs-check:        ## the site built with warnings as errors, in build/site; the notebooks run
	$(PYTHON) docs/site/build.py
	$(PYTHON) -m pytest -q tests/docs/test_notebooks.py

screenshots:       ## the pictures of the documentation, from a real run (needs the extra `docs`, Chromium and a model)
	$(PYTHON) docs/site/screenshots.py --model $(MODEL) --out $(PICTURES)

type:
	$(PYTHON) -m mypy
	cd training/data && MYPYPATH=../.. $(PYTHON) -m mypy --config-file ../../pyproject.toml *.py

test-fast:         ## what needs no process, server, browser or clock: under a minute on two cores
	$(PYTHON) -m pytest -q -n auto --dist loadfile --timeout 60 -m "not faults and not slow"

test:              ## all tests with the shipped fakes, network closed; a process a core, the tests of a file in one of them
	$(PYTHON) -m pytest -n auto --dist loadfile --timeout 300 -m "not faults"

test-local:        ## with a real embedded model (fetches 98 MB once)
	REASONFLUX_TEST_LOCAL=1 $(PYTHON) -m pytest -m local_model

test-vllm:         ## with a real vLLM server (its CPU build, in an environment of its own: 3.5 GB, ten minutes or more; needs the extra `ray`)
	bash .ci/vllm.sh $(PYTHON)

test-studio:       ## a running langgraph dev, driven with langgraph-sdk
	REASONFLUX_TEST_STUDIO=1 $(PYTHON) -m pytest -m studio tests/graphs

test-harness:      ## lm-evaluation-harness, really run (needs the extra `eval`)
	$(PYTHON) -m pytest -m "harness and not local_model" tests/evaluation/test_harness.py tests/test_readme.py

test-mcp-adapters: ## langchain-mcp-adapters (mcp 1, an environment of its own) against our MCP server
	bash .ci/mcp_adapters.sh $(PYTHON)

test-clients:      ## litellm, llm, openai-agents and aider against our endpoint (environments of their own: 1.1 GB)
	bash .ci/clients.sh $(PYTHON)

test-open-webui:   ## Open WebUI in Chromium against our endpoint (an environment of its own)
	bash .ci/open_webui.sh $(PYTHON)

test-community:    ## templates in langchain-community's FAISS
	$(PYTHON) -m pip install --quiet 'langchain-community>=0.4.1,<0.5'
	$(PYTHON) -m pytest tests/tools/test_langchain.py -k community

test-training:     ## LLaMA-Factory and DeepSpeed read our files, and the miniature trains (an environment of 2.1 GB)
	REASONFLUX_TEST_LLAMAFACTORY=$$(PYTHON=$(PYTHON) bash training/env.sh) $(PYTHON) -m pytest -m llamafactory tests/training

test-postgres:     ## threads, and templates, in a real PostgreSQL server, which the tests start (Debian: apt-get install postgresql)
	REASONFLUX_TEST_POSTGRES=1 $(PYTHON) -m pytest tests/threads/test_postgres.py tests/templates/test_namespaces.py

test-ray:          ## batches on a real Ray cluster of two nodes, one of which is killed (needs the extra `ray`)
	REASONFLUX_TEST_RAY=1 $(PYTHON) -m pytest tests/ray

test-faults:       ## a server that fails in every way; processes that are killed (two to three minutes)
	$(PYTHON) -m pytest -m faults

test-wheel:        ## every verb from a built wheel, away from the checkout
	REASONFLUX_TEST_WHEEL=1 $(PYTHON) -m pytest tests/test_wheel.py

dist:              ## the wheel and the source archive of a release, built and checked, in dist/
	rm -rf dist
	$(PYTHON) -m build --no-isolation
	$(PYTHON) -m twine check --strict dist/*

audit:             ## licences of all that the extras install; fails on one that nobody has looked at
	$(PYTHON) -m tests.security.audit local mcp postgres ui

studio:            ## LangGraph's dev server with our graphs; nothing leaves the machine
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=true LANGSMITH_TRACING=false $(PYTHON) -m langgraph_cli dev --no-browser

bench:             ## speed, as ratios in one run: a table, and bench.json (about a quarter of an hour; fetches 491 MB once)
	$(PYTHON) -m tests.bench

bench-million:     ## a million templates (a quarter of an hour, 8 GB of disk)
	OMP_NUM_THREADS=1 $(PYTHON) -m tests.bench million

check: lint type test
