# Everything that a machine with only Go, git, gcc, make and apt needs to build, check and try ffrtmp.

GO        ?= go
VERSION   ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null || echo dev)
COMMIT    ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS   := -X github.com/ffrtmp/ffrtmp/internal/version.Version=$(VERSION) -X github.com/ffrtmp/ffrtmp/internal/version.Commit=$(COMMIT)
SUDO      := $(if $(filter 0,$(shell id -u)),,sudo)

# Tools are built at these versions, apart from the product's go.mod.
GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION   := v1.9.0
GOLANGCI_LINT         := $(CURDIR)/.tools/golangci-lint-$(GOLANGCI_LINT_VERSION)

.PHONY: build test lint fmt vulncheck demo chaos bench clean programs

build: ## bin/master, bin/agent, bin/ffrtmp
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

test: programs ## every test, with the race detector
	$(GO) test -race -timeout 15m ./...

lint: $(GOLANGCI_LINT) ## formatting, import rules and linters (.golangci.yaml)
	$(GOLANGCI_LINT) run

fmt: $(GOLANGCI_LINT) ## rewrite the files as lint wants them
	$(GOLANGCI_LINT) fmt

vulncheck: ## known vulnerabilities in what is linked (needs vuln.go.dev)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

demo: build programs ## three masters, two agents, one encode, the leader killed half-way; INPUT=file, KEEP=1
	$(GO) build -o .tools/demo ./internal/devcluster/demo
	@.tools/demo -bin bin $(if $(INPUT),-input '$(INPUT)') $(if $(KEEP),-keep)

chaos: programs ## the long fault runs, tagged chaos
	$(GO) test -race -count 1 -timeout 60m -tags chaos -run Chaos ./...

bench: ## every benchmark
	$(GO) test -run '^$$' -bench . -benchmem ./...

clean: ## what the other targets have made
	rm -rf bin .tools

# programs that tests and demo run, installed where they are missing. Of the servers among them no service is started, now
# or at the next boot: tests run their own.
PROGRAMS := ffmpeg:ffmpeg ffprobe:ffmpeg openssl:openssl sqlite3:sqlite3 nginx:nginx promtool:prometheus prometheus:prometheus \
            /usr/lib/nginx/modules/ngx_rtmp_module.so:libnginx-mod-rtmp systemd-analyze:systemd
demo: PROGRAMS := ffmpeg:ffmpeg ffprobe:ffmpeg
POLICY   := /usr/sbin/policy-rc.d
programs:
	@missing=; \
	for p in $(PROGRAMS); do \
		PATH="$$PATH:/usr/sbin" command -v $${p%:*} >/dev/null || [ -e $${p%:*} ] || missing="$$missing $${p#*:}"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "installing what is missing:$$missing"; \
	services=; for s in nginx prometheus; do [ -e /lib/systemd/system/$$s.service ] || services="$$services $$s.service"; done; \
	if [ ! -e $(POLICY) ]; then \
		trap '$(SUDO) rm -f $(POLICY)' EXIT; \
		printf '#!/bin/sh\nexit 101\n' | $(SUDO) tee $(POLICY) >/dev/null && $(SUDO) chmod 755 $(POLICY) || exit 1; \
	fi; \
	$(SUDO) apt-get update -q && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing || exit 1; \
	for s in $$services; do $(SUDO) rm -f /etc/systemd/system/multi-user.target.wants/$$s; done

$(GOLANGCI_LINT):
	@echo "building golangci-lint $(GOLANGCI_LINT_VERSION), once (two minutes on two cores)"
	GOBIN=$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(@D)/golangci-lint $@
