# doctor --tune: what is said without a measurement (tests/lm/test_llama_kept.c has the measuring).
. "$(dirname "$0")/lib.sh"
scripted_project p
# A project whose models run elsewhere has nothing to tune.
expect 0 pawl doctor --json -C p
check 'r["tuning"] == {} and r["gpu"] == "none"'
expect 0 pawl doctor --json --tune -C p
check 'r["tuning"] == {}'
expect 2 pawl doctor --json --model nobody -C p
check '"--tune" in r["error"]["hint"]'
expect 2 pawl doctor --json --tune --model nobody -C p
check '"nobody" in r["error"]["message"]'

# A model file that is not here is a problem that doctor names; measuring it is an error.
mkdir p2 && careful_model | own_project p2 5 5 5 && rm -r p && mv p2 p
sed -i 's|^models:.*|models: {small: {backend: llama, model: ./small.gguf}}|; s|^roles:.*|roles: {task: small}|' p/pawl.yaml
pawl doctor --json -C p >"$work/out" 2>"$work/err" || fail "doctor without its model"
[ "$(field '"llama" in r["backends"]')" = True ] || skip "pawl was built without libllama"
check 'r["tuning"] == {} and any("small.gguf" in p["problem"] for p in r["problems"])'
expect 2 pawl doctor --json --tune -C p
check '"small.gguf" in r["error"]["message"]'

# One that is here and was not measured yet.
printf 'GGUF' >p/small.gguf
expect 0 pawl doctor --json -C p
check 'r["tuning"]["small"]["in_use"]["batch"] == 512 and "weights" not in r["tuning"]["small"]'
check 'r["tuning"]["small"]["in_use"]["speculation"] == "auto"'
expect 0 pawl doctor -C p
says 'not measured yet'
# It is no model: the measurement says so, and nothing is kept of it.
expect 2 pawl doctor --json --tune -C p
check '"cannot be used" in r["error"]["message"]'
expect 0 pawl doctor --json -C p
check '"weights" not in r["tuning"]["small"]'
