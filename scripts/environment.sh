# Sourced by the other scripts: an environment with cellseg_monai and the extras named in $EXTRAS installed.
# The active environment is used; without one, .venv beside setup.cfg is made or used again.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "${VIRTUAL_ENV:-}" ] && [ -z "${CONDA_PREFIX:-}" ]; then
    if [ ! -x .venv/bin/python ]; then
        echo "making the environment .venv"
        "${PYTHON:-python3}" -m venv .venv
    fi
    . .venv/bin/activate
fi
if ! python -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "error: $(python --version) came, but Python 3.10 or newer is needed; set PYTHON=/path/to/python3" >&2
    exit 1
fi
# The stamp spares a repeated start the network: it holds what was installed, from where, and for which extras.
stamp="$(python -c 'import sys; print(sys.prefix)')/cellseg_monai-${EXTRAS}.stamp"
wanted="$(pwd) $(cat setup.cfg pyproject.toml constraints.txt | cksum)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "installing cellseg_monai[$EXTRAS] and what it needs (about 7 GB, most of it PyTorch)"
    # The pinned versions are those of Python 3.11 and newer; 3.10 takes the newest that still support it.
    constraints=$(python -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')
    # shellcheck disable=SC2086
    python -m pip install --quiet --disable-pip-version-check $constraints -e ".[$EXTRAS]"
    printf '%s' "$wanted" > "$stamp"
fi
