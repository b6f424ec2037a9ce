# Prerequisites of a bare machine: git, a C compiler, Python 3.11 or newer, rustup; for what runs at an API server
# also iproute2, curl and namespaces (root, or user namespaces that are allowed).
# A target that needs one says in one line when it is missing; everything else it fetches itself.
# What is fetched is kept by version in $HOMING_PARTS (default: homing/ in the user's cache folder).

SHELL := bash
MAKEFLAGS += --no-print-directory

target := $(or $(CARGO_TARGET_DIR),target)

# $(call need,command,name,how to get it)
need = command -v $(1) >/dev/null || { echo "$(2) is missing: $(3)" >&2; exit 1; }

# Runs what follows with the path of a real Envoy in HOMING_ENVOY.
with_envoy = envoy="$${HOMING_ENVOY:-$$(scripts/parts/envoy)}" && HOMING_ENVOY="$$envoy"

# Runs what follows with the path of a real Valkey server in HOMING_VALKEY.
with_valkey = valkey="$${HOMING_VALKEY:-$$(scripts/parts/valkey)}" && export HOMING_VALKEY="$$valkey" &&

# With Envoy and Valkey, and with real clients in HOMING_CLIENTS; the tests of Envoy's versions find those in the cache.
with_parts = scripts/parts/envoy 1.36.2 >/dev/null && scripts/parts/envoy 1.40.0 >/dev/null && $(with_valkey) \
	clients="$${HOMING_CLIENTS:-$$(scripts/parts/clients)}" && $(with_envoy) HOMING_CLIENTS="$$clients"

# Runs what follows with the folders of a real Kubernetes control plane and of the definitions it needs, with Helm and
# with a real Envoy Gateway.
with_control_plane = plane="$$(scripts/parts/control-plane)" && crds="$$(scripts/parts/crds)" && \
	helm="$$(scripts/parts/helm)" && chart_crds="$$(scripts/parts/chart-crds)" && \
	envoy_gateway="$$(scripts/parts/envoy-gateway)" && export HOMING_ENVOY_GATEWAY="$$envoy_gateway" && \
	export HOMING_CONTROL_PLANE="$$plane" HOMING_CRDS="$$crds" HOMING_HELM="$$helm" HOMING_CHART_CRDS="$$chart_crds" &&

# The same with a real Envoy AI Gateway.
with_ai_gateway = ai_gateway="$$(scripts/parts/envoy-ai-gateway)" && export HOMING_ENVOY_AI_GATEWAY="$$ai_gateway" &&

.DEFAULT_GOAL := help
.PHONY: help demo demo-gateway test test-long test-vllm test-mutants bench bench-stream soak lint lint-rust fmt parts rust compiler python namespaces curl

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: rust python ## compare round robin and Homing through a real Envoy (PICKERS=2: two that share; options in DEMO_ARGS)
	@cargo build --release --locked
	@$(if $(filter-out 1,$(PICKERS)),$(with_valkey)) $(with_envoy) "$(target)/release/homing" demo $(PICKERS:%=--pickers %) $(DEMO_ARGS)

# What is measured is the release; what plays the cluster around it is built as tests are.
demo-gateway: rust python namespaces ## the same behind a real Envoy Gateway at a real API server (options in DEMO_ARGS)
	@cargo build --release --locked
	@cargo build --locked --example demo-gateway
	@$(with_control_plane) $(with_valkey) $(with_envoy) HOMING_BIN="$(target)/release/homing" \
		"$(target)/debug/examples/demo-gateway" $(DEMO_ARGS)

test: rust python namespaces curl ## run every test, through real Envoys, clients, Valkeys and an API server (options in TEST_ARGS)
	@$(with_control_plane) $(with_ai_gateway) $(with_parts) cargo test --locked $(TEST_ARGS)

test-long: rust python namespaces ## run the tests of outages and of many sessions at full length (options in TEST_ARGS)
	@$(with_control_plane) $(with_valkey) $(with_envoy) HOMING_TEST_OUTAGE=30 cargo test --locked --test cluster outage:: $(TEST_ARGS)
	@HOMING_TEST_SESSIONS=10000000 cargo test --locked --test sessions $(TEST_ARGS)

# What is measured are hits, so a quick build will do. The engines are neither in `make parts` nor in `make test`.
test-vllm: rust python ## compare round robin and Homing on two real vLLM replicas, 3.3 GB the first time (options in VLLM_ARGS)
	@cargo build --locked --bin homing --example test-vllm
	@vllm="$${HOMING_VLLM:-$$(scripts/parts/vllm)}" && $(with_envoy) HOMING_VLLM="$$vllm" HOMING_BIN="$(target)/debug/homing" \
		"$(target)/debug/examples/test-vllm" $(VLLM_ARGS)

test-mutants: rust python ## show that the end-to-end tests fail on builds that are wrong on purpose
	@$(with_parts) python3 tests/mutants.py $(MUTANTS)

# Each writes its section of $(target)/bench/report.md.
bench: rust python ## measure all that docs/performance.md tells, about 20 minutes and the build of a release
	@cargo bench --locked --bench steps
	@$(with_valkey) $(with_envoy) cargo bench --locked --bench stream -- all

bench-stream: rust ## measure what a pick costs beside a picker that does nothing (options in STREAM_ARGS)
	@cargo bench --locked --bench stream -- rows $(STREAM_ARGS)

soak: rust ## half an hour of mixed traffic with aborts: does memory stay flat? (options in SOAK_ARGS)
	@cargo bench --locked --bench stream -- soak $(SOAK_ARGS)

lint: lint-rust python ## check format, lints, docs, dependencies, scripts and the chart
	@deny="$$(scripts/parts/cargo-deny)" && "$$deny" --locked check bans licenses sources
	@for script in $(wildcard scripts/parts/[a-z]*) .ci/run; do [ -d "$$script" ] || bash -n "$$script" || exit 1; done
	@python3 -c 'import ast, sys; [ast.parse(open(file).read()) for file in sys.argv[1:]]' tests/*.py tests/clients/*.py tests/vllm/*.py
	@helm="$$(scripts/parts/helm)" && "$$helm" lint --strict --quiet --set image.repository=homing --set pool.name=pool charts/homing

lint-rust: rust ## check format, lints and docs of the Rust code only
	@cargo fmt --check
	@cargo clippy --locked --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

fmt: rust ## format the Rust code
	@cargo fmt

parts: python rust ## fetch what the targets need and print where it is
	@scripts/parts/envoy
	@scripts/parts/envoy 1.36.2
	@scripts/parts/clients
	@scripts/parts/valkey
	@scripts/parts/control-plane
	@scripts/parts/crds
	@scripts/parts/helm
	@scripts/parts/chart-crds
	@scripts/parts/envoy-gateway
	@scripts/parts/envoy-ai-gateway
	@scripts/parts/cargo-deny

# The toolchain that rust-toolchain.toml pins, and the C compiler that some crates call.
rust: compiler
	@$(call need,rustup,rustup,install it from https://rustup.rs)
	@cargo --version >/dev/null 2>&1 || rustup toolchain install

compiler:
	@$(call need,cc,a C compiler,install gcc or clang; on Debian and Ubuntu: apt install gcc libc6-dev)

python:
	@source scripts/parts/common.sh && need_python

# Said before minutes of building; what makes the namespaces looks in the same folders.
namespaces: export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
namespaces:
	@$(call need,ip,the command ip,install the package iproute2)
	@$(call need,unshare,the command unshare,install the package util-linux)

curl:
	@$(call need,curl,the command curl,install the package curl)
