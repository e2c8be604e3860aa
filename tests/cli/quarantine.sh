# Evidence of cheating holds a lineage back: the artifact, its ancestors since what was in force, and what
# descends from them. A candidate that has a sealed case's canary in its text is held by itself, and costs no attempt.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=5
# canaries FOLDER: each case has one of its own, in every tier
canaries() { python3 - "$1" <<'P'
import json, sys, uuid
for tier in ("train", "dev", "gate"):
    path = f"{sys.argv[1]}/data/{tier}.jsonl"
    rows = [json.loads(line) for line in open(path)]
    for row in rows:
        row["canary"] = "pawl-canary-" + str(uuid.uuid5(uuid.NAMESPACE_URL, row["id"]))
    open(path, "w").writelines(json.dumps(row) + "\n" for row in rows)
P
}
canary_of() { python3 -c 'import json,sys; print(json.loads(open(sys.argv[1]).readlines()[3])["canary"])' "$1"; }
child_of() { python3 - "$1" <<'P'
import sqlite3, sys
store = sqlite3.connect("p/.pawl/store/pawl.db")
print((store.execute("SELECT artifact FROM candidate WHERE run = ? AND ordinal > 0", (sys.argv[1],)).fetchone() or [""])[0])
P
}
attempts() { expect 0 pawl status --json -C p; field 'r["attempts"]'; }

