"""Alter a ledger and a certificate in every way that we could think of; tools/pawl-verify must object.

    verify_mutations.py VERIFIER LEDGER CERTIFICATE PAGE INTOTO SLSA EARLIER_NOTE NOTE CONSISTENCY

The ledger holds: two attempts (1 promoted, 2 not), a rollback and a promotion by hand after them, the audit
of attempt 1, whose open certificate is the other file (as JSON and as a page), a rotation, and attempt 3 on the
fresh set. The exported verdicts are of attempt 1; the two checkpoints lie within the ledger, and the last file
is the proof that one grew out of the other. Kinds of liar:

    raw      changes bytes and leaves the hashes as they are
    chained  makes the chain good again after the change; sees his signature fail, or is caught by --root
    forger   has a key of his own, puts it into the seal, signs and chains everything again: what is
             left to catch him is the sense of it
    paper    changes the certificate; "forged paper" re-signs the statement for the evidence he made
    page     changes the certificate's page
    export   changes an exported verdict; "forged export" signs it himself, with a ledger of his own
    growth   changes a consistency proof, or what it is held against

Without any change all must be accepted, or a rejection would say nothing.
"""
import base64
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
LINES = open(sys.argv[2], encoding="utf-8").read().splitlines()
RECORDS = [json.loads(line) for line in LINES]
CERTIFICATE = json.load(open(sys.argv[3], encoding="utf-8"))
PAGE, *EXPORTS, EARLIER, NOTE, GROWN = [open(path, encoding="utf-8").read() for path in sys.argv[4:10]]
EXPORTS = dict(zip(("intoto", "slsa"), map(json.loads, EXPORTS)))
GROWN = json.loads(GROWN)
ROOT, KEY = RECORDS[-1]["hash"], RECORDS[0]["body"]["public_key"]
KINDS = [record["kind"] for record in RECORDS]
PROMOTED, REFUSED, FRESH = [i for i, kind in enumerate(KINDS) if kind == "verdict"]
ROLLBACK, PROMOTION, AUDIT, DATA, RUN, END, ROTATE = map(
    KINDS.index, ("rollback", "promotion", "audit", "data", "run", "end", "rotate"))
SEED = hashlib.sha256(b"a forger").digest()


class File(str):
    """An argument that is the text of a file."""


def call(*arguments):
    """(exit code, what was said)"""
    said, folder = io.StringIO(), tempfile.mkdtemp()
    sys.argv = ["pawl-verify"]
    for i, argument in enumerate(arguments):
        if isinstance(argument, File):
            path = os.path.join(folder, str(i))
            open(path, "w", encoding="utf-8", newline="").write(argument)
            argument = path
        sys.argv.append(argument)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = V.main()
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
    return code, said.getvalue()


def verify(lines, certificate=None, *more):
    """With a certificate, page or exported verdict: a text, or what is one as JSON."""
    text = "".join(line + "\n" for line in lines) if isinstance(lines, list) else lines
    shown = [] if certificate is None else [File(certificate if isinstance(certificate, str) else json.dumps(certificate))]
    return call(File(text), *shown, *more)


def grown(proof, since, note, key):
    return call("--consistency", File(json.dumps(proof)), "--since", File(since), "--checkpoint", File(note), "--key", key)


def scalar(data):
    half = hashlib.sha512(SEED).digest()
    number = int.from_bytes(half[:32], "little") & (1 << 254) - 8 | 1 << 254
    return number, half[32:]


def sign(message):
    a, prefix = scalar(SEED)
    public = V.encode(V.times(a, V.BASE))
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % V.ORDER
    big_r = V.encode(V.times(r, V.BASE))
    k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % V.ORDER
    return (big_r + ((r + k * a) % V.ORDER).to_bytes(32, "little")).hex()


PUBLIC = V.encode(V.times(scalar(SEED)[0], V.BASE)).hex()


