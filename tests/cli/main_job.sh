# The main job on a scripted model, through the command alone: seal, score, improve, promote, prove,
# roll back. Names of JSON fields and exit codes are those that scripts rely on.
. "$(dirname "$0")/lib.sh"
mkdir p
export PAWL_TEST_SEED=7
scripted_project p
check 'r["schema"] == 1 and r["project"] == "scripted" and r["cases"] == 800'
check 'set(r["tiers"]) >= {"train", "dev", "gate", "vault"} and sum(r["tiers"].values()) == 800'
check '0 < r["smallest_certifiable_gain"] < 0.2 and len(r["commitment"]["root"]) == 64'
cp "$work/out" "$work/first"
expect 0 pawl init --json -C p
cmp -s "$work/out" "$work/first" || fail "a second init says something else"

expect 0 pawl validate --json -C p
expect 0 pawl plan --json -C p
check 'r["gate_cases"] > 300 and r["gate_clusters"] == r["gate_cases"]'
check 'set(r["power"]) >= {"0.05", "0.08", "0.10"} and r["next_threshold"] == 25.0'

expect 0 pawl eval --json -C p --per-case scores.jsonl
check 'r["tier"] == "dev" and r["n"] > 0 and 0.4 < r["mean"] < 0.8'
check 'r["ci95"][0] < r["mean"] < r["ci95"][1] and r["missing"] == 0 and r["failed"] == 0'
check 'set(r["tokens"]) == {"prompt", "completion", "cached"}'
[ "$(wc -l <scores.jsonl)" = "$(field 'r["n"]')" ] || fail "the per-case file has another length"
expect 0 pawl eval --json -C p --tier train --limit 10
check 'r["n"] == 10 and r["tier"] == "train"'
expect 1 pawl eval --json -C p --fail-under 0.99

expect 0 pawl improve --json -C p --operator gepa --seed 1
check 'r["verdict"] == "promote" and r["attempts"] == 1 and r["operator"] == "gepa"'
check 'r["best"] != r["started_from"] and r["certificate"] == r["best"]'
check 'r["evaluations"] <= 2000 and set(r["tokens"]) == {"prompt", "completion", "cached"}'
best=$(field 'r["best"]') run=$(field 'r["run"]')

expect 0 pawl status --json -C p
check "r['incumbent'] == '$best' and r['attempts'] == 1 and r['runs'] == 1"
check 'r["ledger"]["records"] == 4 and r["pending_approvals"] == []'
expect 0 pawl log --json -C p
check "r['runs'][0]['run'] == '$run' and r['runs'][0]['verdict'] == 'promote'"
expect 0 pawl show --json -C p "$run/best"
check 'any("Take care" in c["text"] for c in r["components"])'
expect 0 pawl diff --json -C p seed incumbent
check '"+" in r["diff"] and "Take care" in r["diff"]'
expect 0 pawl lineage --json -C p incumbent
check 'r["verdicts"][0]["verdict"] == "promote"'
expect 0 pawl certificate --json -C p incumbent
check 'r["verdict"] == "promote" and r["attempt"] == 1 and len(r["signature"]) == 128'
check '"guarantee" in r and "custody" in r and r["evidence_state"] == "committed"'
check 'not any(k in r for k in ("wins", "losses", "n_observed", "log_e"))'
expect 0 pawl eval --json -C p
check 'r["mean"] > 0.7'
expect 0 pawl run --json -C p 'Is 12 even?'
check 'r["output"]["answer"] in ("yes", "no") and len(r["model"]) > 0'

expect 2 pawl rollback --json -C p
expect 0 pawl rollback --json -C p --reason 'a test'
check "r['previous'] == '$best'"
expect 0 pawl promote --json -C p "$best" --reason 'a test'
check "r['incumbent'] == '$best' and r['gated'] is False"
verified p
expect 0 pawl ledger --json -C p verify
check 'r["ok"] and r["records"] == 6 and r["first_bad"] is None'
expect 0 pawl ledger --json -C p export ledger.jsonl
[ "$(wc -l <ledger.jsonl)" = 6 ] || fail "the exported ledger has another length"
# Anybody can recompute the chain with a hash function.
python3 - <<'P' || fail "the exported chain does not hash to its root"
import hashlib, json
h = "0" * 64
for line in open("ledger.jsonl"):
    read = json.loads(line)
    record = line.rstrip("\n").replace('"hash":"%s",' % read["hash"], "", 1)
    assert read["prev"] == h
    h = hashlib.sha256((h + "\n" + record).encode()).hexdigest()
    assert read["hash"] == h
P
# A second seal, which would put another program in force, is found though the chain holds.
cp -a p/.pawl/store store-before
python3 - <<'P' || fail "no second seal was made"
import hashlib, json, sqlite3
db = sqlite3.connect("p/.pawl/store/pawl.db")
rows = db.execute("select record, hash from ledger order by seq").fetchall()
seal = json.loads(rows[0][0])
seal["body"]["seed"], seal["seq"], seal["prev"] = "ab" * 32, len(rows), rows[-1][1]
record = json.dumps(seal, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
link = hashlib.sha256((rows[-1][1] + "\n" + record).encode()).hexdigest()
db.execute("insert into ledger values(?, 'seal', 0, ?, ?)", (len(rows), record, link))
db.execute("update pointer set artifact = ? where name = 'incumbent'", ("ab" * 32,))
db.commit()
P
expect 4 pawl ledger --json -C p verify
check 'r["first_bad"] == 6 and "sealed before" in r["error"]["message"]'
rm -rf p/.pawl/store && mv store-before p/.pawl/store
# A changed record is found, by number.
sqlite() { python3 -c 'import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute(sys.argv[2]); d.commit()' "$@"; }
sqlite p/.pawl/store/pawl.db "update ledger set record=replace(record,'a test','a lie') where seq=4"
expect 4 pawl ledger --json -C p verify
check 'r["first_bad"] == 4 and r["error"]["code"] == "integrity"'
