# What the gate would refuse, or has answered, is said before dev is scored for it: here the model is gone by
# then, so that whoever asked it would get exit 6.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
mkdir p
careful_model | own_project p 20 30 200
edit p/pawl.yaml 'metric: exact_match' 'metric: exact_match
gate: {max_attempts: 1}'
edit p/model.lua '0.60' '0.30'
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
best=$(field 'r["best"]')
printf 'function complete() return {error = "missing: gone"} end\n' >p/model.lua
expect 6 pawl eval --json -C p

expect 2 pawl gate --json -C p "$best"
check '"is the incumbent already" in r["error"]["message"]'
expect 3 pawl gate --json -C p seed
check 'r["error"]["code"] == "budget" and "attempts" in r["error"]["message"]'
expect 0 pawl certificate --json -C p "$best" --audit
expect 2 pawl gate --json -C p seed
check '"audit view" in r["error"]["message"]'

# A question that has its answer needs no dev, and no attempt.
expect 0 pawl rollback --json -C p --reason 'ask again'
expect 0 pawl gate --json -C p "$best"
check "r['certificate'] == '$best' and r['attempt'] == 1"
