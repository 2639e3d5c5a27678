#!/usr/bin/env bash
# Installs the package and runs the quick tests; --all adds the slow ones. Other words are passed to pytest.
# usage: bash scripts/test.sh [--all] [PYTEST OPTION ...]
set -euo pipefail
selection=(-m "not slow")
if [ "${1:-}" = --all ]; then selection=(); shift; fi
EXTRAS=${EXTRAS:-test}
. "$(dirname "$0")/environment.sh"
# One worker per core, with one thread each: most tests are too small for more threads to help.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
code=0
python -m pytest -q -n auto --dist loadfile --durations=8 "${selection[@]}" "$@" || code=$?
say_activation
exit $code