def chain(records):
    lines, root = [], "0" * 64
    for seq, record in enumerate(records):
        record = {k: v for k, v in record.items() if k != "hash"}
        record["prev"], record["seq"] = root, seq
        root = hashlib.sha256((root + "\n" + V.canonical(record)).encode()).hexdigest()
        lines.append(V.canonical(dict(record, hash=root)))
    return lines


def forge(records):
    records = copy.deepcopy(records)
    for record in records:
        body = record["body"]
        if record["kind"] == "seal":
            body["public_key"] = PUBLIC
        if record["kind"] in ("verdict", "rotate"):
            body["statement"]["public_key"] = PUBLIC
            body["signature"] = sign(V.canonical_bytes(body["statement"]))
    return chain(records)


def changed(records, change):
    records = copy.deepcopy(records)
    change(records)
    return records


def put(i, path, value):
    """A change: the member `path` of record i becomes value (or what value makes of it)."""
    def change(records):
        *way, last = path.split(".")
        place = records[i]
        for step in way:
            place = place[step]
        place[last] = value(place[last]) if callable(value) else value
    return change


def certificate_of(lines, certificate):
    """The certificate that goes with a forged ledger."""
    body = json.loads(lines[PROMOTED])["body"]
    return dict(certificate, **body["statement"], signature=body["signature"])


def other_digit(text):
    return ("1" if text[0] == "0" else "0") + text[1:]


def bump(number):
    return number + 1


MUTATIONS = []  # (name, arguments of verify)


def raw(name, lines, *more):
    MUTATIONS.append(("raw: " + name, (lines, None, *more)))


def page(name, change):
    """`change` gives the data of the page, or alters them."""
    data = page_data(PAGE)
    data = change(data) or data
    MUTATIONS.append(("page: " + name, (LINES, page_with(data))))


def page_data(text):
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def page_with(data):
    head, rest = PAGE.split('id="data">')
    return head + 'id="data">' + json.dumps(data).replace("<", "\\u003c") + "</script>" + rest.split("</script>", 1)[1]


def export(name, kind, change, lines=LINES, *more):
    envelope = copy.deepcopy(EXPORTS[kind])
    envelope = change(envelope) or envelope
    MUTATIONS.append((f"export: {name} ({kind})", (lines, envelope, *more)))


def payload_of(envelope):
    return json.loads(base64.b64decode(envelope["payload"]))


def payload(change):
    """The payload altered and left under its signature."""
    def alter(envelope):
        told = payload_of(envelope)
        change(told)
        envelope["payload"] = base64.b64encode(V.canonical_bytes(told)).decode()
    return alter


def sealed_envelope(data, signed=None):
    """An envelope of the forger's."""
    kind = V.INTOTO_TYPE
    encoded = signed or b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(data), data)
    return {"payload": base64.b64encode(data).decode(), "payloadType": kind,
            "signatures": [{"keyid": PUBLIC, "sig": base64.b64encode(bytes.fromhex(sign(encoded))).decode()}]}


def forged_export(name, kind, change, *more):
    """He signs another payload; his ledger is in order."""
    lines = forge(RECORDS)
    statement = json.loads(lines[PROMOTED])["body"]["statement"]
    told = json.loads(V.payload_of(statement, payload_of(EXPORTS[kind])["predicateType"]))
    change(told)
    MUTATIONS.append((f"forged export: {name} ({kind})", (lines, sealed_envelope(V.canonical_bytes(told)), *more)))


def growth(name, change=lambda proof: None, since=EARLIER, note=NOTE, key=KEY):
    proof = copy.deepcopy(GROWN)
    change(proof["consistency"])
    MUTATIONS.append(("growth: " + name, (proof, since, note, key)))


def chained(name, change, *more):
    MUTATIONS.append(("chained: " + name, (chain(changed(RECORDS, change)), None, *more)))


def forger(name, change, *more):
    MUTATIONS.append(("forger: " + name, (forge(changed(RECORDS, change)), None, *more)))


