# Build, test and try ffrtmp. Needs Go, git, gcc, make and apt. `make help` lists the targets.

GO        ?= go
VERSION   ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null || echo dev)
COMMIT    ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS   := -X github.com/ffrtmp/ffrtmp/internal/version.Version=$(VERSION) -X github.com/ffrtmp/ffrtmp/internal/version.Commit=$(COMMIT)
SUDO      := $(if $(filter 0,$(shell id -u)),,sudo)

# Tools are pinned here, outside go.mod.
GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION   := v1.9.0
GOLANGCI_LINT         := $(CURDIR)/.tools/golangci-lint-$(GOLANGCI_LINT_VERSION)

.PHONY: help build console test lint fmt vulncheck demo demo-recording chaos openapi screenshots bench bench-peers otlp clean programs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/master, bin/agent and bin/ffrtmp
	@$(MAKE) --no-print-directory console || echo "warning: building without the console's third-party scripts; its pages say what is off"
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

NPM = @command -v npm >/dev/null || { $(SUDO) apt-get update -q && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends npm; }

NPM_CI := --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-timeout=60000 --fetch-retries=1

# console installs the third-party scripts of the web console, at the versions that ui/package-lock.json pins.
CONSOLE := ui/third_party
MODULES := .tools/console/node_modules
console: $(CONSOLE)/.installed ## install the scripts of the web console (npm)
$(CONSOLE)/.installed: ui/package.json ui/package-lock.json
	$(NPM)
	mkdir -p .tools/console && cp ui/package.json ui/package-lock.json .tools/console/
	cd .tools/console && npm ci $(NPM_CI) || \
		{ echo "error: cannot install the console's scripts; is the npm registry reachable?"; exit 1; }
	cp $(MODULES)/htmx.org/dist/htmx.min.js $(MODULES)/uplot/dist/uPlot.iife.min.js $(MODULES)/uplot/dist/uPlot.min.css $(CONSOLE)/
	cp $(MODULES)/htmx.org/LICENSE $(CONSOLE)/LICENSE.htmx && cp $(MODULES)/uplot/LICENSE $(CONSOLE)/LICENSE.uplot
	touch $@

test: programs ## run all tests with the race detector
	@$(MAKE) --no-print-directory console || echo "warning: without the console's third-party scripts its browser test fails"
	$(GO) test -race -timeout 25m ./...

lint: $(GOLANGCI_LINT) ## check formatting, imports and linters (.golangci.yaml)
	$(GOLANGCI_LINT) run

# openapi uses npm packages at the versions that api/lint/package-lock.json pins, and the Go tool that api/lint/go.mod pins.
OPENAPI := .tools/openapi
openapi: $(OPENAPI)/.installed ## lint the OpenAPI document; compile the clients that two generators make of it (npm, Go)
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(OPENAPI)/node_modules/.bin/redocly lint --format=json \
		api/openapi.yaml >$(OPENAPI)/redocly.json || { cat $(OPENAPI)/redocly.json; exit 1; }
	@grep -q '"warnings": 0' $(OPENAPI)/redocly.json || { cat $(OPENAPI)/redocly.json; exit 1; }
	$(OPENAPI)/node_modules/.bin/spectral lint --quiet --fail-severity=hint -r api/lint/spectral.yaml api/openapi.yaml
	$(OPENAPI)/node_modules/.bin/openapi-typescript api/openapi.yaml -o $(OPENAPI)/api.d.ts
	$(OPENAPI)/node_modules/.bin/tsc --noEmit --strict $(OPENAPI)/api.d.ts
	cd api/lint && $(GO) tool oapi-codegen -config oapi-codegen.yaml ../openapi.yaml && $(GO) build ./...
$(OPENAPI)/.installed: api/lint/package.json api/lint/package-lock.json
	$(NPM)
	mkdir -p $(OPENAPI) && cp api/lint/package.json api/lint/package-lock.json $(OPENAPI)/
	cd $(OPENAPI) && npm ci $(NPM_CI) || \
		{ echo "error: cannot install the OpenAPI linters; is the npm registry reachable?"; exit 1; }
	touch $@

