#!/bin/sh
# Install the server of SOURCE into a fresh environment at TARGET: install.sh SOURCE TARGET
# The Dockerfile runs it, and so does steps.sh where there is no engine.
set -eu
source=$1
target=$2
"${PYTHON:-python3}" -m venv "$target"
# Exact versions. torch is a CPU build where PIP_EXTRA_INDEX_URL offers one, as the Dockerfile's default does: pip takes
# 2.13.0+cpu before 2.13.0. Elsewhere it is what the machine's own index has.
"$target/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check \
    --constraint "$source/constraints.txt" "$source[serve,detect]"
"$target/bin/pip" check --disable-pip-version-check
