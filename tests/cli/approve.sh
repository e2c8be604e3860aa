# What the gate promotes waits for people where the policy says so: two of them, each once, for this
# attempt, incumbent, policy and evidence, in time. Whatever else is said changes nothing.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
python=$(real_python)
as() { # as PERSON COMMAND...: with keys of his own
    home=$work/people/$1
    shift
    XDG_DATA_HOME=$home "$@"
}
for person in ann bob eve; do
    expect 0 as $person pawl key make $person --json
    eval "$person=$(field 'r["public_key"]')"
done
export BOB_SECRET='bob keeps his word'
rm "$work/people/bob/pawl/keys/bob"
expect 0 as bob pawl key make bob --json --passphrase-env BOB_SECRET
bob=$(field 'r["public_key"]')

# project DIR POLICY [TRAIN DEV GATE]: sealed, with a section `approval`
project() {
    careful_model | own_project "$1" "${3-20}" "${4-40}" "${5-120}"
    echo "approval: $2" >>"$1/pawl.yaml"
    expect 0 pawl init --json -C "$1"
}
incumbent() { expect 0 pawl status --json -C "$1" && field 'r["incumbent"]'; }
verify() { # verify PROJECT: its ledger stands up to both verifiers
    expect 0 pawl ledger verify --json -C "$1"
    expect 0 pawl ledger export --json -C "$1" "$1.jsonl"
    expect 0 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" "$1.jsonl"
}
unchanged() { # unchanged PROJECT CODE COMMAND...: refused with this code, and neither ledger nor incumbent moved
    project=$1
    shift
    expect 0 pawl ledger verify --json -C "$project"
    before=$(field 'r["root"]')
    expect "$@"
    cp "$work/out" refusal
    expect 0 pawl ledger verify --json -C "$project"
    [ "$(field 'r["root"]')" = "$before" ] || fail "a refusal was recorded: $*"
    cp refusal "$work/out"
}

# edited PROJECT COMPONENT OLD NEW: the id of an artifact that differs from the seed in this
edited() { $python - "$@" <<'P'
import hashlib, json, sqlite3, sys
project, component, old, new = sys.argv[1:]
db = sqlite3.connect(project + "/.pawl/store/pawl.db")
seed, = db.execute("select artifact from pointer where name = 'seed'").fetchone()
manifest = json.loads(db.execute("select manifest from artifact where hash = ?", (seed,)).fetchone()[0])
part = manifest["components"][component]
body = db.execute("select body from object where hash = ?", (bytes.fromhex(part["hash"]),)).fetchone()[0]
body = body if isinstance(body, bytes) else body.encode()
assert old.encode() in body, body
body = body.replace(old.encode(), new.encode())
part["hash"] = hashlib.sha256(body).hexdigest()
text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
name = hashlib.sha256(text.encode()).hexdigest()
db.execute("insert into object (hash, body) values (?, ?)", (bytes.fromhex(part["hash"]), body))
db.execute("insert into artifact (hash, manifest, created_ms) values (?, ?, 0)", (name, text))
db.commit()
print(name)
P
}

# --- the configuration ---
careful_model | own_project c 20 40 60
cp c/pawl.yaml plain.yaml
while IFS='|' read -r policy part; do
    { cat plain.yaml; echo "approval: $policy"; } >c/pawl.yaml
    expect 2 pawl validate --json -C c
    check "'''$part''' in r['error']['message'] + r['error']['hint'] + r['error']['field'] and r['error']['line'] == 8"
done <<P
{}|keys
{from: L0}|keys
{from: L4, keys: {ann: $ann}}|L3
{from: L0, keys: {ann: abc}}|approval.keys.ann
{from: L0, keys: {ann: $(echo "$ann" | tr a-f A-F)}}|public key
{from: L0, keys: {ann: $ann, ann2: $ann}}|another one
{from: L0, people: 2, keys: {ann: $ann}}|must approve
{from: L0, expires_hours: 0, keys: {ann: $ann}}|expires_hours
{form: L0, keys: {ann: $ann}}|from
[]|map
P

