# SPDX-License-Identifier: Apache-2.0
# The front door. CMake and Ninja do the work; see HACKING.md.

BUILD ?= build/release
JOBS ?= $(shell nproc)
CMAKE = cmake -S . -G Ninja -B

.PHONY: all run test test-long bench format asan tsan clang deps deps-test clean

all: deps
	@$(CMAKE) $(BUILD) -DCMAKE_BUILD_TYPE=Release >/dev/null
	@ninja -C $(BUILD) -j $(JOBS) klamm
	@ln -sf $(notdir $(BUILD))/klamm build/klamm

# A broker on 127.0.0.1:9092 with its data in ./data.
run: all
	exec build/klamm serve --set listeners=PLAINTEXT://127.0.0.1:9092 --set log.dirs=data

test: deps-test
	python3 test/run.py

test-long: deps-test
	python3 test/run.py --long

bench: deps-test all
	@$(CMAKE) $(BUILD) -DCMAKE_BUILD_TYPE=Release >/dev/null
	@ninja -C $(BUILD) -j $(JOBS) bench
	python3 bench/run.py --build $(BUILD)

# Sanitizer and clang builds: everything that tests run.
asan: deps-test
	$(CMAKE) build/asan -DCMAKE_BUILD_TYPE=Debug -DKLAMM_SANITIZE=address,undefined >/dev/null
	ninja -C build/asan -j $(JOBS)

tsan: deps-test
	$(CMAKE) build/tsan -DCMAKE_BUILD_TYPE=Debug -DKLAMM_SANITIZE=thread >/dev/null
	ninja -C build/tsan -j $(JOBS)

clang: deps-test
	CC=clang $(CMAKE) build/clang -DCMAKE_BUILD_TYPE=Release >/dev/null
	ninja -C build/clang -j $(JOBS)

format: deps-test
	git ls-files '*.c' '*.h' | xargs clang-format -i

deps:
	@tools/deps build

deps-test:
	@tools/deps test

clean:
	rm -rf build
