# What the gate promoted is confirmed on the vault tier: stable, unconfirmed, or rolled back because it does
# harm. Each confirmation uses up fresh cases, is signed, recorded once, and told to no operator.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
python=$(real_python)
# cases FILE FIRST N
cases() { $python - "$@" <<'P'
import json, sys
name, first, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(name, "w") as f:
    for i in range(first, first + n):
        f.write(json.dumps({"id": f"q{i}", "input": {"question": f"Is {i} even?"},
                            "target": {"answer": "no" if i % 2 else "yes"}}) + "\n")
P
}
# project DIR VAULT <model: sealed, with a vault tier of so many cases, numbered from 30000 on
project() {
    own_project "$1" 40 60 300
    cases "$1/data/vault.jsonl" 30000 "$2"
    edit "$1/pawl.yaml" 'gate: data/gate.jsonl' 'gate: data/gate.jsonl, vault: data/vault.jsonl'
    expect 0 pawl init --json -C "$1"
}
# elsewhere SKILL <model: the careful instruction has this skill on numbers from 30000 on
elsewhere() { sed "s/ and 0.85 or 0.60/ and (tonumber(last:match('%d+')) >= 30000 and $1 or 0.85) or 0.60/"; }
verify() {
    expect 0 pawl ledger verify --json -C "$1"
    expect 0 pawl ledger export --json -C "$1" "$1.jsonl"
    expect 0 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" "$1.jsonl" ${2-}
}
root() { expect 0 pawl ledger verify --json -C "$1" && field 'r["root"]'; }
state() { expect 0 pawl status --json -C "$1" && field 'r["state"]'; }

# --- without a vault tier all is as it was, and says why ---
careful_model | own_project none 20 40 120
echo 'gate: {confirm: true}' >>none/pawl.yaml
expect 0 pawl init --json -C none
expect 2 pawl confirm --json -C none # the seed, which nobody promoted
check '"has not promoted" in r["error"]["message"]'
expect 0 pawl improve --json -C none --seed 1
check 'r["verdict"] == "promote" and "no vault tier" in r["unconfirmed_because"]'
before=$(root none)
expect 2 pawl confirm --json -C none
check '"no vault tier" in r["error"]["message"] and "data.tiers" in r["error"]["hint"]'
[ "$(root none)" = "$before" ] || fail "a refusal was recorded"
[ "$(state none)" = approved ] || fail "it is not in force as it was"

# --- stable ---
inventive_model | project p 120
expect 0 pawl improve --json -C p --seed 1
best=$(field 'r["best"]')
check '"confirmation" not in r'
[ "$(state p)" = approved ] || fail "confirmed unasked"
# Killed at any moment it is the same confirmation, of the same cases.
for moment in 0.05 0.2 0.4; do
    pawl confirm --json -C p >/dev/null 2>&1 &
    call=$!
    sleep $moment
    kill -9 $call 2>/dev/null
    wait $call 2>/dev/null
done
sleep 0.3 # the killed one's vault ends by itself
expect 0 pawl confirm --json -C p
check "r['answer'] == 'stable' and r['confirmation'] == 1 and r['rolled_back'] is False and r['clusters'] == 120"
check "r['artifact'] == r['incumbent'] == '$best' and abs(r['level'] - 0.025) < 1e-12"
cp "$work/out" first.json
[ "$(state p)" = stable ] || fail "not stable"
before=$(root p)
expect 0 pawl confirm --json -C p "$best"
cmp -s "$work/out" first.json || fail "another answer to the same question"
[ "$(root p)" = "$before" ] || fail "recorded twice"
expect 0 pawl confirm -C p
says 'confirmation 1: stable'
expect 2 pawl confirm --json -C p seed
expect 0 pawl certificate --json -C p "$best"
check 'r["confirmation"]["statement"]["answer"] == "stable" and r["attempt"] == 1'
cp "$work/out" certificate.json
verify p certificate.json
says 'stable on 120 fresh cases'
expect 0 pawl certificate --json -C p "$best" --html page.html
verify p page.html
# The page checks that signature, too, where there is something to run its script.
node=$(command -v node || command -v nodejs) || node=
if [ -n "$node" ] && "$node" -e 'process.exit(typeof structuredClone === "function" && crypto.webcrypto ? 0 : 1)'; then
    page() { expect 0 "$node" "$PAWL_SOURCE_DIR/tests/cli/page_run.js" "$1" && check "r['word'] == '$2' and any($3 for state, what, why in r['checks'])"; }
    page page.html committed 'state == "holds" and "fresh cases" in what'
    "$python" - <<'P'