# --- nobody is asked below the layer of the policy: texts of a careful operator are L0 ---
project auto "{keys: {ann: $ann}}"
expect 0 pawl improve --json -C auto --seed 1
check 'r["verdict"] == "promote" and r.get("pending_approval", False) is False'
best=$(field 'r["best"]')
[ "$(incumbent auto)" = "$best" ] || fail "an L0 change waits under a policy from L2 on"
verify auto

# --- two people ---
project p "{from: L0, people: 2, keys: {ann: $ann, bob: $bob}}"
seed=$(incumbent p)
expect 2 as ann pawl approve -C p
says 'No promotion waits'
expect 0 pawl improve --json -C p --seed 1
best=$(field 'r["best"]')
check 'r["verdict"] == "promote" and r["pending_approval"] is True and "pawl approve" in r["note"]'
check 'r["certificate"] == r["best"]'
expect 0 pawl improve -C p --resume last
says 'waits for approval'
expect 0 pawl status --json -C p
check "r['incumbent'] == '$seed' and r['state'] == 'approved' and len(r['pending_approvals']) == 1"
check "(lambda w: w['artifact'] == '$best' and w['needed'] == 2 and w['approved_by'] == [] and w['layer'] == 'L0' and w['changes'] == ['text'])(r['pending_approvals'][0])"
expect 0 pawl status -C p
says 'waits for approval: layer L0, 0 of 2'
expect 0 pawl show --json -C p "$best"
check 'r["state"] == "gated"'
expect 0 pawl gate --json -C p "$best" # asking again is free, and moves nothing
check 'r["pending_approval"] is True and r["attempt"] == 1'
verify p
says 'waits: 0 of 2 approvals'

# Wrong keys, wrong policy, wrong candidate.
unchanged p 2 as eve pawl approve --json -C p
check '"None of your keys" in r["error"]["message"]'
unchanged p 2 as eve pawl approve --json -C p --key eve
check '"does not name your key" in r["error"]["message"]'
unchanged p 2 as eve pawl approve --json -C p --key eva
check '"eve" in r["error"]["hint"]'
unchanged p 2 as ann pawl approve --json -C p seed
check '"asked for approval" in r["error"]["message"]'
unchanged p 2 as bob pawl approve --json -C p # locked, and nobody to ask
check '"--passphrase-env" in r["error"]["hint"]'
WRONG='bob keeps nothing' unchanged p 2 as bob pawl approve --json -C p --passphrase-env WRONG
check '"does not open" in r["error"]["message"]'
cp p/pawl.yaml policy.yaml
edit p/pawl.yaml 'people: 2' 'people: 1'
unchanged p 4 as ann pawl approve --json -C p
check '"policy" in r["error"]["message"]'
cp plain.yaml p/pawl.yaml
unchanged p 4 as ann pawl approve --json -C p
cp policy.yaml p/pawl.yaml
unchanged p 2 pawl promote --json -C p "$best" --reason 'in a hurry'
check '"never in force" in r["error"]["message"]'
unchanged p 2 pawl rollback --json -C p --to "$best" --reason 'forwards'

