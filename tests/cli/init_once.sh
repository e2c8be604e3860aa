# However many call init at once, a project is sealed once; a second run changes nothing.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=8
mkdir p
for i in 1 2 3 4 5; do
    pawl init --json --template scripted -C p >"out.$i" 2>"err.$i" &
    pids="${pids:-} $!"
done
for pid in $pids; do wait "$pid" || fail "one of them ended with $?: $(cat err.*)"; done
for i in 2 3 4 5; do cmp -s out.1 "out.$i" || fail "call $i was told something else"; done
[ "$(ls "$XDG_DATA_HOME/pawl/vaults" | wc -l)" = 1 ] || fail "there are several vaults"
expect 0 pawl ledger verify --json -C p
check 'r["records"] == 1'
expect 0 pawl ledger export --json -C p before.jsonl
expect 0 pawl init --json -C p
cmp -s out.1 "$work/out" || fail "asked again, init says something else"
expect 0 pawl ledger export --json -C p after.jsonl
cmp -s before.jsonl after.jsonl || fail "asked again, init wrote something"

# Another that is at work is waited for, and after a second that is said.
flock p true 2>/dev/null || skip "no flock here"
flock p sleep 2 &
sleep 0.2
expect 0 pawl init --json -C p
says 'waiting'
wait

# So it is with data add: two files, added at once, are both added.
for i in 1 2; do
    echo "id,question,answer" >"more.$i.csv"
    for n in $(seq 20); do echo "more-$i-$n,Is $i$n even?,yes" >>"more.$i.csv"; done
done
for i in 1 2; do pawl data add --json -C p "more.$i.csv" >"add.$i" 2>"adderr.$i" & done
wait
expect 0 pawl init --json -C p
check 'r["cases"] == 840'