def paper(name, change):
    certificate = copy.deepcopy(CERTIFICATE)
    change(certificate)
    MUTATIONS.append(("paper: " + name, (LINES, certificate)))


def forged_paper(name, change):
    """The evidence is altered; the statement commits to the altered one, signed by the forger."""
    certificate = copy.deepcopy(CERTIFICATE)
    statement = {field: certificate[field] for field in V.STATEMENT}
    opened = certificate["evidence"][0]
    change(statement, opened, certificate["sealed"])
    salted = bytes.fromhex(opened["salt"]) + V.canonical_bytes(opened["evidence"])
    statement["evidence_root"] = hashlib.sha256(salted).hexdigest()
    lines = forge(changed(RECORDS, put(PROMOTED, "body.statement", statement)))
    MUTATIONS.append(("forged paper: " + name, (lines, certificate_of(lines, certificate))))


# --- raw ---------------------------------------------------------------------------------------------------

for field, value in (("actor", "me"), ("kind", "run"), ("ts", bump), ("v", 2), ("seq", bump),
                     ("prev", other_digit), ("hash", other_digit)):
    records = changed(RECORDS, put(ROLLBACK, field, value))
    raw(f"the {field} of a record", [V.canonical(record) for record in records])
raw("the reason of a rollback", [line.replace("a test", "a jest") for line in LINES])
raw("the last record's body", LINES[:-1] + [LINES[-1].replace('"body":{', '"body":{"also":1,')])
raw("a record taken out", LINES[:ROLLBACK] + LINES[ROLLBACK + 1:])
raw("the first record taken out", LINES[1:])
raw("the last record cut off, its hash known", LINES[:-1], "--root", ROOT)
raw("two records swapped", LINES[:ROLLBACK] + [LINES[PROMOTION], LINES[ROLLBACK]] + LINES[PROMOTION + 1:])
raw("a record twice", LINES[:ROLLBACK + 1] + LINES[ROLLBACK:])
raw("half of the last line", "\n".join(LINES)[:-40])
raw("no newline at the end", "\n".join(LINES))
raw("white space", [LINES[0].replace(",", ", ", 1)] + LINES[1:])
raw("a number spelled otherwise", [LINES[0].replace('"v":1}', '"v":1.0}')] + LINES[1:])
raw("a key twice", [LINES[0][:-1] + ',"v":1}'] + LINES[1:])
raw("an escape where none is needed", [LINES[0].replace('"seal"', '"\\u0073eal"')] + LINES[1:])
raw("a lone surrogate", [line.replace("a test", "\\ud800") for line in LINES])
raw("nothing at all", [])

# --- chained -------------------------------------------------------------------------------------------------

for field, value in (("verdict", "promote"), ("level", 0.04), ("alpha", 0.1), ("attempt", 3), ("candidate", other_digit),
                     ("evidence_root", other_digit), ("guarantee", "It is always right."), ("custody", "perfect"),
                     ("models", {}), ("released_ms", bump)):
    chained(f"the {field} of a statement", put(REFUSED, "body.statement." + field, value))
chained("a signature", put(PROMOTED, "body.signature", other_digit))
chained("one attempt's signature under another", put(REFUSED, "body.signature", RECORDS[PROMOTED]["body"]["signature"]))
chained("the vault's key", put(0, "body.public_key", PUBLIC))
chained("a promotion that was not done", put(PROMOTED, "body.promoted", False))
chained("a promotion that was not decided", put(REFUSED, "body.promoted", True))
chained("what a rollback replaced", put(ROLLBACK, "body.previous", other_digit))
chained("where a rollback went, so that the next record does not fit", put(ROLLBACK, "body.incumbent", other_digit))
chained("a rollback left out", lambda records: records.pop(ROLLBACK))
chained("a verdict left out that the next ones rest on", lambda records: records.pop(PROMOTED))
chained("a reason, the root being known", put(ROLLBACK, "body.reason", "another"), "--root", ROOT)
chained("an audit left out, the root being known", lambda records: records.pop(AUDIT), "--root", ROOT)
chained("a second seal", lambda records: records.append(copy.deepcopy(records[0])))
chained("a kind that nobody knows", put(RUN, "kind", "rumour"))
chained("a run that was never begun", put(RUN, "body.run", "another"))
chained("an end of a run that was never begun", put(END, "body.run", "another"))
chained("evaluations that a run got back", put(END, "body.evaluations", -1))
chained("a maker that never ran", put(REFUSED, "body.made_by", "another"))
chained("sealed cases that went away", put(DATA, "body.tiers.gate", lambda n: n - 1))
chained("an audit of an attempt that never was", put(AUDIT, "body.attempt", 9))

