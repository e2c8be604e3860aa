# No attempt is gained: not by 20 re-runs of an improve, killed and tried again, by an older store put back, by
# a copy, or by sealing the same cases anew. One project; after each step it has spent no less than before.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
inventive_model | own_project p 10 20 60
edit p/pawl.yaml 'evaluations: 600' 'evaluations: 80'
expect 0 pawl init --json -C p
check 'r["spent_before"] == 0'
# none_gained DIR: what was spent never falls, what is left never rises
spent=0 left=1000000
none_gained() {
    expect 0 pawl status --json -C "$1"
    check "r['attempts'] >= $spent and r['wear']['attempts_left'] <= $left"
    spent=$(field 'r["attempts"]') left=$(field 'r["wear"]["attempts_left"]')
}
again() { pawl improve --json -C "$1" --seed "$2" --force >"$work/out" 2>"$work/err"; }

# Twenty runs: five seeds four times, so that most ask what was asked before. Each text has one attempt.
none_gained p
for run in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    again p $((run % 5)) || [ $? -le 2 ] || fail "run $run ended with $?"
    [ $((run % 5)) -ne 0 ] || none_gained p
done
[ "$spent" -gt 0 ] || fail "nothing was asked, so nothing is shown"
expect 0 pawl ledger export --json -C p p.jsonl
python3 - p.jsonl "$spent" <<'Q' || fail "a text was asked about twice"
import json, sys
asked = [(r["body"]["statement"]["candidate"], r["body"]["statement"]["incumbent"])
         for r in map(json.loads, open(sys.argv[1])) if r["kind"] == "verdict"]
assert len(asked) == len(set(asked)) == int(sys.argv[2]), (asked, sys.argv[2])
Q

# Killed while it is asked about one more, and tried again.
cat >one.json <<'J'
{"demos": [], "signature": {"instructions": "Answer. Take care with the last digit.", "fields": [
  {"prefix": "Question:", "description": ""}, {"prefix": "Answer:", "description": ""}]}}
J
expect 0 pawl import dspy one.json -C p --json
one=$(field 'r["artifact"]')
cp -a p/.pawl older
for moment in 0.05 0.15; do
    pawl gate --json -C p "$one" >/dev/null 2>&1 &
    call=$!
    sleep $moment
    kill -9 $call 2>/dev/null
    wait $call 2>/dev/null
    sleep 0.2 # the killed one's vault ends by itself
    none_gained p
done
pawl gate --json -C p "$one" >"$work/out" 2>"$work/err"
[ $? -le 1 ] || fail "after the kills the gate cannot be asked"
before=$spent
none_gained p
expect 0 pawl ledger export --json -C p p.jsonl
grep -q "\"candidate\":\"$one" p.jsonl || fail "the killed question was never answered"

# An older store than the counter.
mv p/.pawl newer && cp -a older p/.pawl
expect 4 pawl gate --json -C p "$one"
check 'r["error"]["code"] == "integrity" and "put back" in r["error"]["message"]'
rm -rf p/.pawl && mv newer p/.pawl
none_gained p

# init, once more; and a copy of the project, which has what the first has left.
expect 0 pawl init --json -C p
none_gained p
cp -a p q
expect 0 pawl init --json -C q
none_gained q

# The store removed, the same cases sealed again: refused, however the file is written now.
mv p/.pawl gone
expect 4 pawl init --json -C p
check "r['error']['code'] == 'integrity' and '$spent attempts' in r['error']['message'] and '--again' in r['error']['hint']"
[ ! -e p/.pawl/sealed/vault.db ] || fail "it was sealed all the same"
expect 4 pawl validate --json -C p
python3 - p/data/gate.jsonl <<'Q'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
open(sys.argv[1], "w").writelines(json.dumps(dict(row, id="other-" + row["id"]), indent=None) + "\n" for row in reversed(rows))
Q
expect 4 pawl init --json -C p
# Wished by name it is done, and said: in the seal, and on each certificate.
expect 0 pawl init --json -C p --again
check "r['spent_before'] == $spent and '$spent attempts' in r['custody']"
again p 1
expect 0 pawl ledger export --json -C p p.jsonl
grep '"verdict"' p.jsonl | grep -q "by vaults that counted $spent attempts" || fail "a statement does not say so"
verified p
# In another folder they are sealed as anybody's, and that is said, too.
mkdir other
cp -a p/data p/model.lua p/answer.md p/pawl.yaml other
expect 0 pawl init --json -C other
check "r['spent_before'] > $spent"
# Control: cases that nobody sealed, in a folder where others were.
python3 - p/data/gate.jsonl <<'Q'
import json, sys
with open(sys.argv[1], "w") as f:
    for i in range(50000, 50060):
        f.write(json.dumps({"id": f"n{i}", "input": {"question": f"Is {i} even?"}, "target": {"answer": "no" if i % 2 else "yes"}}) + "\n")
Q
rm -rf p/.pawl
expect 0 pawl init --json -C p
check 'r["spent_before"] == 0'
