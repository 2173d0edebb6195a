# Copyright 2026 The discountd Authors
# SPDX-License-Identifier: Apache-2.0

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Developer tools are pinned in modules of their own, so that the product's
# go.mod names nothing but the product's dependencies.
TOOL := go tool -modfile=tools/go.mod
BUF := $(TOOL) buf
GOFUMPT := $(TOOL) gofumpt
LINT := go tool -modfile=tools/lint/go.mod golangci-lint

# What may not break: the API as it was released last.
BASELINE := proto/baseline.binpb

# Everything that is built and not committed.
BUILD := build

# How long each fuzz test looks for new inputs.
FUZZ_TIME := 1m

# Go files written by hand.
GO_FILES = $$(git ls-files --cached --others --exclude-standard '*.go' ':!gen/')

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use

.PHONY: run
run: ## Start the service on 127.0.0.1:50051.
	go run ./cmd/discountd

.PHONY: build
build: ## Build the static binary bin/discountd.
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/discountd ./cmd/discountd

##@ Test

.PHONY: test
test: ## Run all tests with the race detector; installs redis-server if missing.
	@tools/ensure redis cc
	@tools/run-tests -race -timeout=20m ./...

# What takes long in the store's tests, or is about gathering, is left out.
.PHONY: test-singly
test-singly: ## Run the tests of the store and of the whole without gathering and without remembered rules.
	@tools/ensure redis
	@DISCOUNTD_GATHER=false DISCOUNTD_RULES_CACHE_MIB=0 tools/run-tests -timeout=10m \
		-skip='Claim|Seeded|Storm|Histories|DoesWhatTheModel|ServerThatRefuses|Cache|Gather|P5Code' ./redisstore ./test/acceptance

.PHONY: torture
torture: ## Run the long forms of the tests: storms, kills, faults; then fuzz.
	@tools/ensure redis cc
	@TORTURE=1 tools/run-tests -race -timeout=4h ./...
	@$(MAKE) fuzz

.PHONY: fuzz
fuzz: ## Look for inputs that no rule holds for, FUZZ_TIME for each fuzz test.
	@names=$$(go test -list='^Fuzz' ./domain | grep '^Fuzz'); \
	for name in $$names; do \
		go test ./domain -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZ_TIME) || exit; \
	done

.PHONY: e2e
e2e: build ## Drive the built binary through grpcurl.
	@tools/ensure redis
	@go build -modfile=tools/go.mod -o bin/grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl
	@tools/run-tests -tags=e2e ./test/e2e

.PHONY: test-clients
test-clients: build $(BUILD)/python/ready $(BUILD)/typescript/ready ## Run the Go, Python and TypeScript examples against the service.
	@tools/ensure redis
	@go build -o $(BUILD)/go/example ./examples/go
	@tools/run-tests -tags=clients ./test/clients

.PHONY: client-python
client-python: $(BUILD)/python/ready ## Generate the Python client of examples/python.

.PHONY: client-typescript
client-typescript: $(BUILD)/typescript/ready ## Generate the TypeScript client of examples/typescript.

# BENCH_FLAGS are those of `build/bench/bench run --help`.
.PHONY: bench
bench: build $(BUILD)/bench/bench ## Measure against an empty server and against rivals; wants a quiet machine.
	@tools/ensure redis postgres
	@$(BUILD)/bench/bench run $(BENCH_FLAGS)

.PHONY: bench-smoke
bench-smoke: build $(BUILD)/bench/bench ## Check that every variant of the benchmark counts correctly, in under a minute.
	@tools/ensure redis postgres
	@$(BUILD)/bench/bench run --smoke $(BENCH_FLAGS)

##@ Change

.PHONY: generate
generate: ## Generate the Go code from the protos.
	$(BUF) generate

.PHONY: format
format: ## Format Go and proto files.
	$(GOFUMPT) -w $(GO_FILES)
	$(BUF) format -w

.PHONY: baseline
baseline: ## Accept the API as it is now as the one that may not break.
	$(BUF) build --exclude-source-info -o $(BASELINE)

##@ Check

.PHONY: lint
lint: ## Run golangci-lint, go vet and buf lint.
	go vet -tags=e2e,clients ./...
	$(LINT) run
	go -C bench tool -modfile=../tools/lint/go.mod golangci-lint run
	$(BUF) lint

.PHONY: check-format
check-format: ## Fail when a file is not formatted.
	@unformatted=$$($(GOFUMPT) -l $(GO_FILES)); \
		if [ -n "$$unformatted" ]; then printf 'not formatted, run make format:\n%s\n' "$$unformatted"; exit 1; fi
	$(BUF) format -d --exit-code

.PHONY: check-generated
check-generated: ## Fail when generated code is not what the protos say.
	@rm -rf $(BUILD)/generated
	@$(BUF) generate -o $(BUILD)/generated
	@diff -r gen $(BUILD)/generated/gen || { echo 'gen is stale: run make generate'; exit 1; }

.PHONY: check-modules
check-modules: ## Fail when a go.mod is not tidy or a dependency was altered.
	go mod tidy -diff
	go -C tools mod tidy -diff
	go -C tools/lint mod tidy -diff
	go -C bench mod tidy -diff
	go mod verify

.PHONY: breaking
breaking: ## Fail when the API breaks against the baseline.
	$(BUF) breaking --against $(BASELINE)

.PHONY: ci
ci: ## Run everything that continuous integration runs.
	@.ci/run

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin $(BUILD) examples/typescript/{node_modules,gen,dist}

# The benchmark is a module of its own; Go knows whether it is up to date.
.PHONY: $(BUILD)/bench/bench
$(BUILD)/bench/bench:
	@go -C bench build -o ../$@ .

# The Python client: a virtual environment, and stubs by grpc_tools.protoc.
$(BUILD)/python/ready: examples/python/requirements.txt $(wildcard proto/discount/v1/*.proto)
	@tools/ensure python
	@echo 'python: installing packages and generating the client'
	@rm -rf $(@D) && mkdir -p $(@D)/gen
	@python3 -m venv $(@D)/venv
	@$(@D)/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	@$(@D)/venv/bin/python -m grpc_tools.protoc -I proto \
		--python_out=$(@D)/gen --pyi_out=$(@D)/gen --grpc_python_out=$(@D)/gen proto/discount/v1/*.proto
	@touch $@

# The TypeScript client: packages from the lock file, code by buf and
# protoc-gen-es, compiled strictly.
$(BUILD)/typescript/ready: $(wildcard examples/typescript/*.* proto/discount/v1/*.proto)
	@tools/ensure node
	@echo 'typescript: installing packages and generating the client'
	@mkdir -p $(@D)
	@npm --prefix examples/typescript ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@npm --prefix examples/typescript run --silent generate
	@npm --prefix examples/typescript run --silent build
	@touch $@
