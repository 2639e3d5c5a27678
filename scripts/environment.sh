# Sourced by the other scripts: installs cellseg_monai with the extras in $EXTRAS into the active environment.
# If none is active, it uses .venv next to setup.cfg, and creates it if necessary.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
activation=  # the command that activates the environment, if the user has not done so
if [ -z "${VIRTUAL_ENV:-}" ] && [ -z "${CONDA_PREFIX:-}" ]; then
    if [ ! -x .venv/bin/python ] && [ ! -x .venv/Scripts/python.exe ]; then
        echo "creating the environment .venv"
        "${PYTHON:-python3}" -m venv .venv
    fi
    folder=bin
    if [ -d .venv/Scripts ]; then folder=Scripts; fi  # the bash of Git on Windows
    activation=". $(printf %q "$PWD/.venv/$folder/activate")"
    . ".venv/$folder/activate"
fi
say_activation() {
    if [ -n "$activation" ]; then
        echo
        echo "To use cellseg in this terminal, activate the environment:"
        echo "  $activation"
    fi
}
if ! python -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "error: got $(python --version), expected Python 3.10 or newer; set PYTHON=/path/to/python3" >&2
    exit 1
fi
# The stamp records what was installed, from where, and with which extras, so that a repeated start needs no network.
stamp="$(python -c 'import sys; print(sys.prefix)')/cellseg_monai-${EXTRAS}.stamp"
wanted="$(pwd) $(cat setup.cfg pyproject.toml constraints.txt | cksum)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "installing cellseg_monai[$EXTRAS] and its dependencies (about 7 GB, most of it PyTorch)"
    # The pinned versions are for Python 3.11 and newer; 3.10 gets the newest ones that still support it.
    constraints=$(python -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')
    # shellcheck disable=SC2086
    python -m pip install --quiet --disable-pip-version-check $constraints -e ".[$EXTRAS]"
    printf '%s' "$wanted" > "$stamp"
fi