# Ann, then Ann once more, then Bob.
expect 0 as ann pawl approve --json -C p --reason 'read the diff'
check "r['promoted'] is False and r['approved_by'] == ['ann'] and r['needed'] == 2 and r['incumbent'] == '$seed'"
[ "$(incumbent p)" = "$seed" ] || fail "one of two put it in force"
cp -r p p1
unchanged p 2 as ann pawl approve --json -C p "$best"
check '"already" in r["error"]["message"]'
verify p
says '1 of 2'
expect 0 as bob pawl approve --json -C p "$best" --passphrase-env BOB_SECRET
check "r['promoted'] is True and r['incumbent'] == '$best' and r['previous'] == '$seed' and r['approved_by'] == ['ann', 'bob']"
expect 0 pawl status --json -C p
check "r['incumbent'] == '$best' and r['pending_approvals'] == [] and r['state'] == 'approved'"
expect 0 pawl lineage --json -C p "$best"
check '[(w["kind"], w["name"], w["reason"]) for w in r["approvals"]] == [("approve", "ann", "read the diff"), ("approve", "bob", "")]'
check 'r["state"] == "approved" and len(r["verdicts"]) == 1'
expect 0 pawl lineage -C p "$best"
says 'approve by ann'
expect 0 pawl show --json -C p seed
check 'r["state"] == "retired"'
unchanged p 2 as ann pawl approve --json -C p "$best"
check '"all its approvals" in r["error"]["message"]'
verify p
expect 0 pawl certificate --json -C p "$best"
check 'r["approval"]["needed"] == 2'
cp "$work/out" certificate.json
expect 0 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" p.jsonl certificate.json
says committed
expect 0 pawl certificate --json -C p "$best" --html page.html
expect 0 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" p.jsonl page.html
says committed
expect 0 pawl card gepa --json -C p
check '(lambda t: t["attempts"] == t["promotions"] == 1 and t["rolled_back"] == 0)(r["card"]["track_record"][0])'
# Going back needs nobody, and forward again to what was in force neither.
expect 0 pawl rollback --json -C p --reason 'complaints'
check "r['incumbent'] == '$seed'"
expect 0 pawl show --json -C p "$best"
check 'r["state"] == "rolled_back"'
expect 0 pawl card gepa --json -C p
check 'r["card"]["track_record"][0]["rolled_back"] == 1'
expect 0 pawl promote --json -C p "$best" --reason 'no complaints after all'
verify p
expect 0 "$python" "$PAWL_SOURCE_DIR/tests/cli/approve_mutations.py" "$PAWL_SOURCE_DIR/tools/pawl-verify" p.jsonl
says 'mutations, each rejected'

# --- lies: each ledger is chained again after the change ---
$python - "$best" "$seed" <<'P'
import copy, hashlib, json, shutil, sqlite3
import importlib.machinery, importlib.util, os, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pawl_verify", os.environ["PAWL_SOURCE_DIR"] + "/tools/pawl-verify")
V = importlib.util.module_from_spec(importlib.util.spec_from_loader("pawl_verify", loader))
loader.exec_module(V)

def lie(name, source, change, pointer=None):
    shutil.copytree(source, name)
    db = sqlite3.connect(name + "/.pawl/store/pawl.db")
    records = [json.loads(row[0]) for row in db.execute("select record from ledger order by seq")]
    change(records)
    db.execute("delete from ledger")
    prev = "0" * 64
    for seq, record in enumerate(records):
        record.update(seq=seq, prev=prev)
        text = V.canonical(record)
        prev = hashlib.sha256((prev + "\n" + text).encode()).hexdigest()
        db.execute("insert into ledger (seq, kind, ts_ms, record, hash) values (?, ?, ?, ?, ?)",
                   (seq, record["kind"], record["ts"], text, prev))
    if pointer:
        db.execute("update pointer set artifact = ? where name = 'incumbent'", (pointer,))
    db.commit()

best, seed = sys.argv[1:]
last = lambda records, kind: [r for r in records if r["kind"] == kind][-1]
def set_body(kind, **fields):
    return lambda records: last(records, kind)["body"].update(fields)
def twice(records):
    again = copy.deepcopy(last(records, "approve"))
    again["body"]["promoted"] = True
    records.append(again)
def forged(records):
    signature = last(records, "approve")["body"]["signature"]
    last(records, "approve")["body"]["signature"] = ("1" if signature[0] == "0" else "0") + signature[1:]
def late(records):
    for record in records[records.index(last(records, "approve")):]:
        record["ts"] += 100 * 3600000
def unasked(records):
    verdict = last(records, "verdict")["body"]
    del verdict["approval"]
    records.remove(last(records, "approve"))
def one_is_enough(records):
    asked = last(records, "verdict")["body"]["approval"]
    asked["needed"] = asked["policy"]["people"] = 1
    last(records, "approve")["body"]["promoted"] = True
def asked_early(records):
    statement = last(records, "verdict")["body"]["statement"]
    body = {field: statement[field] for field in ("attempt", "candidate", "incumbent")}
    records.append(dict(copy.deepcopy(records[-1]), kind="ask", body=body))