for field, value in (("epoch", bump), ("attempts", bump), ("reason", "another"), ("retired", bump), ("added", bump),
                     ("previous", {}), ("tiers", {}), ("largest_cluster", bump), ("gate_clusters", bump)):
    chained(f"the {field} of a rotation", put(ROTATE, "body.statement." + field, value))
chained("a rotation's signature", put(ROTATE, "body.signature", other_digit))
chained("a verdict's signature under a rotation", put(ROTATE, "body.signature", RECORDS[PROMOTED]["body"]["signature"]))
chained("a rotation left out", lambda records: records.pop(ROTATE))
chained("a rotation twice", lambda records: records.insert(ROTATE, copy.deepcopy(records[ROTATE])))
chained("a rotation after what rests on it", lambda records: records.insert(FRESH, records.pop(ROTATE)))
chained("a rotation before the cases were added", lambda records: records.insert(DATA, records.pop(ROTATE)))
chained("an audit of what a rotation has opened", lambda records: records.append(copy.deepcopy(records[AUDIT])))

# --- forger ---------------------------------------------------------------------------------------------------

STATEMENT = "body.statement."
forger("himself, the key being known", lambda records: None, "--key", KEY)
forger("a second seal, to have another program in force",
       lambda records: records.append(dict(records[0], body=dict(records[0]["body"], seed="ab" * 32))))
forger("a kinder level", put(REFUSED, STATEMENT + "level", 0.04))
forger("a kinder threshold", put(REFUSED, STATEMENT + "threshold", 20))
forger("an attempt number skipped back", put(REFUSED, STATEMENT + "attempt", 1))
forger("more attempts than the level says", put(REFUSED, STATEMENT + "attempt", 5))
forger("an attempt number that is none", put(PROMOTED, STATEMENT + "attempt", 0))
forger("another alpha for one attempt", put(REFUSED, STATEMENT + "alpha", 0.1))
forger("another policy for one attempt", put(REFUSED, STATEMENT + "policy", "per-decision"))
forger("a policy that does not exist", put(REFUSED, STATEMENT + "policy", "generous"))
forger("a policy that the look does not allow", put(REFUSED, STATEMENT + "policy", "e-lond"))
forger("fewer histories", put(REFUSED, STATEMENT + "log_histories", 0))
forger("another commitment", put(PROMOTED, STATEMENT + "commitment.root", other_digit))
forger("fewer cases than were sealed", put(PROMOTED, STATEMENT + "n_planned", lambda n: n - 1))
forger("another vault", put(PROMOTED, STATEMENT + "vault", other_digit))
forger("a promotion over what was not in force", put(PROMOTED, STATEMENT + "incumbent", other_digit))
forger("a candidate that is the incumbent", put(REFUSED, STATEMENT + "candidate", RECORDS[REFUSED]["body"]["statement"]["incumbent"]))
forger("a verdict between the two", put(REFUSED, STATEMENT + "verdict", "nearly"))
forger("a no turned into a promotion, the pointer left", put(REFUSED, STATEMENT + "verdict", "promote"))
forger("samples that the unit does not allow", put(PROMOTED, STATEMENT + "samples", 2))
forger("a field more", put(PROMOTED, "body.statement", lambda s: dict(s, note="trust me")))
forger("a field less", put(PROMOTED, "body.statement", lambda s: {k: v for k, v in s.items() if k != "custody"}))
forger("an answer after the audit", lambda records: records.insert(PROMOTED + 1, records.pop(AUDIT)))
forger("a kinder level and its threshold", put(REFUSED, "body.statement", lambda s: dict(s, level=0.04, threshold=25)))

