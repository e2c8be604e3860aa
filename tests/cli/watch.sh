# watch runs an operator only when new cases ask for it, records why it did not, once, and takes out of force
# what fresh cases say does harm.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
python=$(real_python)
cases() { $python - "$@" <<'P' # cases FILE FIRST N [CLUSTER SIZE]
import json, sys
name, first, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
size = int(sys.argv[4]) if len(sys.argv) > 4 else 1
with open(name, "w") as f:
    for i in range(first, first + n):
        case = {"id": f"q{i}", "input": {"question": f"Is {i} even?"}, "target": {"answer": "no" if i % 2 else "yes"}}
        f.write(json.dumps(dict(case, cluster=f"c{i // size}") if size > 1 else case) + "\n")
P
}
add() { cases new.jsonl "$2" "$3" ${4-} && expect 0 pawl data add new.jsonl --json -C "$1"; }
verify() {
    expect 0 pawl ledger verify --json -C "$1"
    records=$(field 'r["records"]')
    expect 0 pawl ledger export --json -C "$1" "$1.jsonl"
    expect 0 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" "$1.jsonl"
}
incumbent() { expect 0 pawl status --json -C "$1" && field 'r["incumbent"]'; }

# --- nothing came: nothing is done, and the ledger says why, once ---
careful_model | own_project p 40 60 200
expect 0 pawl init --json -C p
seed=$(incumbent p)
expect 0 pawl watch --once --json -C p
check 'r["decision"] == "skip" and len(r["reasons"]) == 1 and "0 of 0 new cases" in r["reasons"][0]'
check 'r["figures"]["attempts_left"] == 50 and r["figures"]["smallest_certifiable_gain"] > 0'
verify p
before=$records
expect 0 pawl watch --once -C p
says '0 of 0 new cases'
verify p
[ "$records" = "$before" ] || fail "the same reasons were recorded twice"
expect 0 pawl watch --once --json -C p --gain 0.001
check 'len(r["reasons"]) == 2 and "plausible" in r["reasons"][1]'
for bad in 10 m 0m -1s 1d 99999h; do expect 2 pawl watch --json -C p --every=$bad; done

# --- too few failures, then enough: one run, and what it promotes ---
add p 60000 12
expect 0 pawl watch --once --json -C p
check 'r["decision"] == "skip" and 0 < r["figures"]["new_cases"] <= 12'
add p 70000 150
for refused in '--evaluations 0' '--usd 0'; do
    expect 0 pawl watch --once --json -C p $refused
    check 'r["decision"] == "skip" and "have spent" in r["reasons"][0] and "improve" not in r'
done
expect 0 pawl watch --once --json -C p --operator gepa
check 'r["decision"] == "run" and r["reasons"] == [] and r["figures"]["failures"] >= 20'
check 'r["improve"]["verdict"] == "promote" and r["improve"]["operator"] == "gepa"'
best=$(field 'r["improve"]["best"]')
verify p
$python - <<'P' || fail "the look is not recorded before its run"
import json
kinds = [(r["kind"], r["body"].get("decision")) for r in map(json.loads, open("p.jsonl"))]
assert kinds.index(("watch", "run")) == kinds.index(("run", None)) - 1, kinds
P
# What the run has seen is not new any more.
expect 0 pawl watch --once --json -C p
check 'r["decision"] == "skip" and r["figures"]["new_cases"] == 0'
# A gain that holds is not rolled back, whatever is asked how often.
for first in 80000 81000; do
    add p $first 90
    expect 0 pawl watch --once --json -C p --failures 1000 --alarm 1000
    check 'r["decision"] == "skip" and r["figures"]["fresh_clusters"] > 0 and r["figures"]["log_harm"] < 0'
done
[ "$(incumbent p)" = "$best" ] || fail "a gain was rolled back"
# A sealed set that is closed or worn.
expect 0 pawl certificate --json -C p --audit
expect 0 pawl watch --once --json -C p --failures 1
check 'any("takes no more attempts" in reason for reason in r["reasons"])'
verify p

# --- harm on fresh cases: what it replaced is in force again ---
careful_model | sed "s/ and 0.85 or 0.60/ and (tonumber(last:match('%d+')) >= 30000 and 0.15 or 0.85) or 0.60/" |
    own_project harm 40 60 120
expect 0 pawl init --json -C harm
seed=$(incumbent harm)
expect 0 pawl improve --json -C harm --seed 1
worse=$(field 'r["best"]')
expect 0 pawl watch --once --json -C harm
check 'r["decision"] == "skip" and r["figures"]["fresh_clusters"] == 0'
add harm 40000 200 2 # pairs: a pair is one observation, of which the sealed size counts
expect 0 pawl watch --once --json -C harm
check "r['decision'] == 'rollback' and r['incumbent'] == '$seed' and 'does harm' in r['reasons'][0]"
[ "$(incumbent harm)" = "$seed" ] || fail "what does harm is in force"
expect 0 pawl show --json -C harm "$worse"
check 'r["state"] == "rolled_back"'
verify harm
grep -q '"harm":{"cases":[0-9]*,"clusters":[0-9]*,"level":0.05,"log_e":' harm.jsonl || fail "no evidence is recorded"
expect 0 pawl watch --once --json -C harm --failures 1000 --alarm 1000
check 'r["decision"] == "skip"' # to what was rolled back nothing goes back
[ "$(incumbent harm)" = "$seed" ] || fail "it went forwards again"

# --- again and again, until somebody says stop ---
$python - "$PAWL_BIN" watch --every 1s --failures 1000 --alarm 1000 -C harm --json <<'P' >"$work/out" 2>"$work/err" || fail "Ctrl-C does not end it"
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_DFL) # a shell's background job ignores it, and so would ours
command = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, text=True)
looks = 0
for line in command.stderr:
    sys.stderr.write(line)
    looks += '"watch: skip' in line
    if looks == 2:
        command.send_signal(signal.SIGINT)
sys.exit(command.wait(30) != 130)
P
