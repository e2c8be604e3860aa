# The policy fresh: every attempt is asked of cases of its own, which are dev's afterwards and open by themselves;
# the plan says how many attempts there are; the verifier recomputes all of it; when they are used up it says so.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
python=$(real_python)
inventive_model | own_project p 20 40 600
printf 'gate: {policy: fresh, look: fixed}\n' >>p/pawl.yaml
expect 2 pawl init --json -C p
says 'e-value'
sed -i 's/, look: fixed/, draw: 200/; s/evaluations: 600/evaluations: 2000/' p/pawl.yaml
expect 0 pawl init --json -C p
expect 0 pawl plan --json -C p
check 'r["draws"]["clusters"] == 200 and r["draws"]["left"] == 3 and r["attempts_left"] == 3 and r["evaluations"] == 400'
check 'len(r["draws"]["attempts"]) == 3 and r["draws"]["attempts"][0]["threshold"] == 25'
check 'all(a["smallest_certifiable_gain"] < b["smallest_certifiable_gain"] for a, b in zip(r["draws"]["attempts"], r["draws"]["attempts"][1:]))'
check 'r["smallest_certifiable_gain"] == r["draws"]["attempts"][0]["smallest_certifiable_gain"]'
expect 0 pawl plan -C p
says 'enough for 3 more'

expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote"'
best=$(field 'r["best"]')
expect 0 pawl status --json -C p
check 'r["attempts"] == 1 and r["wear"]["attempts_left"] == 2 and r["wear"]["eps"] == 0'
expect 0 pawl eval --json -C p --tier dev
check 'r["n"] == 240'
expect 0 pawl certificate --json -C p "$best" --html first.html
check 'r["policy"] == "fresh" and r["evidence_state"] == "opened" and r["n_planned"] == 200 and r["commitment"]["size"] == 600'
check '"cases of its own" in r["guarantee"] and "not the chance" in r["not_guaranteed"] and r["log_histories"] == 0'
check 'sum("case" in entry for entry in r["sealed"]) == 200 and sum("leaf" in entry for entry in r["sealed"]) == 400'
cp "$work/out" first.json

# The same text has its answer, and a rollback brings no case back.
expect 1 pawl gate --json -C p seed
expect 1 pawl gate --json -C p seed
expect 0 pawl rollback --json -C p --reason 'to ask again'
expect 0 pawl status --json -C p
check 'r["attempts"] == 2 and r["wear"]["attempts_left"] == 1'
expect 0 pawl improve --json -C p --seed 2
check 'r["verdict"] in ("promote", "no") and r["best"] != "'$best'"'
expect 0 pawl status --json -C p
check 'r["attempts"] == 3 and r["wear"]["attempts_left"] == 0'
expect 0 pawl plan --json -C p
check 'r["draws"] == {"clusters": 200, "left": 0, "attempts": []} and r["attempts_left"] == 0'
expect 2 pawl improve --json -C p --seed 3
says 'rotate'
expect 0 pawl ledger verify --json -C p
expect 0 pawl ledger export --json -C p p.jsonl
expect 0 pawl certificate --json -C p "$best"
cp "$work/out" later.json
check 'sum("case" in entry for entry in r["sealed"]) == 600'
expect 0 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" p.jsonl first.json first.html later.json
says 'first.json: recomputed'
says 'first.html: recomputed'
says 'epoch 2: what earlier draws left from attempt 2 on'
says 'later.json: recomputed'
expect 0 "$python" "$PAWL_SOURCE_DIR/tests/cli/fresh_mutations.py" "$PAWL_SOURCE_DIR/tools/pawl-verify" p.jsonl
