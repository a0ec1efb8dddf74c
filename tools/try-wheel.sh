#!/bin/sh
# Build the wheel and run it in an environment that holds only the wheel and the locked dependencies: what users get.
set -eu

python=.venv/bin/python
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$python" -m build --wheel --no-isolation --outdir "$scratch/dist" >"$scratch/build.log" 2>&1 || {
    cat "$scratch/build.log" >&2
    exit 1
}
"$python" -m venv "$scratch/venv"
pip="$scratch/venv/bin/python -m pip --disable-pip-version-check -qq"
$pip install --require-hashes --no-deps -r requirements/runtime.txt
$pip install --no-deps "$scratch"/dist/*.whl

# Away from the checkout, so that nothing can be found there by accident.
cd "$scratch"
venv/bin/joinbridge --version
# The demo touches every part, so it finds the data files that a wheel forgot: migrations, templates, tables.
venv/bin/joinbridge demo --json --seed 1 --homes 20 >demo.json
# The simulation brings what the demo has no use for.
venv/bin/joinbridge sim --json --seeds 3 >sim.json
echo "the wheel $(basename dist/*.whl) installs and runs"