OLD_SET = RECORDS[DATA]["body"]["commitment"]
for name, field, value in (
        ("that skips an epoch", "epoch", bump), ("that begins no epoch", "epoch", lambda n: n - 1),
        ("that gives an attempt back", "attempts", lambda n: n - 1), ("that gives all attempts back", "attempts", 0),
        ("that counts attempts which come after it", "attempts", bump), ("without a reason", "reason", ""),
        ("that retires fewer", "retired", lambda n: n - 1), ("that adds more than the gate has", "added", bump),
        ("that retires another set", "previous", dict(OLD_SET, root="ab" * 32)),
        ("onto the same cases", "commitment", OLD_SET), ("of more cases than it says", "commitment.size", bump),
        ("to another gate than was asked", "commitment.root", other_digit),
        ("that leaves retired cases out of dev", "tiers.dev", lambda n: n - 1),
        ("that takes cases from train", "tiers.train", lambda n: n - 1), ("with a gate of another size", "tiers.gate", bump),
        ("with a reserve from nowhere", "tiers.vault", bump), ("with larger clusters", "largest_cluster", bump),
        ("with no clusters", "gate_clusters", 0), ("with more clusters than cases", "gate_clusters", 10**6),
        ("of another vault", "vault", other_digit), ("of another kind", "kind", "verdict"),
        ("of another schema", "schema", 2), ("with a count that is none", "retired", True)):
    forger("a rotation " + name, put(ROTATE, STATEMENT + field, value))
forger("a rotation with a field more", put(ROTATE, "body.statement", lambda s: dict(s, note="trust me")))
forger("a rotation with a field less", put(ROTATE, "body.statement", lambda s: {k: v for k, v in s.items() if k != "reason"}))
forger("a rotation that tells more than it signed", put(ROTATE, "body", lambda b: dict(b, note="trust me")))
WORN = RECORDS[REFUSED]["body"]["statement"]
forger("a fresh answer at a kinder level", put(FRESH, "body.statement", lambda s: dict(s, level=0.05, threshold=20)))
forger("a fresh answer at the worn set's level",
       put(FRESH, "body.statement", lambda s: dict(s, level=WORN["level"], threshold=WORN["threshold"])))
forger("a fresh answer about the old cases", put(FRESH, STATEMENT + "commitment", OLD_SET))
forger("a fresh answer under an old number", put(FRESH, STATEMENT + "attempt", 2))

# --- paper ----------------------------------------------------------------------------------------------------

OPENED = CERTIFICATE["evidence"][0]
for field, value in (("level", 0.01), ("attempt", 2), ("candidate", other_digit), ("signature", other_digit),
                     ("verdict", "no"), ("custody", "perfect"), ("providers", [{"provider": "nobody"}]),
                     ("evidence_state", "committed"), ("evidence_root", other_digit)):
    paper(f"its {field}", lambda c, f=field, v=value: c.update({f: v(c[f]) if callable(v) else v}))
paper("a field of the statement left out", lambda c: c.pop("custody"))
paper("a score", lambda c: c["evidence"][0]["evidence"]["cases"][0].update(candidate=0.5))
paper("the order of two cases", lambda c: c["evidence"][0]["evidence"]["cases"].reverse())
paper("a count", lambda c: c["evidence"][0]["evidence"]["gate"].update(wins=OPENED["evidence"]["gate"]["wins"] + 1))
paper("the salt", lambda c: c["evidence"][0].update(salt=other_digit(OPENED["salt"])))
paper("no evidence though it says opened", lambda c: c.update(evidence=[]))
paper("a sealed case", lambda c: c["sealed"][0]["case"].update(target="maybe"))
paper("a sealed case's salt", lambda c: c["sealed"][0].update(salt=other_digit(c["sealed"][0]["salt"])))
paper("the order of the sealed cases", lambda c: c["sealed"].reverse())
paper("a sealed case left out", lambda c: c["sealed"].pop())
paper("no sealed cases", lambda c: c.update(sealed=None))


