# When what is in force is missing or damaged, what was in force before it answers, and it is said; what is
# asked for by name has no substitute.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
careful_model | own_project p 20 40 120
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
best=$(field 'r["best"]') seed=$(field 'r["started_from"]')
expect 0 pawl run --json -C p 'Is 12 even?'
check "r['artifact'] == '$best' and 'fallback' not in r"
cp -r p whole
damage() { # damage PROJECT ARTIFACT: the text of its instruction
    python3 - "$@" <<'P'
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/.pawl/store/pawl.db")
manifest = json.loads(db.execute("select manifest from artifact where hash = ?", sys.argv[2:]).fetchone()[0])
text = bytes.fromhex(manifest["components"]["instruction"]["hash"])
assert db.execute("update object set body = 'damaged' where hash = ?", (text,)).rowcount == 1
db.commit()
P
}
damage p "$best"
expect 0 pawl run --json -C p 'Is 12 even?'
check "r['artifact'] == '$seed' and r['fallback']['in_force'] == '$best' and 'damaged' in r['fallback']['reason']"
check 'r["output"]["answer"] in ("yes", "no")'
says 'answers instead'
expect 0 pawl run -C p 'Is 12 even?'
says 'pawl rollback --to'
expect 0 pawl export --json -C p openai
check "r['artifact'] == '$seed' and r['fallback']['in_force'] == '$best' and 'Take care' not in str(r['document'])"
expect 4 pawl export --json -C p openai "$best"
expect 4 pawl run --json -C p --artifact "$best" 'Is 12 even?'
expect 4 pawl eval --json -C p # a score is of what was asked for
expect 0 pawl rollback --json -C p --reason 'it is damaged'
expect 0 pawl run --json -C p 'Is 12 even?'
check "r['artifact'] == '$seed' and 'fallback' not in r"
verified p

# Gone altogether.
cp -r whole gone
python3 -c 'import sqlite3,sys; db = sqlite3.connect("gone/.pawl/store/pawl.db"); assert db.execute("delete from artifact where hash = ?", sys.argv[1:]).rowcount == 1; db.commit()' "$best"
expect 0 pawl run --json -C gone 'Is 12 even?'
check "r['artifact'] == '$seed' and r['fallback']['in_force'] == '$best'"

# What is in quarantine is no baseline, however lately it was in force.
cp -r whole held
edit held/model.lua 'check the number' 'check it'
expect 0 pawl rollback --json -C held --reason 'it looks wrong'
pawl improve --json -C held --seed 2 --budget evaluations=300 >"$work/out" 2>"$work/err"
second=$(python3 -c 'import sqlite3,sys; print(sqlite3.connect("held/.pawl/store/pawl.db").execute("select artifact from candidate where ordinal > 0 and artifact != ?", sys.argv[1:]).fetchone()[0])' "$best")
expect 0 pawl promote --json -C held "$best" --reason 'once more'
expect 0 pawl promote --json -C held "$second" --reason 'better still'
damage held "$second"
expect 0 pawl run --json -C held 'Is 12 even?'
check "r['artifact'] == '$best'"
expect 0 pawl quarantine --json -C held "$best" --reason 'it has the answers'
expect 0 pawl run --json -C held 'Is 12 even?'
check "r['artifact'] == '$seed' and r['fallback']['in_force'] == '$second'"

# Both damaged: nothing is left to answer, and that is said of the one in force.
damage whole "$best"
damage whole "$seed"
expect 4 pawl run --json -C whole 'Is 12 even?'
check "'$best'[:12] in r['error']['message']"