import json
head, rest = open("page.html", encoding="utf-8").read().split('id="data">')
data, tail = rest.split("</script>", 1)
def lie(name, change):
    d = json.loads(data)
    change(d["confirmation"], d["confirmation"]["statement"])
    open(name + ".html", "w", encoding="utf-8").write(head + 'id="data">' + json.dumps(d).replace("<", "\\u003c") + "</script>" + tail)
lie("answer", lambda c, s: s.update(answer="harm"))
lie("forged", lambda c, s: c.update(signature="0" * 128))
lie("other", lambda c, s: s.update(attempt=2))
lie("rolled", lambda c, s: c.update(rolled_back=True))
P
    for lie in answer:'signature does not fit' forged:'signature does not fit' other:'another promotion' rolled:'without harm'; do
        page "${lie%%:*}.html" wrong "state == 'wrong' and '${lie#*:}' in why"
    done
fi

# --- each uses up what is fresh; what comes later is fresh again ---
expect 0 pawl rollback --json -C p --reason 'to look for another one'
[ "$(state p)" = retired ] || [ "$(state p)" = approved ] || fail "the seed is not in force"
expect 0 pawl improve --json -C p --seed 2 --confirm
second=$(field 'r["best"]')
check "r['verdict'] == 'promote' and '0 fresh clusters' in r['unconfirmed_because'] and '$second' != '$best'"
cases more.jsonl 40000 600
expect 0 pawl data add more.jsonl --json -C p
added=$(field 'r["tiers"]["vault"] - 120')
expect 0 pawl confirm --json -C p
check "r['answer'] == 'stable' and r['confirmation'] == 2 and abs(r['level'] - 0.05 / 6) < 1e-12 and r['n_planned'] == $added"
verify p
# What was used is no reserve for the gate, and goes to dev with the rotation.
expect 2 pawl rotate --json -C p --reason 'nothing fresh is left'
cases again.jsonl 50000 600
expect 0 pawl data add again.jsonl --json -C p
fresh=$(field "r['tiers']['vault'] - 120 - $added") gate=$(field 'r["tiers"]["gate"]') dev=$(field 'r["tiers"]["dev"]')
expect 0 pawl rotate --json -C p --reason 'the reserve'
check "r['gate'] == $fresh and r['dev'] == $dev + $gate + 120 + $added"
verify p

# --- harm: what it replaced is in force in the same record ---
careful_model | elsewhere 0.20 | project harm 120
seed=$(expect 0 pawl status --json -C harm && field 'r["incumbent"]')
echo 'gate: {confirm: true}' >>harm/pawl.yaml
expect 1 pawl improve --json -C harm --seed 1
check "r['verdict'] == 'promote' and r['confirmation']['answer'] == 'harm' and r['confirmation']['rolled_back'] is True"
worse=$(field 'r["best"]')
expect 0 pawl status --json -C harm
check "r['incumbent'] == '$seed' and r['state'] == 'approved'"
expect 0 pawl show --json -C harm "$worse"
check 'r["state"] == "rolled_back"'
expect 0 pawl card gepa --json -C harm
check '(lambda t: t["promotions"] == t["rolled_back"] == 1)(r["card"]["track_record"][0])'
expect 1 pawl confirm --json -C harm "$worse" # said once more, and nothing moves
check "r['answer'] == 'harm' and r['incumbent'] == '$seed'"
expect 0 pawl certificate --json -C harm "$worse"
check 'r["standing"] == "replaced" and r["confirmation"]["rolled_back"] is True'
cp "$work/out" certificate.json
verify harm certificate.json