def all_worse(statement, opened, sealed):
    for case in opened["evidence"]["cases"]:
        case["incumbent"], case["candidate"] = case["candidate"], case["incumbent"]


def told(field, value):
    return lambda statement, opened, sealed: opened["evidence"]["gate"].update({field: value(opened["evidence"]["gate"][field])})


forged_paper("a verdict that the scores deny", all_worse)
for field, value in (("wins", bump), ("losses", lambda n: n - 1), ("ties", bump), ("n_cases", bump), ("p", lambda p: p / 2),
                     ("level", lambda x: 2 * x), ("state", lambda s: "open"), ("verdict", lambda v: "no")):
    forged_paper(f"evidence that tells another {field}", told(field, value))
forged_paper("a case scored twice", lambda s, o, sealed: o["evidence"]["cases"].__setitem__(0, o["evidence"]["cases"][1]))
forged_paper("a case that was never sealed", lambda s, o, sealed: o["evidence"]["cases"][0].update(id="new", cluster="new"))
forged_paper("the last case left out", lambda s, o, sealed: o["evidence"]["cases"].pop())
forged_paper("evidence of another attempt", lambda s, o, sealed: o["evidence"].update(attempt=7))
forged_paper("only one arm missing", lambda s, o, sealed: o["evidence"]["cases"][0].update(candidate=None))
forged_paper("cases that were not sealed then", lambda s, o, sealed: sealed[0]["case"].update(target="maybe"))

# --- page -----------------------------------------------------------------------------------------------------

for field, value in (("level", 0.01), ("attempt", 2), ("candidate", other_digit), ("verdict", "no"), ("guarantee", "It is always right."),
                     ("custody", "perfect"), ("evidence_root", other_digit), ("released_ms", bump), ("public_key", PUBLIC)):
    page(f"its {field}", lambda d, f=field, v=value: d["statement"].update({f: v(d["statement"][f]) if callable(v) else v}))
page("its signature", lambda d: d.update(signature=other_digit(d["signature"])))
page("a score", lambda d: d["evidence"][0]["evidence"]["cases"][0].update(candidate=0.5))
page("a sealed case", lambda d: d["sealed"][0]["case"].update(target="maybe"))
page("the evidence taken away", lambda d: {k: v for k, v in d.items() if k != "evidence"})
page("the sealed cases taken away", lambda d: {k: v for k, v in d.items() if k != "sealed"})
page("an earlier attempt that was none", lambda d: d["history"].append(
    {"statement": d["statement"], "signature": d["signature"]}))
page("attempts of another set", lambda d: d.update(before=1))
page("a nicer text of the candidate", lambda d: next(iter(d["artifacts"]["candidate"]["components"].values())).update(text="Be kind."))
page("a worse text of the incumbent", lambda d: next(iter(d["artifacts"]["incumbent"]["components"].values())).update(text="Be rude."))
page("a component more", lambda d: d["artifacts"]["candidate"]["components"].update(more={"kind": "text", "role": "x", "text": ""}))
page("a third artifact", lambda d: d["artifacts"].update(another=d["artifacts"]["candidate"]))
page("a field more", lambda d: d.update(note="trust me"))
MUTATIONS.append(("page: a list", (LINES, page_with([]))))
MUTATIONS.append(("page: two sets of data", (LINES, PAGE.replace("</body>", '<script type="application/json" id="data">{}</script></body>'))))
MUTATIONS.append(("page: data that are no JSON", (LINES, PAGE.replace('id="data">{', 'id="data">{,'))))
MUTATIONS.append(("page: none of the certificate", (LINES, "<!doctype html><p>All is well.")))