lie("lie-asked-early", "p1", asked_early)
lie("truth", "p1", lambda records: None)
lie("lie-forged", "p1", forged)
lie("lie-twice", "p1", twice, best)
lie("lie-promoted", "p1", set_body("approve", promoted=True), best)
lie("lie-late", "p1", late)
lie("lie-unasked", "p1", unasked)
lie("lie-one", "p1", one_is_enough, best)
lie("lie-in-force", "p1", set_body("verdict", promoted=True), best)
P
verify truth
for lie in lie-*; do
    expect 4 pawl ledger verify --json -C "$lie"
    expect 4 pawl ledger export --json -C "$lie" lie.jsonl
    expect 1 "$python" "$PAWL_SOURCE_DIR/tools/pawl-verify" lie.jsonl
    expect 4 as bob pawl approve --json -C "$lie" "$best" --passphrase-env BOB_SECRET
done

# --- a replayed approval: Ann's word on one promotion is no word on the next ---
cp -r p1 replay
expect 0 as bob pawl reject --json -C replay --passphrase-env BOB_SECRET --reason 'not like this'
check "r['promoted'] is False and r['incumbent'] == '$seed'"
expect 0 pawl show --json -C replay "$best"
check 'r["state"] == "retired"'
unchanged replay 1 as ann pawl approve --json -C replay "$best"
check '"rejected by bob" in r["error"]["message"]'
expect 0 pawl gate --json -C replay "$best" # the stored verdict, and what became of it
check 'r["pending_approval"] is False and "rejected by bob" in r["note"]'
verify replay
unchanged replay 2 pawl gate --json -C replay "$best" --ask-again # a no is a no
check '"was rejected" in r["error"]["message"]'
expect 2 as ann pawl reject -C replay "$best"
unchanged replay 2 as ann pawl reject --json -C replay "$best" --reason ' '

# --- silence rejects: on the clock of tests, on which a record takes a second ---
project silent "{from: L0, expires_hours: 0.001, keys: {ann: $ann}}"
expect 0 pawl improve --json -C silent --seed 1
late=$(field 'r["best"]')
for i in 1 2 3; do
    printf '{"id":"n%s","input":{"question":"Is 9000%s even?"},"target":{"answer":"no"}}\n' $i $i >report.jsonl
    expect 0 pawl eval --json -C silent --cases report.jsonl
done
unchanged silent 1 as ann pawl approve --json -C silent "$late"
check '"silence rejects" in r["error"]["message"] and r["error"]["code"] == "not_promoted"'
expect 0 pawl status --json -C silent
check 'r["pending_approvals"] == []'
expect 0 pawl show --json -C silent "$late"
check 'r["state"] == "retired"'
# The gate's answer stands, and people are asked once more: no attempt, and not before it has expired.
unchanged silent 2 pawl promote --json -C silent "$late" --reason 'in a hurry'
check '"--ask-again" in r["error"]["hint"]'
expect 0 pawl gate --json -C silent "$late"
check '"--ask-again" in r["note"] and r["pending_approval"] is False'
expect 0 pawl certificate --json -C silent "$late"
check 'r["standing"] == "expired"'
expect 0 pawl gate --json -C silent "$late" --ask-again
check 'r["pending_approval"] is True and r["attempt"] == 1 and r["attempts_left"] == 49'
unchanged silent 2 pawl gate --json -C silent "$late" --ask-again
check '"waits still" in r["error"]["message"]'
expect 0 pawl show --json -C silent "$late"
check 'r["state"] == "gated"'
expect 0 pawl certificate --json -C silent "$late"
check 'r["standing"] == "waits"'
expect 0 as ann pawl approve --json -C silent "$late"
check 'r["promoted"] is True'
unchanged silent 2 pawl gate --json -C silent "$late" --ask-again
check '"has all its approvals" in r["error"]["message"]'
expect 0 pawl certificate --json -C silent "$late"
check 'r["standing"] == "in_force"'
verify silent

