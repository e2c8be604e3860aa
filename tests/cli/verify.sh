# tools/pawl-verify, which shares no code with the engine, accepts what the engine writes under each look,
# unit and policy, recomputes the verdicts, and rejects every one of many alterations.
. "$(dirname "$0")/lib.sh"
root=${PAWL_SOURCE_DIR:?PAWL_SOURCE_DIR names the source}
export PAWL_TEST_SEED=4
python=$(real_python)
accepts() { # accepts PROJECT WORD CERTIFICATE...: with the root and the key that the project itself tells
    expect 0 pawl ledger export --json -C "$1" "$1.jsonl"
    tip=$(field 'r["root"]') folder=$1 word=$2
    shift 2
    key=$($python -c 'import json,sys; print(json.loads(open(sys.argv[1]).readline())["body"]["public_key"])' "$folder.jsonl")
    expect 0 "$python" "$root/tools/pawl-verify" "$folder.jsonl" "$@" --root "$tip" --key "$key"
    for certificate; do grep -q "^$certificate: $word" "$work/out" || fail "$certificate is not $word"; done
}

# One planned look, single cases: promoted, not promoted, rolled back, put back by hand, cases added,
# a clean report set, the audit.
inventive_model | own_project p 20 40 300
expect 0 pawl init --json -C p
accepts p -
expect 0 pawl improve --json -C p --seed 1
best=$(field 'r["best"]')
first=$best
expect 1 pawl gate --json -C p seed
expect 0 pawl rollback --json -C p --reason 'a test'
expect 0 pawl promote --json -C p "$best" --reason 'a test'
printf '{"id":"n1","input":{"question":"Is 90000 even?"},"target":{"answer":"yes"}}\n' >more.jsonl
printf '{"id":"n2","input":{"question":"Is 90001 even?"},"target":{"answer":"no"}}\n' >report.jsonl
expect 0 pawl data add --json -C p more.jsonl
expect 0 pawl eval --json -C p --cases report.jsonl
expect 0 pawl certificate --json -C p "$best"
cp "$work/out" sealed.json
accepts p committed sealed.json
expect 0 pawl certificate --json -C p "$best" --html sealed.html
accepts p committed sealed.html
expect 0 pawl certificate --json -C p "$best" --audit --html open.html
cp "$work/out" open.json
accepts p recomputed open.json open.html

# Verdicts as others read them: of a promotion and of a no, from the file and from the command's own object.
for format in intoto slsa; do
    expect 0 pawl export $format "$best" $format.json --json -C p
    check 'r["verdict"] == "promote" and r["attempt"] == 1'
    expect 0 pawl export $format seed --json -C p
    check 'r["verdict"] == "no" and r["attempt"] == 2 and r["file"] is None'
    cp "$work/out" $format.no.json
    accepts p 'attested, promote' $format.json
    accepts p 'attested, no' $format.no.json
done
expect 2 pawl export spdx "$best" --json -C p
expect 2 pawl export slsa "$best" p/pawl.yaml --json -C p
$python - <<'P' || fail "the exports are not what their specifications ask for"
import base64, json
for name, kind, result in (("intoto.json", "https://in-toto.io/attestation/test-result/v0.1", "PASSED"),
                           ("slsa.json", "https://slsa.dev/verification_summary/v1", "PASSED"),
                           ("slsa.no.json", "https://slsa.dev/verification_summary/v1", "FAILED")):
    envelope = json.load(open(name))
    envelope = envelope.get("envelope", envelope)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    predicate = statement["predicate"]
    assert statement["_type"] == "https://in-toto.io/Statement/v1" and statement["predicateType"] == kind
    assert all(len(subject["digest"]["sha256"]) == 64 for subject in statement["subject"])
    if "verificationResult" in predicate:
        assert predicate["verificationResult"] == result and len(predicate["verifiedLevels"]) == 1
        assert predicate["verifier"]["id"] and predicate["timeVerified"].endswith("Z") and predicate["resourceUri"]
        assert predicate["policy"]["uri"] and all(a["digest"] for a in predicate["inputAttestations"])
        assert not any(level.startswith("SLSA_") for level in predicate["verifiedLevels"])
    else:
        assert predicate["result"] == result and all(c["digest"] for c in predicate["configuration"])
P

