# Ctrl-C pauses and says how to go on; a run that was killed goes on too, and ends like one that was
# never disturbed.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=11
mkdir a b
scripted_project a
expect 0 pawl improve --json -C a --seed 3
cp "$work/out" "$work/whole"
# The same secrets are the same vault: the second project gets a data home of its own.
export XDG_DATA_HOME="$work/data-b"
scripted_project b

# A virtual clock cannot be slowed down; so many moments are tried.
kills=${PAWL_KILLS:-25}
i=0 resumed=0
set -- improve --json -C b --seed 3
while [ "$i" -lt "$kills" ]; do
    i=$((i + 1))
    "$PAWL_BIN" "$@" >"$work/killed" 2>&1 &
    pid=$!
    python3 -c 'import random,sys,time; random.seed(int(sys.argv[1])); time.sleep(random.uniform(0.005, 0.25))' "$i"
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    # The workers end by themselves once their front is gone.
    if [ -e b/.pawl/store/pawl.db ] && expect 0 pawl log --json -C b && [ "$(field 'len(r["runs"])')" -gt 0 ]; then
        set -- improve --json -C b --resume last
        resumed=1
    fi
    verified b
    expect 0 pawl ledger --json -C b verify
    check 'r["ok"]'
done
[ "$resumed" = 1 ] || fail "no kill left a run behind"
pawl "$@" >"$work/out" 2>"$work/err"
code=$?
[ "$code" -le 1 ] || fail "exit $code after $kills kills"
python3 - "$work/whole" "$work/out" <<'P' || fail "the resumed run ended differently"
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
for key in ("verdict", "best", "started_from", "evaluations", "tokens", "candidates", "attempts"):
    assert a[key] == b[key], (key, a[key], b[key])
P
expect 0 pawl status --json -C b
check 'r["attempts"] >= 1'
