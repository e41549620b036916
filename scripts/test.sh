#!/usr/bin/env bash
# Installs what the tests need, builds everything and runs every test. Exits
# with the status of ctest.
#
# usage: scripts/test.sh [CTEST_ARGUMENT]...
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/install-dependencies.sh test
scripts/build.sh --with-tests
# One at a time: the tests that train use all processors.
exec ctest --test-dir build --output-on-failure "$@"
