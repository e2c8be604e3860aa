# Nothing that the engine's side can read tells two sealed sets of equal size apart when the verdict is
# the same. Two projects share everything but the texts of the sealed cases.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=5
make_project() { # make_project DIR WORD: gate cases speak of WORD
    mkdir "$1" && scripted_project "$1" && rm -rf "$1/.pawl" "$XDG_DATA_HOME"
    python3 - "$1" "$2" <<'P'
import json, sys
d, word = sys.argv[1:]
def write(tier, n, start, noun):
    with open(f"{d}/data/{tier}.jsonl", "w") as f:
        for i in range(start, start + n):
            f.write(json.dumps({"id": f"q{i}", "input": {"question": f"Is {i} {noun}?"},
                                "target": {"answer": "yes" if i % 2 == 0 else "no"}}) + "\n")
write("train", 60, 0, "even")
write("dev", 60, 1000, "even")
write("gate", 300, 2000, word)
text = open(f"{d}/pawl.yaml").read()
start = text.index("data: {"); end = text.index("\n", start)
text = text[:start] + "data: {train: data/train.jsonl, dev: data/dev.jsonl, gate: data/gate.jsonl}" + text[end:]
open(f"{d}/pawl.yaml", "w").write(text)
P
}
seen() { # seen DIR OUT: everything readable, with sizes and the instants that a stat shows
    expect 0 pawl init --json -C "$1"
    expect 0 pawl improve --json -C "$1" --seed 1
    cp "$work/out" "$2.improve"
    cp "$work/err" "$2.progress"
    python3 - "$1" >"$2.files" <<'P'
import os, sys
for folder, _, files in sorted(os.walk(sys.argv[1] + "/.pawl")):
    for name in sorted(files):
        path = os.path.join(folder, name)
        print(os.path.relpath(path, sys.argv[1]), os.stat(path).st_size)
P
    expect 0 pawl status --json -C "$1"
    cp "$work/out" "$2.status"
    expect 0 pawl certificate --json -C "$1"
    cp "$work/out" "$2.certificate"
    pawl ledger export "$2.ledger" -C "$1" >/dev/null 2>&1
    cat "$1"/.pawl/store/runs/*/journal >"$2.journal"
}
make_project a even
seen a "$work/A"
rm -rf "$XDG_DATA_HOME"
make_project b odd?
seen b "$work/B"
python3 - "$work" <<'P' || fail "the two sealed sets can be told apart"
import json, re, sys
work = sys.argv[1]
read = lambda name: open(f"{work}/{name}").read()
# Commitments, the evidence's hash and what is signed over them must differ; they are random to a reader.
hidden = {}
def blank(text):
    return re.sub(r"[0-9a-f]{64,128}", "#", text)
a, b = json.loads(read("A.certificate")), json.loads(read("B.certificate"))
assert a["verdict"] == b["verdict"] == "promote"
differ = {k for k in a if a[k] != b[k]}
assert differ <= {"commitment", "evidence_root", "signature"}, differ
for name in ("improve", "progress", "files", "status", "ledger"):
    x, y = blank(read("A." + name)), blank(read("B." + name))
    assert x == y, (name, [p for p in zip(x.split("\n"), y.split("\n")) if p[0] != p[1]][:3])
assert read("A.journal") == read("B.journal"), "journal"
P
