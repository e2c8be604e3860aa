"""Forge a ledger of the policy fresh, with a key that is taken for the vault's; tools/pawl-verify must object.

    fresh_mutations.py VERIFIER LEDGER

The ledger holds a seal and at least two attempts, each with the rotation that retired its draw. Signatures count as
good, so that what is left to catch the forger is the sense of it. Without any change it must be accepted.
"""
import copy
import hashlib
import importlib.machinery
import importlib.util
import sys
import tempfile

sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pawl_verify", sys.argv[1])
V = importlib.util.module_from_spec(importlib.util.spec_from_loader("pawl_verify", loader))
loader.exec_module(V)
V.signature_holds = lambda *_: True
RECORDS = [V.parse(line) for line in open(sys.argv[2], encoding="utf-8").read().splitlines()]


def finding(records):
    """What the verifier objects to; None: nothing."""
    lines, root = [], "0" * 64
    for seq, record in enumerate(records):
        record = {k: v for k, v in record.items() if k != "hash"}
        record["prev"], record["seq"] = root, seq
        root = hashlib.sha256((root + "\n" + V.canonical(record)).encode()).hexdigest()
        lines.append(V.canonical(dict(record, hash=root)) + "\n")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        try:
            V.read_ledger(file.name)
        except V.Rejected as rejected:
            return str(rejected)
    return None


def statements(records, kind):
    return [record["body"]["statement"] for record in records if record["kind"] == kind]


def verdict(k, **fields):
    return lambda records: statements(records, "verdict")[k].update(fields)


def rotation(k, **fields):
    return lambda records: statements(records, "rotate")[k].update(fields)


def whole_gate(records):
    del statements(records, "rotate")[0]["drawn"]


def larger_gate(records):
    for said in statements(records, "rotate")[0]["tiers"], statements(records, "rotate")[0]["commitment"]:
        said.update({key: said[key] + 1 for key in ("gate", "size") if key in said})


def same_draw(records):
    """The second attempt asked of what the first one had asked."""
    first, second = statements(records, "verdict")[:2]
    second["commitment"] = first["commitment"]


def no_retirement(records):
    records[:] = [r for r in records if r["kind"] != "rotate"]


MUTATIONS = {
    "a draw that was the whole gate": whole_gate,
    "a draw that left too much": larger_gate,
    "a draw asked twice": same_draw,
    "draws that never retired": no_retirement,
    "a draw of another attempt": rotation(1, drawn=1),
    "a draw with cases added to the gate": rotation(0, added=1),
    "a draw that none was asked of": rotation(0, drawn=0, attempts=0),
    "fewer cases than retired": verdict(0, n_planned=199, clusters=199),
    "a larger draw for one attempt": verdict(1, n_planned=201, clusters=201),
    "levels that begin anew with a draw": verdict(1, level=0.04, threshold=25),
    "another policy for one attempt": verdict(1, policy="e-lond"),
    "histories of cases that told nothing": verdict(1, log_histories=1),
}
assert finding(RECORDS) is None, finding(RECORDS)
for name, change in MUTATIONS.items():
    records = copy.deepcopy(RECORDS)
    change(records)
    found = finding(records)
    assert found is not None, f"accepted: {name}"
    print(f"{name}: {found}")
