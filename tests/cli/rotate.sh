# A sealed set that was audited or is worn is not the project's end: `rotate` seals fresh cases, opens what
# is retired, and gives back no attempt, whatever is killed, put back or tried twice.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
python=$(real_python)
verify() { # verify PROJECT CERTIFICATE WORD
    expect 0 pawl ledger verify --json -C "$1"
    expect 0 pawl ledger export --json -C "$1" "$1.jsonl"
    expect 0 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" "$1.jsonl" ${2-}
    [ $# -lt 3 ] || says "$2: $3"
}
# fresh NAME FIRST N: new cases, numbered from FIRST on
fresh() { $python - "$@" <<'P'
import json, sys
name, first, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(name, "w") as f:
    for i in range(first, first + n):
        f.write(json.dumps({"id": f"q{i}", "input": {"question": f"Is {i} even?"},
                            "target": {"answer": "no" if i % 2 else "yes"}}) + "\n")
P
}

# Audited: the gate answers no more; rotated: it does.
careful_model | own_project p 20 40 300
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
best=$(field 'r["best"]')
expect 0 pawl certificate --json -C p "$best"
check 'r["evidence_state"] == "committed"'
cp "$work/out" sealed.json
verify p sealed.json committed
expect 0 pawl certificate --json -C p "$best" --audit
expect 2 pawl gate --json -C p seed
says 'pawl rotate'
fresh fresh.jsonl 50000 200
expect 2 pawl rotate --json -C p
expect 2 pawl rotate --json -C p --reason 'no reserve'
check '"reserve" in r["error"]["message"] and "--data" in r["error"]["hint"]'
expect 2 pawl rotate --json -C p --data p/data/gate.jsonl --reason 'the same again'
expect 2 pawl rotate --json -C p --data p/data/dev.jsonl --reason 'what operators saw'
expect 2 pawl rotate --json -C p --data no-such-file --reason x
fresh tiny.jsonl 60000 6
expect 2 pawl rotate --json -C p --data tiny.jsonl --reason 'too few'
check '"6 clusters" in r["error"]["message"]'
expect 0 pawl status --json -C p
check 'r["epoch"] == 1 and r["wear"]["attempts_left"] == 0'
expect 0 pawl rotate --json -C p --data fresh.jsonl --reason 'it was audited'
check 'r["epoch"] == 2 and r["retired"] == 300 and r["gate"] == 200 and r["dev"] == 340'
check 'len(r["commitment"]["root"]) == 64 and r["commitment"]["size"] == 200 and 0 < r["smallest_certifiable_gain"] < 0.3'
expect 0 pawl status --json -C p
check 'r["epoch"] == 2 and r["attempts"] == 0 and r["wear"]["attempts_left"] == 50 and r["wear"]["eps"] == 0'
check "r['incumbent'] == '$best'"
expect 0 pawl plan --json -C p
check 'r["gate_cases"] == 200 and r["wear"]["passable_left"] > 0'
expect 0 pawl status -C p
says 'promotions'
# The retired cases are dev's now.
expect 0 pawl eval --json -C p --tier dev --per-case rows.jsonl
check 'r["n"] == 340'
# Its own certificate opens by itself, and stays valid.
expect 0 pawl certificate --json -C p "$best"
check 'r["evidence_state"] == "opened" and len(r["sealed"]) == 300'
cp "$work/out" open.json
verify p open.json recomputed
verify p
# The fresh set answers, from the first level on; nothing about it opens.
expect 1 pawl gate --json -C p seed
check 'r["attempt"] == 2 and r["attempts_left"] == 49'
expect 0 pawl rollback --json -C p --to seed --reason 'to ask again'
expect 0 pawl gate --json -C p "$best"
check 'r["attempt"] == 3 and r["verdict"] == "promote"'
expect 1 pawl gate --json -C p seed # what the fresh set has answered is not asked again
check 'r["attempt"] == 2 and r["attempts_left"] == 48'
expect 0 pawl certificate --json -C p "$best"
cp "$work/out" newest.json
check 'r["attempt"] == 3 and r["evidence_state"] == "committed"'
verify p newest.json committed
# A second rotation onto the same cases finds nothing fresh; the first file is used up as well.
expect 2 pawl rotate --json -C p --data fresh.jsonl --reason 'the same cases'
expect 2 pawl rotate --json -C p --data p/data/gate.jsonl --reason 'the same cases'
expect 0 pawl init --json -C p
expect 0 pawl status --json -C p
check 'r["epoch"] == 2 and r["attempts"] == 2'
# Cases can be added to it.
fresh more.jsonl 70000 60
expect 0 pawl data add --json -C p more.jsonl
check 'r["added"] == 60 and r["tiers"]["gate"] > 200'
verify p newest.json committed

# Worn out, with a reserve: the vault tier becomes the gate.
careful_model | own_project w 20 40 120
fresh w/data/vault.jsonl 80000 100
edit w/pawl.yaml 'gate: data/gate.jsonl}' 'gate: data/gate.jsonl, vault: data/vault.jsonl}'
echo 'gate: {max_attempts: 1}' >>w/pawl.yaml
expect 0 pawl init --json -C w
check 'r["tiers"]["vault"] == 100'
expect 0 pawl improve --json -C w --seed 1
best=$(field 'r["best"]')
expect 0 pawl rollback --json -C w --reason 'to ask again'
printf 'Look closely.\n' >w/answer.md
expect 2 pawl improve --json -C w --seed 2
says 'pawl rotate'
cp -a w/.pawl/sealed sealed-before
cp -a w/.pawl/store store-before
cp -a data data-before
expect 0 pawl rotate --json -C w --reason 'worn out'
check 'r["epoch"] == 2 and r["retired"] == 120 and r["gate"] == 100 and r["added"] == 0'
expect 2 pawl rotate --json -C w --reason 'once more'
expect 0 pawl certificate --json -C w "$best"
cp "$work/out" w.json
verify w w.json recomputed
expect 0 pawl gate --json -C w "$best"
check 'r["attempt"] == 2 and r["attempts_left"] == 0'
verify w

# Put back: the sealed store alone, then with its counter, is found out; the ledger alone gains no attempt.
put_back() { # put_back FOLDER COPY
    rm -rf "$1" && cp -a "$2" "$1"
}
cp -a w/.pawl/sealed sealed-after
cp -a data data-after
put_back w/.pawl/sealed sealed-before
expect 4 pawl status --json -C w
expect 4 pawl gate --json -C w seed
expect 4 pawl rotate --json -C w --reason 'again'
put_back data data-before
expect 4 pawl gate --json -C w seed
expect 4 pawl rotate --json -C w --reason 'again'
check '"put back" in r["error"]["message"]'
put_back w/.pawl/sealed sealed-after
put_back data data-after
cp -a w/.pawl/store store-after
put_back w/.pawl/store store-before
expect 0 pawl rotate --json -C w --reason 'the ledger is behind' # it is taken along, nothing is drawn
check 'r["completed"] and r["epoch"] == 2'
expect 0 pawl status --json -C w
check 'r["attempts"] == 1 and r["wear"]["attempts_left"] == 0'
put_back w/.pawl/store store-after

# Killed at any moment: the next call finds the old epoch or the new one, whole, and completes it.
careful_model | own_project k 10 20 60
expect 0 pawl init --json -C k
expect 0 pawl improve --json -C k --seed 1
best=$(field 'r["best"]')
fresh k.jsonl 100000 60
begun=$(date +%s%N)
expect 0 pawl rotate --json -C k --data k.jsonl --reason 'how long it takes'
took_ms=$((($(date +%s%N) - begun) / 1000000))
epoch=2 first=100100
for tenth in 3 5 7 8 9 10; do
    fresh k.jsonl $first 60
    "$PAWL_BIN" rotate --json -C k --data k.jsonl --reason 'killed' >/dev/null 2>&1 &
    call=$!
    sleep "$(python3 -c "print($took_ms * $tenth / 10000)")"
    kill -9 $call 2>/dev/null
    wait $call 2>/dev/null
    for try in 1 2 3 4 5 6 7 8 9 10; do # a vault that lost its front ends by itself
        pawl status --json -C k >"$work/out" 2>"$work/err" && break
        sleep 0.2
    done
    now=$(field 'r["epoch"]')
    [ "$now" = $epoch ] || [ "$now" = $((epoch + 1)) ] || fail "from epoch $epoch to $now"
    check 'r["attempts"] == 0'
    [ "$now" = $epoch ] || first=$((first + 100))
    epoch=$now
done
# Whatever comes next takes the ledger along.
expect 1 pawl gate --json -C k seed
expect 0 pawl certificate --json -C k "$best"
cp "$work/out" k.json
verify k k.json
fresh k.jsonl 200000 60
expect 0 pawl rotate --json -C k --data k.jsonl --reason 'to the end'
verify k
# Two at once: one draws, the other finds its cases taken.
fresh k.jsonl 300000 60
"$PAWL_BIN" rotate --json -C k --data k.jsonl --reason 'one' >one.out 2>&1 &
one=$!
pawl rotate --json -C k --data k.jsonl --reason 'two' >two.out 2>&1
two=$?
wait $one
case "$? $two" in "0 2" | "2 0") ;; *) fail "two at once: $? and $two" ;; esac
verify k
