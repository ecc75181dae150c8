# Everything that is made lies in build/ and may be deleted at any time.

SHELL := /bin/bash
.DEFAULT_GOAL := help

TAGS := goolm
FUZZTIME ?= 1m
TESTFLAGS ?=
CHECK ?=
RACE ?=

# Every Go file of ours, in both modules.
GO_FILES = $(shell git ls-files --cached --others --exclude-standard '*.go')

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z/-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# --- what has to be there ---------------------------------------------------------------------------------------------

.PHONY: tools
tools:
	@command -v go >/dev/null || { echo "Go is missing: install 1.26 or newer from https://go.dev/dl (Debian: golang-go, if new enough)" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "A C compiler is missing, SQLite needs it (Debian: gcc libc6-dev)" >&2; exit 1; }
	@command -v git >/dev/null || { echo "git is missing (Debian: git)" >&2; exit 1; }

.PHONY: python
python:
	@command -v python3 >/dev/null || { echo "Python is missing, Synapse needs it (Debian: python3 python3-venv)" >&2; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "Python cannot make virtual environments (Debian: python3-venv)" >&2; exit 1; }

# npm brings its Node. One that is older than what matrix-js-sdk needs is enough: see build/jsclient.
.PHONY: npm
npm:
	@command -v npm >/dev/null || { echo "npm is missing, the tests run Element's matrix-js-sdk (Debian: npm)" >&2; exit 1; }

# --- build ------------------------------------------------------------------------------------------------------------

.PHONY: build
build: tools ## Build the bridge: build/bin/postern
	go build -tags $(TAGS) -o build/bin/postern ./cmd/postern

.PHONY: docs
docs: build ## Write config.example.yaml and docs/configuration-reference.md from the program
	build/bin/postern config > config.example.yaml
	build/bin/postern config --markdown > docs/configuration-reference.md

# Synapse, with exactly the versions in testbed/synapse/requirements.txt.
build/synapse: testbed/synapse/requirements.txt | python
	@echo "Installing Synapse for the tests into build/synapse (once, about a minute)"
	@rm -rf build/synapse
	@mkdir -p build
	@python3 -m venv build/synapse
	@build/synapse/bin/pip install --quiet --disable-pip-version-check --requirement $< || { rm -rf build/synapse; exit 1; }
	@touch build/synapse

# matrix-js-sdk, with exactly the versions in testbed/jsclient/package-lock.json, and a Node if this machine's own is too old. The
# programs are links to the sources, so only a change of versions installs again.
NEW_NODE = node -e 'process.exit(parseInt(process.versions.node) >= 22 ? 0 : 1)'
build/jsclient: testbed/jsclient/package-lock.json | npm
	@echo "Installing matrix-js-sdk for the tests into build/jsclient (once, about 15 seconds)"
	@rm -rf build/jsclient
	@mkdir -p build/jsclient
	@cp testbed/jsclient/package.json testbed/jsclient/.npmrc $< build/jsclient/
	@ln -s ../../testbed/jsclient/main.mjs ../../testbed/jsclient/store.mjs build/jsclient/
	@cd build/jsclient && npm ci $$($(NEW_NODE) && echo --omit=optional) >/dev/null || { rm -rf ../jsclient; exit 1; }
	@$(NEW_NODE) || test -x build/jsclient/node_modules/.bin/node || \
		{ rm -rf build/jsclient; echo "Node 22 or newer is missing, and there is none in npm for this kind of machine" >&2; exit 1; }
	@touch build/jsclient

# The tool's version is pinned in testbed/go.mod, which keeps it out of the bridge's dependencies.
build/bin/staticcheck: testbed/go.mod | tools
	cd testbed && go build -o ../build/bin/staticcheck honnef.co/go/tools/cmd/staticcheck

# --- check ------------------------------------------------------------------------------------------------------------

# Each end-to-end test waits often, so it takes six side by side to keep two processors at work. They are built without
# the race detector: what they start is under test, not they. RACE=1 builds the bridge with it.
E2E = go test -tags $(TAGS) -timeout 20m -parallel 6 $(TESTFLAGS) ./e2e
E2E_ENV = $(if $(RACE),POSTERN_RACE=1)

.PHONY: test
test: tools build/jsclient ## Run all tests, the end-to-end ones with Dendrite
	go test -tags $(TAGS) -race -timeout 20m $(TESTFLAGS) ./...
	cd testbed && go test -tags $(TAGS) -race -timeout 20m $(TESTFLAGS) $$(go list -tags $(TAGS) ./... | grep -v '/e2e$$')
	cd testbed && $(E2E_ENV) $(E2E)

.PHONY: test-synapse
test-synapse: tools build/synapse build/jsclient ## Run the end-to-end tests with Synapse
	cd testbed && POSTERN_HOMESERVER=synapse go test -tags $(TAGS) $(TESTFLAGS) ./homeserver ./jsuser ./matrixuser
	cd testbed && POSTERN_HOMESERVER=synapse $(E2E_ENV) $(E2E)

.PHONY: test-postgres
test-postgres: tools ## Run the end-to-end tests with PostgreSQL
	cd testbed && POSTERN_DATABASE=postgres $(E2E_ENV) $(E2E)

.PHONY: test-docker
test-docker: tools ## Build the images and try the compose files; needs a Docker engine and docker-compose
	@command -v docker-compose >/dev/null || { echo "docker-compose is missing (Debian: docker-compose and docker.io)" >&2; exit 1; }
	docker info >/dev/null
	DOCKER_BUILDKIT=1 docker build --network host --target full --tag postern:full .
	cd testbed && go test -tags $(TAGS),compose -count 1 -timeout 20m -v ./docker

.PHONY: lint
lint: tools build/bin/staticcheck ## Check format, vet, staticcheck and the import rules
	@unformatted=$$(gofmt -l $(GO_FILES)); if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w):" >&2; echo "$$unformatted" >&2; exit 1; fi
	go vet -tags $(TAGS) ./...
	cd testbed && go vet -tags $(TAGS) ./...
	build/bin/staticcheck -tags $(TAGS) ./...
	cd testbed && ../build/bin/staticcheck -tags $(TAGS) ./...
	go test -tags $(TAGS) .

.PHONY: fuzz
fuzz: tools ## Fuzz every decoder, FUZZTIME=1m each
	.ci/fuzz $(FUZZTIME)

# --- see it ------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: tools ## Show a conversation between Matrix and WhatsApp; CHECK=1 plays it alone
	@echo "Compiling the demo (the first time takes about two minutes)"
	@cd testbed && go build -tags $(TAGS) -o ../build/bin/demo ./cmd/demo
	@build/bin/demo $(if $(CHECK),-check)

.PHONY: pictures
pictures: tools ## Write the pictures in docs/images with the demo and Chromium
	@cd testbed && go build -tags $(TAGS) -o ../build/bin/demo ./cmd/demo
	@build/bin/demo -check -pictures docs/images

.PHONY: bench
bench: tools ## Measure speed and memory against a baseline: build/bench.json
	@echo "Compiling the benchmark (the first time takes about two minutes)"
	@cd testbed && go build -tags $(TAGS) -o ../build/bin/bench ./cmd/bench
	@build/bin/bench -out build/bench.json

# --- release ------------------------------------------------------------------------------------------------------------

.PHONY: dist
dist: tools ## Make the packages of a release: VERSION=1.2.3, into build/dist
	packaging/dist "$(VERSION)"

# --- the rest -----------------------------------------------------------------------------------------------------------

.PHONY: clean
clean: ## Delete everything that was made
	rm -rf build
