# `pawl bench` measures with the real code, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"
export TMPDIR="$work/tmp" PAWL_MODELS="$work/models"
mkdir "$TMPDIR"

nothing_left() {
    # (The workers sweep their own private folders a little later.)
    [ -z "$(ls "$TMPDIR" | grep pawl-bench)" ] || fail "$1 left a project behind"
    [ ! -d "$work/data/pawl/vaults" ] || [ -z "$(ls "$work/data/pawl/vaults")" ] ||
        fail "$1 left a vault behind"
}

expect 0 pawl bench --json --quiet
check '[p["what"] for p in r["parts"]] == ["store", "loop", "gate", "http", "lm"]'
check 'all(x > 0 for p in r["parts"][:4] for x in p["figures"].values())'
check 'r["parts"][1]["figures"]["evaluations"] > 10000'
check '"smollm2-135m is not here" in r["parts"][4]["missing"]'
[ ! -s err ] || fail "it is not quiet"
nothing_left "bench"

# One part, for people; a part that cannot be measured is an error when it was asked for by name.
expect 0 pawl bench store
says "answers kept per s"
expect 2 pawl bench lm --json
check '"not here" in r["error"]["message"] and "model pull" in r["error"]["hint"]'
expect 2 pawl bench everything
nothing_left "a part of it"