# --- another incumbent since: what was certified against the old one is no answer any more ---
cp -r p1 stale
other=$(edited stale instruction Answer 'Please answer')
cp plain.yaml stale/pawl.yaml # by hand, where nobody asks
expect 0 pawl promote --json -C stale "$other" --reason 'by hand'
cp policy.yaml stale/pawl.yaml
unchanged stale 1 as bob pawl approve --json -C stale "$best" --passphrase-env BOB_SECRET
check '"was replaced" in r["error"]["message"]'
[ "$(incumbent stale)" = "$other" ] || fail "a stale approval moved the incumbent"
unchanged stale 1 pawl gate --json -C stale "$best" --ask-again
check '"was certified against" in r["error"]["message"] and "one attempt" in r["error"]["hint"]'
expect 0 pawl rollback --json -C stale --reason 'back to what it was certified against'
expect 0 pawl gate --json -C stale "$best" --ask-again
check 'r["pending_approval"] is True and r["attempt"] == 1'
expect 0 as ann pawl approve --json -C stale "$best" # her first word was on the first question
expect 0 as bob pawl approve --json -C stale "$best" --passphrase-env BOB_SECRET
[ "$(incumbent stale)" = "$best" ] || fail "asked again and approved, and it is not in force"
verify stale

# --- code is L3: two people though the policy asks from L2 on and one key is too few ---
mkdir code && cat >code/agent.py <<'A'
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "load" in message: print(json.dumps({"ready": True, "parallel": 1}), flush=True)
    else: print(json.dumps({"id": message["id"], "output": {"answer": "yes"}}), flush=True)
A
careful_model | own_project code 20 40 60
edit code/pawl.yaml 'program: {signature: "question -> answer: yes | no", instruction: answer.md}' \
    "program: {command: [$python, agent.py], components: {agent: agent.py}}"
echo "approval: {keys: {ann: $ann}}" >>code/pawl.yaml
if pawl init --json -C code >"$work/out" 2>"$work/err"; then
    better=$(edited code agent '"answer": "yes"' '"answer": "no"')
    unchanged code 2 pawl gate --json -C code "$better"
    check '"layer L3 needs 2 people" in r["error"]["message"] and "no attempt was spent" in r["error"]["hint"]'
    expect 0 pawl status --json -C code
    check 'r["attempts"] == 0'
fi

# --- two people at the same time: one of them is the last, and it is in force ---
project both "{from: L0, people: 2, keys: {ann: $ann, eve: $eve}}"
expect 0 pawl improve --json -C both --seed 1
both=$(field 'r["best"]') both_seed=$(field 'r["started_from"]')
cp -r both half
XDG_DATA_HOME=$work/people/ann "$PAWL_BIN" approve --json -C both >ann.out 2>&1 &
call=$!
expect 0 as eve pawl approve --json -C both
wait $call || fail "ann's approval: $(cat ann.out)"
[ "$(incumbent both)" = "$both" ] || fail "both approved, and it is not in force"
verify both

# --- killed between approval and flip: there is nothing between them ---
expect 0 as ann pawl approve --json -C half
took() { # the approval's time, in milliseconds
    cp -r half timed
    begun=$(date +%s%N)
    expect 0 as eve pawl approve --json -C timed
    echo $((($(date +%s%N) - begun) / 1000000))
}
took_ms=$(took)
for tenth in 2 5 7 8 9 10 11; do
    rm -rf killed && cp -r half killed
    XDG_DATA_HOME=$work/people/eve "$PAWL_BIN" approve --json -C killed >/dev/null 2>&1 &
    call=$!
    sleep "$($python -c "print($took_ms * $tenth / 10000)")"
    kill -9 $call 2>/dev/null
    wait $call 2>/dev/null
    verify killed
    expect 0 pawl status --json -C killed
    check "(r['incumbent'], len(r['pending_approvals'])) in (('$both_seed', 1), ('$both', 0))"
    [ "$(field 'len(r["pending_approvals"])')" = 0 ] ||
        expect 0 as eve pawl approve --json -C killed
    [ "$(incumbent killed)" = "$both" ] || fail "it cannot be approved after the kill"
done