# --- export ---------------------------------------------------------------------------------------------------

OTHER = {"intoto": "slsa", "slsa": "intoto"}
for kind in EXPORTS:
    export("another predicate's signature", kind, lambda e, k=kind: e.update(signatures=EXPORTS[OTHER[k]]["signatures"]))
    export("another predicate's payload", kind, lambda e, k=kind: e.update(payload=EXPORTS[OTHER[k]]["payload"]))
    export("another subject", kind, payload(lambda p: p["subject"][0]["digest"].update(sha256="ab" * 32)))
    export("another name of the subject", kind, payload(lambda p: p["subject"][0].update(name="pawl:artifact/" + "ab" * 32)))
    export("a subject more", kind, payload(lambda p: p["subject"].append({"name": "x", "digest": {"sha256": "ab" * 32}})))
    export("another predicate type", kind, payload(lambda p: p.update(predicateType="https://example.com/v1")))
    export("a field more in the predicate", kind, payload(lambda p: p["predicate"].update(note="trust me")))
    export("a statement of another type", kind, payload(lambda p: p.update(_type="https://in-toto.io/Statement/v0.1")))
    export("the signature", kind, lambda e: e["signatures"][0].update(sig=base64.b64encode(bytes(64)).decode()))
    export("a signature that is none", kind, lambda e: e["signatures"][0].update(sig="@@@"))
    export("the statement's signature", kind, lambda e: e["signatures"][0].update(
        sig=base64.b64encode(bytes.fromhex(CERTIFICATE["signature"])).decode()))
    export("the key", kind, lambda e: e["signatures"][0].update(keyid=PUBLIC))
    export("no key", kind, lambda e: e["signatures"][0].pop("keyid"))
    export("no signature", kind, lambda e: e.update(signatures=[]))
    export("a second signature", kind, lambda e: e["signatures"].append(dict(e["signatures"][0])))
    export("another type of payload", kind, lambda e: e.update(payloadType="text/plain"))
    export("a field more", kind, lambda e: e.update(note="trust me"))
    export("white space in the payload", kind, lambda e: e.update(
        payload=base64.b64encode(json.dumps(payload_of(e), indent=1).encode()).decode()))
    export("base64 with a line break", kind, lambda e: e.update(payload=e["payload"][:40] + "\n" + e["payload"][40:]))
    export("no payload", kind, lambda e: e.update(payload=""))
    export("a payload that is no object", kind, lambda e: e.update(payload=base64.b64encode(b"[]").decode()))
    export("the verdict, the ledger without it", kind, lambda e: None,
           chain([r for i, r in enumerate(RECORDS) if i not in (PROMOTED, AUDIT)]))
    export("all of it, signed by a forger", kind, lambda e: sealed_envelope(base64.b64decode(e["payload"])))
    export("all of it, by a forger in the vault's name", kind,
           lambda e: dict(e, signatures=[dict(sealed_envelope(base64.b64decode(e["payload"]))["signatures"][0], keyid=KEY)]))
    forged_export("nothing, the key being known", kind, lambda p: None, "--key", KEY)
    forged_export("an artifact that was never judged", kind, lambda p: p["subject"][0]["digest"].update(sha256="ab" * 32))
    forged_export("another attempt", kind, lambda p: p.update(json.loads(json.dumps(p).replace("/attempt/1", "/attempt/2"))))
    forged_export("another policy", kind, lambda p: p.update(json.loads(json.dumps(p).replace("pawl:policy/", "pawl:policy/very-"))))
    lines = forge(RECORDS)
    MUTATIONS.append((f"forged export: signed without its type ({kind})", (lines, sealed_envelope(
        V.payload_of(json.loads(lines[PROMOTED])["body"]["statement"], payload_of(EXPORTS[kind])["predicateType"]), b"payload"))))
