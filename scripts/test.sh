#!/usr/bin/env bash
# Installs what the tests need, builds everything and runs every test. Exits
# with the status of ctest.
#
# usage: scripts/test.sh [CTEST_ARGUMENT]...
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/install-dependencies.sh test
scripts/build.sh --with-tests
# Threads that wait for each other give way sooner than libgomp lets them by
# default. Where other processes compute as well, a step of two threads takes a
# hundred times as long without this, and where none do, no less.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}
# One at a time: the tests that train use all processors.
exec ctest --test-dir build --output-on-failure "$@"
