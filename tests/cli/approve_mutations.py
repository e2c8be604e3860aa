"""Alter what people signed, and what they were asked, in every way that we could think of; tools/pawl-verify
must object.

    approve_mutations.py VERIFIER LEDGER

The ledger holds one promotion that two people approved, and moves by hand after it. The liar can write the
whole ledger: he puts keys of his own into the policy, signs every word again and chains the records. Without
any other change that must be accepted, or a rejection would say nothing; what is left to catch him is the
sense of it (and --root, which he cannot know to please).
"""
import contextlib
import copy
import hashlib
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pawl_verify", sys.argv[1])
V = importlib.util.module_from_spec(importlib.util.spec_from_loader("pawl_verify", loader))
loader.exec_module(V)
RECORDS = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
KINDS = [record["kind"] for record in RECORDS]
VERDICT, FIRST, LAST = KINDS.index("verdict"), KINDS.index("approve"), KINDS.index("approve") + 1
assert KINDS[LAST] == "approve" and KINDS.count("approve") == 2 and LAST + 1 < len(KINDS)


class Person:
    def __init__(self, seed):
        half = hashlib.sha512(seed).digest()
        self.number, self.prefix = int.from_bytes(half[:32], "little") & (1 << 254) - 8 | 1 << 254, half[32:]
        self.public = V.encode(V.times(self.number, V.BASE)).hex()

    def sign(self, message):
        r = int.from_bytes(hashlib.sha512(self.prefix + message).digest(), "little") % V.ORDER
        big_r = V.encode(V.times(r, V.BASE))
        k = int.from_bytes(hashlib.sha512(big_r + bytes.fromhex(self.public) + message).digest(), "little") % V.ORDER
        return (big_r + ((r + k * self.number) % V.ORDER).to_bytes(32, "little")).hex()


ANN, BOB, EVE = (Person(bytes([n] * 32)) for n in (1, 2, 3))


def verify(records):
    """(exit code, what was said) of the records, chained."""
    prev, lines = "0" * 64, []
    for seq, record in enumerate(records):
        record = dict(record, seq=seq, prev=prev)
        record.pop("hash", None)
        prev = hashlib.sha256(prev.encode() + b"\n" + V.canonical_bytes(record)).hexdigest()
        lines.append(V.canonical(dict(record, hash=prev)) + "\n")
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ledger")
        open(path, "w", encoding="utf-8").write("".join(lines))
        sys.argv = ["pawl-verify", path]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return V.main(), said.getvalue()


def say(records, i, person, **change):
    """Record i is this person's word on what the verdict asks now, changed and signed."""
    asked, body = records[VERDICT]["body"], records[i]["body"]
    policy = asked["approval"]["policy"]
    statement = dict(body["statement"], public_key=person.public,
                     policy=hashlib.sha256(V.canonical_bytes(policy)).hexdigest(),
                     until_ms=records[VERDICT]["ts"] + int(policy["expires_hours"] * 3600000))
    statement.update(change)
    statement = {field: value for field, value in statement.items() if value is not None}
    body.update(statement=statement, signature=person.sign(V.canonical_bytes(statement)))


def forged(ask=lambda approval: None, words=lambda records: None):
    """The liar's ledger: `ask` changes what was asked before he signs, `words` what was said after it."""
    records = copy.deepcopy(RECORDS)
    approval = records[VERDICT]["body"]["approval"]
    approval["policy"]["keys"] = {"ann": ANN.public, "bob": BOB.public}
    ask(approval)
    say(records, FIRST, ANN)
    say(records, LAST, BOB)
    words(records)
    return records


MUTATIONS = []


def lie(name, **how):
    MUTATIONS.append((name, forged(**how)))


