#!/usr/bin/env bash
# Resolves requirements.lock anew from pyproject.toml, in a throw-away environment.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --disable-pip-version-check -q torch==2.13.0 "setuptools>=77" -e ".[dev]"
{
    echo "# Exact versions that \`make\` installs and the tests run with; written by docs/lock.sh."
    echo "# The reason for each cap stands in pyproject.toml, the reason for each package in docs/dependencies.md."
    "$scratch/venv/bin/python" -m pip freeze --all --exclude-editable |
        grep -vE '^pip==' | sed -E 's/^torch==2\.13\.0.*/torch==2.13.0/'
} > requirements.lock
