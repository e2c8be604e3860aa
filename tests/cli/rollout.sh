# How far what is in force has come: shadow, canary, stable, in this order and no other, on record and by a person's
# word; a rollback from anywhere. Both ledger's readers say so.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
careful_model | own_project p 20 40 120
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
best=$(field 'r["best"]')
state() { expect 0 pawl show --json -C p "$best" && check "r['state'] == '$1'"; }
records() { expect 0 pawl ledger verify --json -C p && field 'r["records"]'; }
before=$(records)
for to in canary stable; do
    expect 2 pawl promote --json -C p "$best" --to $to --reason 'in a hurry'
    check '"cannot go to '$to'" in r["error"]["message"] and "--to shadow" in r["error"]["hint"]'
done
expect 2 pawl promote --json -C p anchor --to shadow --reason 'it is not in force'
check '"not in force" in r["error"]["message"]'
[ "$(records)" = "$before" ] || fail "a refusal was recorded"
for to in shadow canary stable; do
    expect 0 pawl promote --json -C p "$best" --to $to --reason 'as planned'
    check "r['incumbent'] == '$best' and r['state'] == '$to'"
    state $to
done
expect 2 pawl promote --json -C p "$best" --to shadow --reason 'once more'
verified p
cp verified.jsonl whole.jsonl
expect 0 pawl rollback --json -C p --reason 'complaints'
state rolled_back
# Put in force again it begins anew; taken out while it is shadow, what it replaced serves.
expect 0 pawl promote --json -C p "$best" --reason 'mended'
expect 0 pawl promote -C p "$best" --to shadow --reason 'from the start'
says 'is shadow'
expect 0 pawl rollback --json -C p --reason 'after all'
state rolled_back
expect 0 pawl run --json -C p 'Is 12 even?'
check "r['artifact'] != '$best'"
verified p

# A step that is left out is a lie that the verifier finds.
python3 - <<'P'
import hashlib, json
records, last = [json.loads(line) for line in open("whole.jsonl")], "0" * 64
records = [r for r in records if not (r["kind"] == "deploy" and r["body"]["state"] == "canary")]
with open("lie.jsonl", "w") as f:
    for seq, record in enumerate(records):
        record.pop("hash")
        record.update(prev=last, seq=seq)
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        last = hashlib.sha256((last + "\n" + text).encode()).hexdigest()
        f.write(json.dumps(dict(record, hash=last), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n")
P
expect 1 python3 "$PAWL_SOURCE_DIR/tools/pawl-verify" lie.jsonl
says 'left out'