for field, value in (("verificationResult", "FAILED"), ("verifiedLevels", ["SLSA_BUILD_LEVEL_3"]), ("timeVerified", "2030-01-01T00:00:00.000Z"),
                     ("verifier", {"id": "https://example.com"}), ("resourceUri", "pkg:other"), ("inputAttestations", []), ("policy", {"uri": "x"})):
    export(f"the {field}", "slsa", payload(lambda p, f=field, v=value: p["predicate"].update({f: v})))
    forged_export(f"the {field}", "slsa", lambda p, f=field, v=value: p["predicate"].update({f: v}))
for field, value in (("result", "WARNED"), ("passedTests", ["gate", "everything"]), ("failedTests", ["gate"]), ("configuration", []), ("url", "https://example.com")):
    export(f"the {field}", "intoto", payload(lambda p, f=field, v=value: p["predicate"].update({f: v})))
    forged_export(f"the {field}", "intoto", lambda p, f=field, v=value: p["predicate"].update({f: v}))

# --- growth ---------------------------------------------------------------------------------------------------

growth("another node", lambda p: p["path"].__setitem__(0, other_digit(p["path"][0])))
growth("a node left out", lambda p: p["path"].pop())
growth("a node more", lambda p: p["path"].append(p["path"][0]))
growth("no nodes", lambda p: p.update(path=[]))
if len(GROWN["consistency"]["path"]) > 1:
    growth("the nodes in another order", lambda p: p["path"].append(p["path"].pop(0)))
growth("a node that is none", lambda p: p["path"].__setitem__(0, "00"))
growth("an earlier beginning", lambda p: p.update({"from": p["from"] - 1}))
growth("a later end", lambda p: p.update(size=p["size"] + 1))
growth("from the same", since=NOTE)
growth("to the same", note=EARLIER)
growth("backwards", since=NOTE, note=EARLIER)
growth("another's key", key=PUBLIC)
growth("a note of another length", note=NOTE.replace(f"\n{GROWN['consistency']['size']}\n", f"\n{GROWN['consistency']['size'] + 1}\n"))
growth("a note cut off", note=NOTE[:-9] + "\n")

# --- judgement ------------------------------------------------------------------------------------------------

code, said = verify(LINES, CERTIFICATE, "--root", ROOT, "--key", KEY)
assert code == 0 and "recomputed" in said, said
for name, lines, certificate in (("chained", chain(RECORDS), CERTIFICATE),
                                 ("forger", forge(RECORDS), certificate_of(forge(RECORDS), CERTIFICATE))):
    code, said = verify(lines, certificate)
    assert code == 0 and "recomputed" in said, f"{name}: rejected without a change: {said}"
for name, document in {"page": PAGE, "page with its data written anew": page_with(page_data(PAGE)), **EXPORTS}.items():
    code, said = verify(LINES, document, "--root", ROOT, "--key", KEY)
    assert code == 0, f"{name}: rejected without a change: {said}"
for kind, envelope in EXPORTS.items():
    lines = forge(RECORDS)
    told = V.payload_of(json.loads(lines[PROMOTED])["body"]["statement"], payload_of(envelope)["predicateType"])
    code, said = verify(lines, sealed_envelope(told))
    assert code == 0 and "attested" in said, f"forged {kind}: rejected without a change: {said}"
code, said = grown(GROWN, EARLIER, NOTE, KEY)
assert code == 0, f"growth: rejected without a change: {said}"
passed = []
for name, arguments in MUTATIONS:
    code, said = (grown if name.startswith("growth: ") else verify)(*arguments)
    if os.environ.get("SHOW"):
        print(f"{name:60} {said.strip().splitlines()[-1]}")
    if code != 1 or "rejected" not in said:
        passed.append(f"{name}: exit {code}: {said}")
assert not passed, f"accepted: {passed}"
assert len(MUTATIONS) >= 50 and len({name for name, _ in MUTATIONS}) == len(MUTATIONS)
print(f"{len(MUTATIONS)} mutations, each rejected")
