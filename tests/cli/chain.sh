# Several operators in a row: each is a run of its own and asks the gate for itself, they share the budget, and a chain
# that was killed goes on to the same end.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=11
mkdir a b
scripted_project a

# Nothing begins where a later name is wrong, or where a setting could be meant for either.
expect 2 pawl improve --json -C a --operator bootstrap,nope
check '"nope" in r["error"]["message"] and "run" not in r'
expect 2 pawl improve --json -C a --operator bootstrap,gepa --set minibatch=3
check '"several" in r["error"]["message"]'
many=$(seq -s, 17 | sed 's/[0-9][0-9]*/gepa/g')
expect 2 pawl improve --json -C a --operator "$many"
check '"16 operators at most; these are 17" in r["error"]["message"]'
expect 0 pawl log --json -C a
check 'r["runs"] == []'

# bootstrap finds nothing that is certified, gepa goes on from what is in force; a share each of the budget.
expect 0 pawl improve --json -C a --operator bootstrap,gepa --seed 1 --budget evaluations=2000
check '[x["operator"] for x in r["links"]] == ["bootstrap", "gepa"] and r["operator"] == "bootstrap,gepa"'
check 'r["verdict"] == "promote" and r["attempts"] == sum(x["attempts"] for x in r["links"])'
check 'r["evaluations"] == sum(x["evaluations"] for x in r["links"]) <= 2000 and r["links"][0]["evaluations"] <= 1000'
check 'r["certificate"] == r["best"] == next(x["best"] for x in reversed(r["links"]) if x["verdict"] == "promote")'
cp "$work/out" "$work/whole"
last=$(field 'r["run"]')
expect 0 pawl log --json -C a
check '[x["operator"] for x in r["runs"]] == ["gepa", "bootstrap"]'
verified a
# A link that has ended is not begun again.
pawl improve --json -C a --resume "$last" >"$work/out" 2>"$work/err"
expect 0 pawl log --json -C a
check 'len(r["runs"]) == 2'
# The next one starts from what is in force; with nothing certified the chain ends like one run.
expect 1 pawl improve --json -C a --operator gepa,placebo --seed 2 --budget evaluations=2000
check 'r["verdict"] == "none" and [x["started_from"] for x in r["links"]] == [r["started_from"]] * 2'

# pawl.yaml may name a chain; its settings are one operator's.
edit a/pawl.yaml 'operator: gepa' 'operator: "bootstrap, gepa"'
expect 0 pawl validate --json -C a
edit a/pawl.yaml 'operator: "bootstrap, gepa"' 'operator: "bootstrap, gepe"'
expect 2 pawl validate --json -C a
check '"gepe" in r["error"]["message"] and "gepa" in r["error"]["hint"]'
edit a/pawl.yaml 'operator: "bootstrap, gepe"' "operator: \"$many\""
expect 2 pawl validate --json -C a
check '"16 operators at most" in r["error"]["message"]'
edit a/pawl.yaml "operator: \"$many\"" 'operator: "bootstrap, gepa", options: {minibatch: 3}'
expect 2 pawl validate --json -C a

# Killed at many moments, between the links too.
export XDG_DATA_HOME="$work/data-b"
scripted_project b
set -- improve --json -C b --operator bootstrap,gepa --seed 1 --budget evaluations=2000
for i in $(seq "${PAWL_KILLS:-10}"); do
    "$PAWL_BIN" "$@" >"$work/killed" 2>&1 &
    pid=$!
    python3 -c 'import random,sys,time; random.seed(int(sys.argv[1])); time.sleep(random.uniform(0.02, 0.5))' "$i"
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    expect 0 pawl log --json -C b
    [ "$(field 'len(r["runs"])')" -gt 0 ] && set -- improve --json -C b --resume last
done
pawl "$@" >"$work/out" 2>"$work/err"
expect 0 pawl log --json -C b
python3 - "$work/whole" "$work/out" <<'P' || fail "the chain that was killed ended differently"
import json, sys
whole, runs = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))["runs"]
def told(links):
    return [(x["operator"], x["verdict"], x["best"], x["evaluations"]) for x in links]
assert told(whole["links"]) == told(reversed(runs)), (told(whole["links"]), told(reversed(runs)))
P
check '{x["seed"] for x in r["runs"]} == {1}'
verified b
