#!/usr/bin/env bash
# Runs the quick tests on several versions of Python, with the oldest or the newest libraries that setup.cfg allows.
# The Pythons must be installed (pyenv is searched, too). Environments are kept in .matrix/, about 7 GB each.
# usage: bash scripts/matrix.sh [VERSION:oldest|newest ...] [-- PYTEST OPTION ...]
set -euo pipefail
cd "$(dirname "$0")/.."
runs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do runs+=("$1"); shift; done
if [ "${1:-}" = -- ]; then shift; fi
if [ ${#runs[@]} -eq 0 ]; then runs=(3.10:oldest 3.10:newest 3.12:newest 3.13:newest); fi

find_python() {
    for candidate in "$HOME"/.pyenv/versions/"$1".*/bin/python "$(command -v "python$1" || true)"; do
        if [ -x "$candidate" ]; then echo "$candidate"; return; fi
    done
    echo "error: no Python $1 found; install it, for example with pyenv" >&2
    return 1
}

failed=()
for run in "${runs[@]}"; do
    version=${run%%:*} which=${run##*:}
    case $which in
        oldest) resolution=lowest-direct ;;
        newest) resolution=highest ;;
        *) echo "error: got '$run', expected VERSION:oldest or VERSION:newest" >&2; exit 2 ;;
    esac
    folder=.matrix/$version-$which
    if [ ! -x "$folder/bin/python" ]; then "$(find_python "$version")" -m venv "$folder"; fi
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check uv
    "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --resolution "$resolution" \
        -e ".[test,tables,cluster]"
    echo "== Python $version, $which libraries"
    "$folder/bin/python" -m pytest -q -m "not slow" -p no:cacheprovider "$@" || failed+=("$run")
done
if [ ${#failed[@]} -gt 0 ]; then echo "failed: ${failed[*]}"; exit 1; fi
echo "passed: ${runs[*]}"