# The other looks and policies, over several attempts; clusters of three make a grid.
several_attempts() { # several_attempts NAME POLICY LOOK [clusters]
    inventive_model | own_project "$1" 40 60 600
    printf 'gate: {policy: %s, look: %s}\n' "$2" "$3" >>"$1/pawl.yaml"
    [ $# -lt 4 ] || $python - "$1" <<'P'
import json, sys
path = sys.argv[1] + "/data/gate.jsonl"
rows = [json.loads(line) for line in open(path)]
open(path, "w").writelines(json.dumps(dict(row, cluster=f"c{i // 3 if i < 300 else i}")) + "\n" for i, row in enumerate(rows))
P
    expect 0 pawl init --json -C "$1"
    expect 0 pawl improve --json -C "$1" --seed 1
    check 'r["verdict"] == "promote"'
    best=$(field 'r["best"]')
    expect 1 pawl gate --json -C "$1" seed
    expect 0 pawl rollback --json -C "$1" --reason 'to ask again'
    pawl improve --json -C "$1" --seed 2 >"$work/out" 2>"$work/err"
    expect 0 pawl certificate --json -C "$1" --audit "$best"
    cp "$work/out" "$1.json"
    accepts "$1" recomputed "$1.json"
}
audited() { # audited NAME POLICY LOOK [clusters]
    several_attempts "$@"
    expect 0 pawl certificate --json -C "$1" --audit "$best"
    cp "$work/out" "$1.json"
    accepts "$1" recomputed "$1.json"
}
audited s strict sequential
audited e e-lond sequential clusters
audited f per-decision fixed clusters
$python - <<'P' || fail "the projects do not cover what they should"
import json
units = {(r["look"], r["unit"], r["policy"]) for r in map(json.load, map(open, ("open.json", "s.json", "e.json", "f.json")))}
assert units == {("fixed", "sign", "spending"), ("sequential", "sign", "strict"), ("sequential", "grid", "e-lond"),
                 ("fixed", "grid", "per-decision")}, units
P

# A checkpoint, and a proof under it for each record.
tool="$python $root/tools/pawl-verify"
n=$(wc -l <p.jsonl)
for i in $(seq 0 $((n - 1))); do
    expect 0 pawl ledger prove "$i" --json -C p
    mv "$work/out" "proof.$i"
done
expect 2 pawl ledger prove "$n" --json -C p
expect 2 pawl ledger prove first --json -C p
expect 0 pawl ledger checkpoint note.txt --json -C p
cp note.txt first-note.txt
accepts p recomputed open.json
for i in $(seq 0 $((n - 1))); do
    expect 0 $tool --proof "proof.$i" --checkpoint note.txt --key "$key"
    says "record $i"
done
expect 2 $tool --proof proof.0
$python - <<'P'
import json
proof = json.load(open("proof.3"))["proof"]
def write(name, **change):
    json.dump({"proof": dict(proof, **change)}, open("lie." + name, "w"))
write("record", record=dict(proof["record"], actor="me"))
write("seq", seq=2)
write("size", size=proof["size"] - 1)
write("path", path=proof["path"][::-1])
write("short", path=proof["path"][:-1])
write("long", path=proof["path"] + proof["path"][:1])
note = open("note.txt").read()
open("lie.note", "w").write(note.replace("\n%d\n" % proof["size"], "\n%d\n" % (proof["size"] - 1)))
P
for lie in record seq size path short long; do
    expect 1 $tool --proof lie.$lie --checkpoint note.txt --key "$key"
    says rejected
done
expect 1 $tool p.jsonl --checkpoint lie.note
says 'signature of the note'
# What was signed cannot be cut off or replaced: neither in the file nor in the store.
head -n $((n - 1)) p.jsonl >cut.jsonl
expect 0 $tool cut.jsonl
expect 1 $tool cut.jsonl --checkpoint note.txt
says "the vault signed $n records"
cp -a p/.pawl/store store-signed
$python -c 'import sqlite3,sys; db = sqlite3.connect("p/.pawl/store/pawl.db"); db.execute("delete from ledger where seq = ?", sys.argv[1:]); db.commit()' $((n - 1))
expect 0 pawl ledger verify --json -C p
expect 4 pawl ledger checkpoint --json -C p
expect 0 pawl rollback --json -C p --reason 'another end'
expect 4 pawl ledger checkpoint --json -C p
rm -rf p/.pawl/store && mv store-signed p/.pawl/store
# Later records go on top of it.
expect 0 pawl rollback --json -C p --reason 'after the checkpoint'
accepts p recomputed open.json
expect 0 $tool p.jsonl --checkpoint note.txt
says "the first $n records"
expect 0 pawl ledger consistency "$n" --json -C p
cp "$work/out" grown.json
expect 0 pawl ledger checkpoint note.txt --json -C p
expect 0 $tool --consistency grown.json --since first-note.txt --checkpoint note.txt --key "$key"
says "the ledger of $((n + 1)) records begins with the one of $n"
expect 1 $tool --consistency grown.json --since note.txt --checkpoint first-note.txt --key "$key"
expect 2 $tool --consistency grown.json --checkpoint note.txt --key "$key"
for wrong in 0 $((n + 2)) first; do expect 2 pawl ledger consistency $wrong --json -C p; done

# A rotation opens the audited set for good; the fresh one is asked from the first level on.
$python - <<'P'
import json
with open("fresh.jsonl", "w") as f:
    for i in range(95000, 95120):
        f.write(json.dumps({"id": f"q{i}", "input": {"question": f"Is {i} even?"}, "target": {"answer": "no" if i % 2 else "yes"}}) + "\n")
P
expect 0 pawl rotate --json -C p --data fresh.jsonl --reason 'a test of what comes after'
accepts p recomputed open.json
says 'epoch 2'
expect 0 pawl gate --json -C p "$first"
accepts p recomputed open.json
expect 0 pawl certificate --json -C p "$first"
cp "$work/out" anew.json
accepts p committed anew.json

# What a damaged store exports is rejected as well.
sed '3s/"verdict":"promote"/"verdict":"no"/' p.jsonl >damaged.jsonl
expect 1 "$python" "$root/tools/pawl-verify" damaged.jsonl
says 'rejected: record 2'
expect 2 "$python" "$root/tools/pawl-verify" no-such-file

accepts p recomputed open.html
accepts p attested intoto.json slsa.json
$python "$root/tests/cli/verify_mutations.py" "$root/tools/pawl-verify" p.jsonl open.json open.html intoto.json slsa.json \
    first-note.txt note.txt grown.json >"$work/out" 2>"$work/err" ||
    fail "a mutation was accepted"
says 'mutations, each rejected'

# Its own instruments against published values: RFC 8032 7.1, RFC 8785 appendix B, the trees of RFC 6962,
# and the exact fractions of the sign mixture.
$python - "$root/tools/pawl-verify" <<'P' || fail "the verifier's own instruments are wrong"
import importlib.machinery, importlib.util, struct, sys
from fractions import Fraction
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pawl_verify", sys.argv[1])
V = importlib.util.module_from_spec(importlib.util.spec_from_loader("pawl_verify", loader))
loader.exec_module(V)
hexed = bytes.fromhex
for key, message, signature in (
        ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")):
    assert V.signature_holds(hexed(key), hexed(message), hexed(signature))
    assert not V.signature_holds(hexed(key), hexed(message) + b"!", hexed(signature))
    beyond = (int.from_bytes(hexed(signature)[32:], "little") + V.ORDER).to_bytes(32, "little")
    assert not V.signature_holds(hexed(key), hexed(message), hexed(signature)[:32] + beyond)
for bits, text in (("0000000000000000", "0"), ("8000000000000000", "0"), ("0000000000000001", "5e-324"),
                   ("7fefffffffffffff", "1.7976931348623157e+308"), ("4340000000000000", "9007199254740992"),
                   ("4430000000000000", "295147905179352830000"), ("44b52d02c7e14af5", "9.999999999999997e+22"),
                   ("44b52d02c7e14af6", "1e+23"), ("444b1ae4d6e2ef4f", "999999999999999900000"), ("444b1ae4d6e2ef50", "1e+21"),
                   ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"), ("3eb0c6f7a0b5ed8d", "0.000001"),
                   ("41b3de4355555553", "333333333.3333332"), ("becbf647612f3696", "-0.0000033333333333333333")):
    assert V.number_text(struct.unpack(">d", hexed(bits))[0]) == text, text
assert V.canonical({"\u20ac": 1, "\r": "\x0f\n", "\ufb33": [None, True], "\U0001f600": {}}) == \
    '{"\\r":"\\u000f\\n","\u20ac":1,"\U0001f600":{},"\ufb33":[null,true]}'
leaves = [hexed(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]
assert V.merkle_root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
assert V.merkle_root(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
tree = V.Tree(range(1, 9))
for leaf in leaves:
    tree.add(leaf)
assert [tree.roots[n] for n in range(1, 9)] == [V.merkle_root(leaves[:n]) for n in range(1, 9)]
# Consistency proofs by the recursive definition (RFC 6962 2.1.2) give both roots; with a node changed, left out or
# added they do not.
def subproof(m, items, known):
    n = len(items)
    if m == n:
        return [] if known else [V.merkle_root(items)]
    k = 1 << (n - 1).bit_length() - 1
    if m <= k:
        return subproof(m, items[:k], known) + [V.merkle_root(items[k:])]
    return subproof(m - k, items[k:], False) + [V.merkle_root(items[:k])]
def proves(m, n, path):
    try:
        return V.roots_by_path(V.merkle_root(many[:m]), m, n, path) == (V.merkle_root(many[:m]), V.merkle_root(many[:n]))
    except V.Rejected:
        return False
many = [bytes([i]) for i in range(40)]
for n in range(1, 41):
    for m in range(1, n + 1):
        path = subproof(m, many[:n], True)
        assert proves(m, n, path), (m, n)
        for i in range(len(path)):
            assert not proves(m, n, path[:i] + [V.sha256(path[i])] + path[i + 1:])
            assert not proves(m, n, path[:i] + path[i + 1:])
        assert not proves(m, n, path + [V.merkle_root(many)])
for outcomes, e in (("", 1), ("w", Fraction(3, 2)), ("l", Fraction(1, 2)), ("wwwwww", Fraction(127, 7)),
                    ("wwwwwww", Fraction(255, 8)), ("wlw", Fraction(11, 12)), ("lww", Fraction(11, 12))):
    mixture = V.SignMixture()
    for outcome in outcomes:
        mixture.step(outcome == "w")
    assert Fraction(*mixture.ratio()) == e, outcomes
    assert mixture.reaches(1 / float(e) * 1.001) and not mixture.reaches(1 / float(e) * 0.999)
P