# screenshots shows every page of the console, light and dark and at three widths, in .tools/screenshots; the README's
# are copied to docs/screenshots.
SCREENSHOTS := $(CURDIR)/.tools/screenshots
screenshots: programs console ## take pictures of the console's pages in a browser
	mkdir -p $(SCREENSHOTS)
	FFRTMP_SCREENSHOTS=$(SCREENSHOTS) $(GO) test -count 1 -timeout 30m -tags screenshots -run Screenshots ./e2e
	mkdir -p docs/screenshots
	for p in overview job jobs; do install -m 644 $(SCREENSHOTS)/readme-$$p.png docs/screenshots/$$p.png || exit 1; done

fmt: $(GOLANGCI_LINT) ## format the code
	$(GOLANGCI_LINT) fmt

vulncheck: ## check for known vulnerabilities (needs vuln.go.dev)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

demo: build programs ## encode on 3 masters and 2 agents, kill the leader, verify; INPUT=file, KEEP=1
	$(GO) build -o .tools/demo ./internal/devcluster/demo
	@.tools/demo -bin bin $(if $(INPUT),-input '$(INPUT)') $(if $(KEEP),-keep)

demo-recording: build programs ## record the demo as docs/demo/demo.svg
	$(GO) build -o .tools/demo ./internal/devcluster/demo
	$(GO) run ./docs/demo -o docs/demo/demo.svg .tools/demo -bin bin

chaos: programs ## run the long fault tests (build tag chaos)
	$(GO) test -race -count 1 -timeout 90m -tags chaos -run Chaos ./...

bench: ## run all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-peers: build ## measure writes beside etcd and NATS JetStream; ARGS=flags (docs/performance.md)
	cd bench/peers && $(GO) vet ./... && $(GO) test ./... && CGO_ENABLED=0 $(GO) build -o ../../.tools/peers .
	.tools/peers -systems etcd,jetstream,ffrtmp=bin $(ARGS)

otlp: build programs ## send traces to the OpenTelemetry Collector, which a module of its own builds
	cd e2e/otlp && $(GO) vet ./... && BIN=$(CURDIR)/bin $(GO) test -count 1 ./...

clean: ## remove build results
	rm -rf bin .tools api/lint/client/client.gen.go
	find ui/third_party -type f ! -name README.md -delete

# programs installs what tests and demo run, without starting or enabling services: tests start their own.
PROGRAMS := ffmpeg:ffmpeg ffprobe:ffmpeg openssl:openssl sqlite3:sqlite3 nginx:nginx promtool:prometheus prometheus:prometheus \
            /usr/lib/nginx/modules/ngx_rtmp_module.so:libnginx-mod-rtmp systemd-analyze:systemd chromium:chromium
demo demo-recording: PROGRAMS := ffmpeg:ffmpeg ffprobe:ffmpeg
POLICY   := /usr/sbin/policy-rc.d
programs: ## install the programs that tests and demo need
	@missing=; \
	for p in $(PROGRAMS); do \
		PATH="$$PATH:/usr/sbin" command -v $${p%:*} >/dev/null || [ -e $${p%:*} ] || missing="$$missing $${p#*:}"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "installing missing packages:$$missing"; \
	services=; for s in nginx prometheus; do [ -e /lib/systemd/system/$$s.service ] || services="$$services $$s.service"; done; \
	if [ ! -e $(POLICY) ]; then \
		trap '$(SUDO) rm -f $(POLICY)' EXIT; \
		printf '#!/bin/sh\nexit 101\n' | $(SUDO) tee $(POLICY) >/dev/null && $(SUDO) chmod 755 $(POLICY) || exit 1; \
	fi; \
	$(SUDO) apt-get update -q && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing || exit 1; \
	for s in $$services; do $(SUDO) rm -f /etc/systemd/system/multi-user.target.wants/$$s; done

$(GOLANGCI_LINT):
	@echo "building golangci-lint $(GOLANGCI_LINT_VERSION), once (2 minutes on 2 cores)"
	GOBIN=$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(@D)/golangci-lint $@
