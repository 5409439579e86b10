# hyper2kvm: make help lists what there is.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export CGO_ENABLED := 0

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X hyper2kvm/internal/version.Version=$(VERSION)
PREFIX   ?= /usr/local
FUZZTIME ?= 10s
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help
.PHONY: proof proof-short simulate soak help build web web-check web-test demo guests demo-guest guests-full test unit fuzz race bench bench-convert bench-serve lint cover install packages package-test package-test-systemd clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/hyperctl and bin/hyper2kvmd, static
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

demo: build ## convert sample disks through the daemon, or your own: make demo DISK=/path/to/vm.vmdk
	@scripts/demo bin $(if $(DISK),'$(DISK)')

guests: ## build bootable Debian test guests, cached (root or sudo; 7 to 16 minutes once)
	@scripts/guests/deps
	@scripts/guests/build

demo-guest: build ## show that a VMware guest does not boot on virtio as it came, and does when converted
	@scripts/guests/deps
	@scripts/guests/build bios-ext4
	@scripts/demo-guest bin

guests-full: build guests ## take every guest as VMDK, VHDX and OVA through the daemon and boot it (long)
	@scripts/guests/full bin

test: ## install what the tests need, run them all, then fuzz each parser for FUZZTIME
	@scripts/test-deps
	scripts/test
	scripts/fuzz $(FUZZTIME)

unit: ## run the tests of packages: make unit PKG=./internal/queue/...
	go test $(or $(PKG),./...)

fuzz: ## fuzz each parser for FUZZTIME: make fuzz FUZZTIME=30m
	scripts/fuzz $(FUZZTIME)

race: ## run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race $(or $(PKG),./...)

bench: build ## measure latency, listing and conversion against qemu-img, as ratios in one run
	@scripts/test-deps
	go test ./bench -run '^$$' -bench 'RawTo|Sparse|List|Drop' -benchtime 1x -timeout 60m

bench-convert: build ## convert between all formats against qemu-img, tuned and not (about 25 minutes)
	@scripts/test-deps
	go test ./bench -run "^$$" -bench Matrix -benchtime 1x -timeout 180m

bench-serve: build ## measure pages of 10,000 jobs and 200 event streams of hyperctl serve
	go test ./bench -run '^$$' -bench Serve -benchtime 1x -timeout 20m

web: ## build the dashboard into web/dist, which is committed (needs Node; make build does not)
	scripts/web build

web-check: ## prove that web/dist is what its source gives, and that it is small
	scripts/web check

web-test: build ## test the dashboard: its logic, then the whole of it with a browser beside the real daemon
	scripts/web test
	scripts/web e2e

proof: ## break the programs in every known way and print a table (root; hours)
	scripts/proof long

simulate: ## live 100,000 simulated lives of the queue, or as many as fit into LIFETIME=20m
	H2K_LIVES=100000 H2K_LIFETIME=$(or $(LIFETIME),20m) go test ./internal/queue -run '^TestSimulatedLives$$' -count=1 -timeout 60m -v | grep -v '^=== '

proof-short: ## the same with a hundredth of the states (root; minutes)
	scripts/proof short

soak: ## keep a daemon busy for 20 minutes while it and its jobs are killed
	scripts/soak

lint: ## run the linters (installs the pinned golangci-lint where it is missing)
	scripts/lint $(LINT)

cover: ## write cover.html: which lines the tests run
	go test -coverprofile=cover.out ./... && go tool cover -html=cover.out -o cover.html

install: build ## install both programs to $(PREFIX)/bin; the daemon is also called hyper2kvm
	install -D -m 0755 bin/hyperctl bin/hyper2kvmd -t $(DESTDIR)$(PREFIX)/bin
	ln -sf hyper2kvmd $(DESTDIR)$(PREFIX)/bin/hyper2kvm

packages: build ## make dist/hyper2kvm_*.deb and .rpm, with units, manual pages and completions
	@packaging/build bin dist '$(VERSION)'

package-test: packages ## install, run, upgrade and purge the deb in a Debian root of its own (root or sudo; about 2 minutes)
	@$(if $(filter 0,$(shell id -u)),,sudo )packaging/test dist bin

package-test-systemd: packages ## start, stop, hang, upgrade and remove the services below a systemd of their own (root or sudo)
	@$(if $(filter 0,$(shell id -u)),,sudo )packaging/test-systemd dist bin

clean: ## remove what was built
	rm -rf bin dist cover.out cover.html