# --- neither: it stays in force ---
careful_model | elsewhere 0.60 | project equal 60
expect 0 pawl improve --json -C equal --seed 1 --confirm
check 'r["confirmation"]["answer"] == "unconfirmed" and r["confirmation"]["rolled_back"] is False'
[ "$(state equal)" = unconfirmed ] || fail "not unconfirmed"
expect 0 pawl confirm -C equal
says 'stable (unconfirmed)'
verify equal

# --- too few to say anything: no case is used up ---
careful_model | project fewer 7
expect 0 pawl improve --json -C fewer --seed 1
before=$(root fewer)
expect 2 pawl confirm --json -C fewer
check '"7 fresh clusters" in r["error"]["message"] and "data add" in r["error"]["hint"]'
[ "$(root fewer)" = "$before" ] || fail "a refusal was recorded"

# --- asked and not answered: it is in force, and the run says by its end that nobody knows whether it does harm ---
careful_model | sed "s/^  local skill/  if tonumber(last:match('%d+')) >= 30000 then return {error = 'missing'} end\n&/" | project unanswered 60
expect 5 pawl improve --json -C unanswered --seed 1 --confirm
check 'r["verdict"] == "promote" and "pawl confirm" in r["error"]["hint"]'
check '"is in force and could not be confirmed" in r["error"]["message"] and bool(r["unconfirmed_because"])'
[ "$(state unanswered)" = approved ] || fail "it is not in force as it was"
verify unanswered

# --- lies, each chained again: neither verifier takes one ---
$python - <<'P'
import copy, hashlib, importlib.machinery, importlib.util, json, os, shutil, sqlite3, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pawl_verify", os.environ["PAWL_SOURCE_DIR"] + "/tools/pawl-verify")
V = importlib.util.module_from_spec(importlib.util.spec_from_loader("pawl_verify", loader))
loader.exec_module(V)

def lie(name, source, change, pointer=None):
    shutil.copytree(source, name)
    db = sqlite3.connect(name + "/.pawl/store/pawl.db")
    records = [json.loads(row[0]) for row in db.execute("select record from ledger order by seq")]
    said = [r for r in records if r["kind"] == "confirm"][-1]["body"]
    change(records, said)
    db.execute("delete from ledger")
    prev = "0" * 64
    for seq, record in enumerate(records):
        record.update(seq=seq, prev=prev)
        text = V.canonical(record)
        prev = hashlib.sha256((prev + "\n" + text).encode()).hexdigest()
        db.execute("insert into ledger (seq, kind, ts_ms, record, hash) values (?, ?, ?, ?, ?)",
                   (seq, record["kind"], record["ts"], text, prev))
    if pointer:
        db.execute("update pointer set artifact = ? where name = 'incumbent'", (said["statement"][pointer],))
    db.commit()

lie("truth", "harm", lambda records, said: None)
lie("lie-left", "harm", lambda records, said: said.update(rolled_back=False), "candidate")
lie("lie-rolled", "equal", lambda records, said: said.update(rolled_back=True), "incumbent")
lie("lie-answer", "equal", lambda records, said: said["statement"].update(answer="stable"))
lie("lie-level", "equal", lambda records, said: said["statement"].update(level=0.05))
lie("lie-forged", "harm", lambda records, said: said.update(signature="0" * 128))
P
verify truth
for lie in lie-*; do
    expect 4 pawl ledger verify --json -C "$lie"
    expect 4 pawl ledger export --json -C "$lie" lie.jsonl
    expect 1 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" lie.jsonl
done