# --- by a person: nothing of the lineage is offered or put in force until a person lifts it
mkdir p
inventive_model | own_project p 60 40 200
canaries p
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1 --budget evaluations=600
check 'r["verdict"] == "promote"'
best=$(field 'r["best"]')
expect 2 pawl quarantine --json -C p "$best" --reason 'it is in force'
check '"rollback" in r["error"]["hint"]'
expect 0 pawl rollback --json -C p --reason 'it looks wrong'
expect 0 pawl quarantine --json -C p "$best" --reason 'it has the answers'
seed=$(pawl status --json -C p | python3 -c 'import json,sys; print(json.load(sys.stdin)["incumbent"])')
before=$(attempts)
check "r['quarantined'] == ['$best']"
for verb in 'gate' 'promote --reason again' 'rollback --reason again --to'; do
    expect 4 pawl ${verb%% *} --json -C p ${verb#"${verb%% *}"} "$best"
    check '"it has the answers" in r["error"]["message"]'
done
expect 0 pawl show --json -C p "$best"
check 'r["quarantine"]["reason"] == "it has the answers" and r["quarantine"]["evidence"] is None'
expect 0 pawl show -C p "$best"
says 'in quarantine with the lineage of'
expect 0 pawl status -C p
says 'is in quarantine'
# What is in force is not held for its sake, and neither is a text that has another origin.
expect 0 pawl show --json -C p seed
check 'r["quarantine"] is None'
[ "$(attempts)" = "$before" ] || fail "an attempt was spent"

# A child that a run makes of it is held, too. Runs start from what is in force: it is put there, has children, and is
# taken out again.
expect 2 pawl quarantine --json -C p seed --lift --reason 'never held'
expect 0 pawl quarantine --json -C p "$best" --lift --reason 'the answers were those of train'
check 'r["lifted"]'
expect 0 pawl promote --json -C p "$best" --reason 'as it was lifted'
pawl improve --json -C p --seed 2 --budget evaluations=900 >"$work/out" 2>"$work/err"
run=$(field 'r["run"]')
child=$(child_of "$run")
[ -n "$child" ] || fail "the run made no child"
expect 0 pawl rollback --json -C p --to seed --reason 'after all'
expect 0 pawl quarantine --json -C p "$best" --reason 'it has the answers'
before=$(attempts)
expect 4 pawl gate --json -C p "$child"
check '"lineage of" in r["error"]["message"]'
[ "$(attempts)" = "$before" ] || fail "an attempt was spent on a child"
verified p

# Whoever verifies without us refuses a ledger in which it takes force all the same, and takes one in which it was
# lifted before.
chain() { python3 - "$1" "$best" <<'P'
import hashlib, json, sys
records = [json.loads(line) for line in open("verified.jsonl")]
seed, best = records[0]["body"]["seed"], sys.argv[2]
added = [("lift", {"artifact": best, "reason": "sure"})] if sys.argv[1] == "lifted" else []
added.append(("promotion", {"incumbent": best, "previous": seed, "reason": "sure", "gated": False}))
for kind, body in added:
    last = records[-1]
    record = {"actor": "owner", "body": body, "kind": kind, "prev": last["hash"], "seq": last["seq"] + 1, "ts": last["ts"] + 1, "v": 1}
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    records.append(dict(record, hash=hashlib.sha256((last["hash"] + "\n" + text).encode()).hexdigest()))
with open(sys.argv[1] + ".jsonl", "w") as f:
    f.writelines(json.dumps(r, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n" for r in records)
P
}
chain held && chain lifted
expect 0 python3 "$PAWL_SOURCE_DIR/tools/pawl-verify" lifted.jsonl
python3 "$PAWL_SOURCE_DIR/tools/pawl-verify" held.jsonl >"$work/out" 2>"$work/err" && fail "it takes what is held"
says 'it is in quarantine'

# --- by itself: the text holds a canary of a sealed case
leaky() { sed "s/check the number/$1 check the number/"; }
for tier in gate train; do
    rm -rf p "$XDG_DATA_HOME" && mkdir p
    careful_model | own_project p 20 40 100
    canaries p
    careful_model | leaky "$(canary_of p/data/$tier.jsonl)" >p/model.lua
    expect 0 pawl init --json -C p --again
    if [ $tier = train ]; then # what stands in visible cases is no evidence
        pawl improve --json -C p --seed 1 --budget evaluations=400 >"$work/out" 2>"$work/err"
        child=$(child_of "$(field 'r["run"]')")
        pawl gate --json -C p "$child" >"$work/out" 2>"$work/err"
        check 'r["judged"] == "'"$child"'" and r["attempt"] == 1'
        expect 0 pawl status --json -C p
        check 'r["quarantined"] == []'
        continue
    fi
    expect 4 pawl improve --json -C p --seed 1 --budget evaluations=600
    check '"canary" in r["error"]["message"]'
    expect 0 pawl status --json -C p
    check 'r["attempts"] == 0 and len(r["quarantined"]) == 1'
    held=$(field 'r["quarantined"][0]')
    expect 0 pawl show --json -C p "$held"
    check 'r["quarantine"]["evidence"] == "canary"'
    # Lifting it does not make it clean: it is held again.
    expect 0 pawl quarantine --json -C p "$held" --lift --reason 'a mistake'
    expect 4 pawl gate --json -C p "$held"
    expect 0 pawl status --json -C p
    check 'r["attempts"] == 0 and len(r["quarantined"]) == 1'
    verified p
done

# --- while a person types a passphrase: what is held meanwhile is not approved, and can be when it is lifted
export ANN_SECRET='ann keeps her word'
expect 0 pawl key make ann --json --passphrase-env ANN_SECRET
ann=$(field 'r["public_key"]')
mkdir race
careful_model | own_project race 20 40 100
echo "approval: {from: L0, keys: {ann: $ann}}" >>race/pawl.yaml
expect 0 pawl init --json -C race
expect 0 pawl improve --json -C race --seed 1 --budget evaluations=600
best=$(field 'r["best"]')
seed=$(pawl status --json -C race | python3 -c 'import json,sys; print(json.load(sys.stdin)["incumbent"])')
[ "$best" != "$seed" ] || fail "nothing waits"
python3 - "$best" <<'P' || fail "the passphrase was not asked for, or the quarantine overlooked"
import os, pty, select, subprocess, sys, time
pawl, end = os.environ["PAWL_BIN"], time.monotonic() + 30
pid, fd = pty.fork()
if pid == 0: os.execv(pawl, ["pawl", "approve", "-C", "race"])
seen = b""
while b"Passphrase" not in seen:
    assert time.monotonic() < end and select.select([fd], [], [], 10)[0], seen
    seen += os.read(fd, 4096)
subprocess.run([pawl, "quarantine", sys.argv[1], "--reason", "found meanwhile", "-C", "race"], check=True, stdout=subprocess.DEVNULL)
os.write(fd, os.environ["ANN_SECRET"].encode() + b"\n")
while True:
    try: piece = os.read(fd, 4096)
    except OSError: break
    if not piece: break
    seen += piece
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4 and b"found meanwhile" in seen, seen
P
expect 0 pawl status --json -C race
check "r['incumbent'] == '$seed'"
verified race
expect 0 pawl quarantine --json -C race "$best" --lift --reason 'looked into'
expect 0 pawl approve --json -C race --passphrase-env ANN_SECRET
check "r['incumbent'] == '$best'"
# --- a canary that operators see anyway is refused before anything is sealed
rm -rf p "$XDG_DATA_HOME" && mkdir p
careful_model | own_project p 20 40 100
canaries p
canary=$(canary_of p/data/gate.jsonl)
refuse_init() { expect 2 pawl init --json -C p && check "\"$1\" in r['error']['message']" && [ ! -e p/.pawl/store ] || fail "sealed all the same"; }
cp p/data/train.jsonl kept
echo "{\"id\": \"q77\", \"input\": {\"question\": \"Is 77 even? $canary\"}, \"target\": {\"answer\": \"no\"}}" >>p/data/train.jsonl
refuse_init 'the train case \"q77\"'
expect 2 pawl validate --json -C p
mv kept p/data/train.jsonl
printf 'Answer the question. %s\n' "$canary" >p/answer.md
refuse_init "the program's texts"
printf 'Answer the question.\n' >p/answer.md
cp p/data/gate.jsonl kept
echo '{"id": "q78", "input": {"question": "Is 78 even?"}, "target": {"answer": "yes"}, "canary": "short"}' >>p/data/gate.jsonl
refuse_init 'none that could be looked for'
mv kept p/data/gate.jsonl
expect 0 pawl init --json -C p
echo "{\"id\": \"q79\", \"input\": {\"question\": \"Is 79 even?\"}, \"target\": {\"answer\": \"no\"}, \"metadata\": {\"note\": \"$canary\"}}" >more.jsonl
pawl data add more.jsonl --json -C p >"$work/out" 2>"$work/err" # whatever tier it comes to
check "'error' in r and 'which operators see' in r['error']['message'] or r['tiers']['gate'] == 101"

# --- by itself: a run that made it was told one; neither its text nor any other holds it
rm -rf p "$XDG_DATA_HOME" && mkdir p
careful_model | own_project p 20 40 100
canaries p
canary=$(canary_of p/data/gate.jsonl)
edit p/model.lua 'return "```' "return \"I know of $canary.\\n\`\`\`"
expect 0 pawl init --json -C p
expect 4 pawl improve --json -C p --seed 1 --budget evaluations=600
check '"journal of its run" in r["error"]["message"]'
expect 0 pawl status --json -C p
check 'r["attempts"] == 0 and len(r["quarantined"]) == 1'
held=$(field 'r["quarantined"][0]')
expect 0 pawl show --json -C p "$held"
check 'r["quarantine"]["evidence"] == "canary" and "'"$canary"'" not in str(r)'
verified p
