# SPDX-License-Identifier: GPL-3.0-or-later
# Two commands do everything on a fresh machine, packages included:
#
#   make run     builds and starts Mien; without a display it runs on a virtual one and writes a screenshot
#   make test    builds and runs every test; the last line counts them
#
# Also: make build, make bench (speed and memory), make screenshots (the pictures in the README; DATA=faces.zip for the training window too), make install, make clean.

BUILD ?= _build

.PHONY: run test build bench screenshots install clean

run:
	@tools/install-packages build run
	@tools/build $(BUILD)
	@tools/run $(BUILD)

test:
	@tools/install-packages build run test
	@tools/build $(BUILD)
	@tests/run $(BUILD)

build:
	@tools/install-packages build
	@tools/build $(BUILD)

bench:
	@tools/install-packages build run test bench
	@tools/build $(BUILD)
	@meson test -C $(BUILD) --benchmark --verbose --num-processes 1

screenshots:
	@tools/install-packages build run
	@tools/build $(BUILD)
	@tools/screenshots $(BUILD) resources/screenshots $(DATA)

install:
	@tools/install-packages build run
	@tools/build $(BUILD)
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD)
