# Targets that a developer needs. Programs that tests run are built or installed on demand (testdata/tools).

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

GO      ?= go
GOFMT   ?= gofmt
tools   := testdata/tools
version ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
commit  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# Tests of one package; the whole run is bounded by whoever calls make.
timeout ?= 40m
# Tests of these run twice, against the system's HAProxy and against 3.0.
haproxy_tests := ./plugin/haproxy ./plugin/haproxytarget ./plugin/handshake ./plugin/inventory ./plugin/restaple ./plugin/truths
# For `make bench`: a pattern, and a former bin/bench.txt to compare with.
bench   ?= .
old     ?=
# For `make fuzz`: how long each one runs.
fuzztime ?= 1m

# haproxy lives where an ordinary user's PATH doesn't look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
# A workspace around this folder must not change what is built.
export GOWORK := off

.DEFAULT_GOAL := help
.PHONY: help dev build release test test-race bench fuzz lint docs fmt clean install

help: ## prints this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## a CA, a responder and the agent on this machine: real staples within seconds
	$(GO) run ./cmd/consul-ocsp agent -dev

build: ## bin/consul-ocsp for this machine
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w -X main.version=$(version) -X main.commit=$(commit)" -o bin/consul-ocsp ./cmd/consul-ocsp

release: ## bin/release: static programs, .deb and .rpm for linux/amd64 and arm64, built twice and compared; VERSION=1.2.3
	VERSION='$(VERSION)' $(tools)/release/twice bin/release

test: install lint test-race ## everything that has to pass: lint, then every test with the race detector

# Each path is assigned by itself: the failure of a substitution counts only there.
test-race: install ## every test with the race detector, against a real Consul, consul-template, Nomad and HAProxy
	@CONSUL_BIN=$${CONSUL_BIN:-$$($(tools)/build consul)}; \
	CONSUL_TEMPLATE_BIN=$${CONSUL_TEMPLATE_BIN:-$$($(tools)/build consul-template)}; \
	NOMAD_BIN=$${NOMAD_BIN:-$$($(tools)/build nomad)}; \
	HAPROXY_30_BIN=$${HAPROXY_30_BIN:-$$($(tools)/build haproxy-3.0)}; \
	TOXIPROXY_BIN=$${TOXIPROXY_BIN:-$$($(tools)/build toxiproxy)}; \
	PREVIOUS_BIN=$${PREVIOUS_BIN:-$$($(tools)/build previous)}; \
	export CONSUL_BIN CONSUL_TEMPLATE_BIN NOMAD_BIN HAPROXY_30_BIN TOXIPROXY_BIN PREVIOUS_BIN; \
	set -x; $(GO) test -race -count=1 -timeout $(timeout) ./...; \
	HAPROXY_BIN=$$HAPROXY_30_BIN $(GO) test -race -count=1 -timeout $(timeout) $(haproxy_tests)

bench: install ## benchmarks into bin/bench.txt; old=FILE compares with an earlier one
	@mkdir -p bin
	@CONSUL_BIN=$${CONSUL_BIN:-$$($(tools)/build consul)}; \
	CONSUL_TEMPLATE_BIN=$${CONSUL_TEMPLATE_BIN:-$$($(tools)/build consul-template)}; \
	HAPROXY_30_BIN=$${HAPROXY_30_BIN:-$$($(tools)/build haproxy-3.0)}; \
	export CONSUL_BIN CONSUL_TEMPLATE_BIN HAPROXY_30_BIN; \
	set -x; $(GO) test -run '^$$' -bench '$(bench)' -benchmem -timeout $(timeout) ./... | tee bin/bench.txt
	@if [ -n "$(old)" ]; then benchstat=$$($(tools)/build benchstat); $$benchstat $(old) bin/bench.txt; fi

fuzz: install ## every fuzz test, one after the other, for fuzztime=1m each; what they find stays in testdata/fuzz
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		for name in $$($(GO) test "$$dir" -list '^Fuzz' | grep '^Fuzz'); do \
			echo "$$dir $$name"; $(GO) test "$$dir" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(fuzztime); \
		done; \
	done

lint: ## gofmt, go mod tidy, go vet and staticcheck, all without a finding; no test that can be skipped, no dependency without a reason
	@unformatted=$$($(GOFMT) -l .); [ -z "$$unformatted" ] || { echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; } >&2
	@! grep -rnE '\b[tbf]\.Skip(f|Now)?\(' --include='*_test.go' . >&2 || { echo "a test skips: let it fail and say what is missing"; exit 1; } >&2
	$(GO) mod tidy -diff
	@$(tools)/dependencies
	$(GO) vet ./...
	@staticcheck=$$($(tools)/build staticcheck); set -x; $$staticcheck ./...

docs: ## REFERENCE.md, from the code that checks job files
	$(GO) test -count=1 -run TestReferenceIsUpToDate ./cmd/consul-ocsp -update

fmt: ## formats every Go file
	$(GOFMT) -w .

clean: ## removes what was built here; the programs in the user's cache folder stay
	rm -rf bin

install: # checks, and as root installs, the system's programs that the tests run
	@$(tools)/install
