# What operators have done, computed from the ledger: two operators, a promotion, an attempt by hand, a
# rollback; how much was gained is known of opened evidence alone, and nothing of a ledger that was rewritten.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=7
track() { # track NAME EXPR: over t, the only version in NAME's track record
    expect 0 pawl card "$1" --json -C p $opened
    check "(lambda t: $2)(r['card']['track_record'][0]) and len(r['card']['track_record']) == 1"
}
opened=
mkdir p
scripted_project p
expect 0 pawl card gepa --json -C p
check 'r["card"]["track_record"] == []'
expect 0 pawl improve --json -C p --operator gepa --seed 1
best=$(field 'r["best"]') spent=$(field 'r["evaluations"]')
track gepa "t['runs'] == t['attempts'] == t['promotions'] == 1 and t['rolled_back'] == 0 and t['version'] >= 1"
check "r['card']['track_record'][0]['cost']['evaluations'] == $spent"
check 'r["card"]["track_record"][0]["certified_gain"] == {"lower": 0, "known_for": 0, "error_at_most": 0.04000000000000001}'
pawl improve --json -C p --operator bootstrap --seed 2 --budget evaluations=400 >"$work/out" 2>"$work/err"
check '"error" not in r or r["error"]["code"] == "budget"'
second=$(field '{"none": 0}.get(r["verdict"], 1)')
track bootstrap "t['runs'] == 1 and t['attempts'] == $second and t['promotions'] == 0"
expect 0 pawl rollback --json -C p --reason 'a test'
track gepa "t['promotions'] == t['rolled_back'] == 1"
check '(lambda t: t["first_ms"] < t["last_ms"])(r["card"]["track_record"][0])'
# A finished run that is resumed ends as it did, and is not recorded twice.
expect 0 pawl status --json -C p
records=$(field 'r["ledger"]["records"]')
expect 0 pawl improve --json -C p --resume "$(pawl log --json -C p | python3 -c 'import json,sys; print(json.load(sys.stdin)["runs"][-1]["run"])')"
expect 0 pawl status --json -C p
check "r['ledger']['records'] == $records"
# An attempt by hand is put down to the run that made the candidate.
other=$(python3 - "$best" <<'P'
import sqlite3, sys
db = sqlite3.connect("p/.pawl/store/pawl.db")
print(db.execute("select artifact from candidate where ordinal > 0 and artifact != ? order by run, ordinal", sys.argv[1:]).fetchone()[0])
P
)
expect 0 pawl lineage --json -C p "$other"
check 'r["candidates"][-1]["operator"] == "gepa" and r["candidates"][-1]["number"] > 0'
pawl gate --json -C p "$other" >"$work/out" 2>"$work/err"
check 'r["note"] is None and r["judged"] == r["artifact"]'
promoted=$(field 'int(r["verdict"] == "promote")')
track gepa "t['runs'] == 1 and t['attempts'] == 2 and t['promotions'] == 1 + $promoted and t['rolled_back'] == 1"
verified p
expect 0 pawl card gepa -C p
says 'attempts 2, promotions'
says 'sealed until a certificate is opened'
(cd p && expect 0 pawl card --json && check 'len([c for c in r["cards"] if c["track_record"]]) == 2') || exit 1

# By how much is known of what was opened, and of nothing else.
expect 2 pawl card gepa --opened open.json
expect 0 pawl certificate --json -C p "$best"
cp "$work/out" closed.json
expect 2 pawl card gepa -C p --opened closed.json
expect 0 pawl certificate --json -C p "$best" --audit
cp "$work/out" open.json
opened='--opened open.json'
track gepa "0.01 < t['certified_gain']['lower'] < 0.40 and t['certified_gain']['known_for'] == 1"
check "(lambda t: abs(t['cost']['evaluations_per_point'] * 100 * t['certified_gain']['lower'] - $spent) < 1e-6)(r['card']['track_record'][0])"
python3 - <<'P'
import json
c = json.load(open("open.json"))
case = c["evidence"][0]["evidence"]["cases"][0]
case["candidate"] = 1 - case["candidate"]
json.dump(c, open("lie.json", "w"))
P
expect 4 pawl card gepa -C p --opened lie.json

# A ledger that was rewritten gives no track record.
python3 -c 'import sqlite3; db = sqlite3.connect("p/.pawl/store/pawl.db"); db.execute("delete from ledger where kind = ?", ("rollback",)); db.commit()'
expect 4 pawl card gepa --json -C p
check '"card" not in r and r["error"]["code"] == "integrity"'
expect 0 pawl card gepa
says 'no project here'
