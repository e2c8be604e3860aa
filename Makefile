# A short name for each thing that people do; CMake and scripts/ do the work.
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)

.PHONY: all test tsan bench demo install check mutants calibration gates kill kill_syscalls \
        budgets demos sustained code_tests sandbox_leaks fuzz clean help
all: ## build build/pawl
	@cmake --preset release
	@cmake --build --preset release -j$(JOBS)

test: ## build with sanitizers and run every test
	@if [ -x scripts/setup ]; then scripts/setup --check; fi
	@cmake --preset asan
	@cmake --build --preset asan -j$(JOBS)
	@ctest --preset asan -j$(JOBS) --repeat after-timeout:2

tsan: ## the same with the thread sanitizer
	@cmake --preset tsan
	@cmake --build --preset tsan -j$(JOBS)
	@ctest --preset tsan -j$(JOBS)

bench: all ## measure, side by side with the peers where they are installed
	@bench/run

demo: ## from nothing to a certificate
	@scripts/demo

install: ## install to PREFIX (and DESTDIR)
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@cmake --build --preset release -j$(JOBS)
	@cmake --install build

check: ## the rules that a compiler does not know: layers, format, operators' cards
	@scripts/check-layers
	@scripts/check-format
	@scripts/check-cards

mutants: ## break the source on purpose; a test must notice each time (minutes)
	@tests/mutants/run-mutants

calibration: all ## 100 runs on pure noise and 100 with a real gain, by operator (minutes)
	@tests/long/calibration.py

gates: all ## 12,000 simulated gates by policy and setting, and attackers that learn from the bits
	@cmake --build --preset release --target long_programs
	@build/long/long_gates

kill: all ## kill -9 at 300 random moments, and resume (minutes)
	@tests/long/kill.py

kill_syscalls: all ## kill -9 at every system call of an append, a rollback, an attempt, a promotion (an hour)
	@cmake --build --preset release --target long_programs
	@tests/long/kill_syscalls.py $(KILL_SYSCALLS)

budgets: all ## 200 random limits that no run may exceed
	@tests/long/budgets.py

demos: all ## the demo's run in ten fresh projects: nine must certify (an hour)
	@tests/long/demos.py

sustained: all ## a million evaluations: flat memory, no descriptor lost, no slower at the end
	@tests/long/sustained.py

code_tests: ## all reference solutions of PAWL_CODE_DATA (humaneval/, mbpp/) pass, wrong ones fail (minutes)
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target long_programs
	@build/long/long_code_tests

sandbox_leaks: ## 10,000 tests of hostile code leave nothing behind (minutes)
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target long_programs
	@build/long/long_sandbox_leaks

FUZZ_SECONDS ?= 60
fuzz: ## run each fuzz target for FUZZ_SECONDS (needs clang)
	@scripts/fuzz $(FUZZ_SECONDS)

clean: ## remove what was built, keep build/deps
	@find build -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} + 2>/dev/null || true

help: ## this list
	@sed -n 's/^\([a-z_]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