for field, value in (("attempt", 2), ("candidate", "ab" * 32), ("incumbent", "ab" * 32), ("evidence_root", "ab" * 32),
                     ("policy", "ab" * 32), ("until_ms", 1), ("kind", "reject"), ("schema", 2), ("reason", None),
                     ("reason", 1), ("note", "trust me"), ("public_key", ANN.public)):
    lie(f"an approval whose {field} is {value}",
        words=lambda records, f=field, v=value: say(records, LAST, BOB, **{f: v}))
lie("an approval by somebody unnamed", words=lambda records: say(records, LAST, EVE))
lie("one person twice", words=lambda records: say(records, LAST, ANN))
lie("another one's signature", words=lambda records: records[LAST]["body"].update(signature=records[FIRST]["body"]["signature"]))
lie("a word changed after it was signed", words=lambda records: records[FIRST]["body"]["statement"].update(reason="another"))
lie("the first of two in force", words=lambda records: records[FIRST]["body"].update(promoted=True))
lie("the last of two not in force", words=lambda records: records[LAST]["body"].update(promoted=False))
lie("an approval with a field more", words=lambda records: records[LAST]["body"].update(note="trust me"))
lie("an approval left out", words=lambda records: records.pop(FIRST))
lie("an approval before the verdict", words=lambda records: records.insert(VERDICT, records.pop(FIRST)))
lie("an approval again", words=lambda records: records.insert(LAST + 1, copy.deepcopy(records[LAST])))


def moved(records):
    was = records[VERDICT]["body"]["statement"]["incumbent"]
    move = copy.deepcopy(next(record for record in records if record["kind"] == "promotion"))
    move["body"].update(previous=was, incumbent="ab" * 32)
    records.insert(LAST, move)


def late(records):
    for record in records[LAST:]:
        record["ts"] += 100 * 3600000


def rejected(records):
    records.insert(LAST, copy.deepcopy(records[LAST]))
    records[LAST].update(kind="reject")
    say(records, LAST, BOB, kind="reject", reason="no")
    records[LAST]["body"].update(promoted=False)


def unreasoned(records):
    records[LAST].update(kind="reject")
    say(records, LAST, BOB, kind="reject", reason="")
    records[LAST]["body"].update(promoted=False)
    del records[LAST + 1:]


lie("an approval after the incumbent moved", words=moved)
lie("an approval after its time", words=late)
lie("an approval after a rejection", words=rejected)
lie("a rejection without a reason", words=unreasoned)
lie("a promotion in force before its approvals", words=lambda records: records[VERDICT]["body"].update(promoted=True))
lie("nobody was asked", words=lambda records: records[VERDICT]["body"].pop("approval"))
for field, value in (("needed", 1), ("needed", 3), ("layer", "L4"), ("layer", "none"), ("changes", ["code"]),
                     ("changes", ["hope"]), ("note", "trust me")):
    lie(f"a question whose {field} is {value}", ask=lambda approval, f=field, v=value: approval.update({f: v}))
for field, value in (("people", 1), ("people", True), ("from", "L1"), ("from", "L9"), ("expires_hours", 0),
                     ("expires_hours", 1e9), ("keys", {"ann": ANN.public}), ("keys", {"ann": ANN.public, "bob": "bob"}),
                     ("keys", {"ann": ANN.public, "ann2": ANN.public, "bob": BOB.public}), ("note", "trust me")):
    lie(f"a policy whose {field} is {value}", ask=lambda approval, f=field, v=value: approval["policy"].update({f: v}))

for name, records in (("the ledger", RECORDS), ("the liar's", forged())):
    code, said = verify(records)
    assert code == 0, f"{name}: rejected without a change: {said}"
passed = []
for name, records in MUTATIONS:
    code, said = verify(records)
    if os.environ.get("SHOW"):
        print(f"{name:60.60} {said.strip().splitlines()[-1]}")
    if code != 1 or "rejected" not in said:
        passed.append(f"{name}: exit {code}: {said}")
assert not passed, f"accepted: {passed}"
print(f"{len(MUTATIONS)} mutations, each rejected")
