# Files with sealed cases: moved out of the project on request, and copies of them reported.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=11
all() { python3 - "$1" <<'P'
import json, sys
with open(sys.argv[1], "w") as f:
    for i in range(300):
        f.write(json.dumps({"id": f"q{i}", "input": f"Is {i} even?", "target": "no" if i % 2 else "yes"}) + "\n")
P
}
fresh() { # fresh LINES: a project whose section data is LINES
    rm -rf p "$XDG_DATA_HOME"
    careful_model | own_project p 1 1 1
    all p/data/all.jsonl
    rm p/data/[tdg]*.jsonl
    printf '# The cases of a test: ümlaut.\n' >head
    sed "s|^data: .*|@|" p/pawl.yaml | awk -v data="$1" '/^@$/ {print data; next} {print}' >body
    cat head body >p/pawl.yaml
}

# However the path is written, its line is changed and nothing else.
moved=$XDG_DATA_HOME/pawl/vaults/*/cases/file-all.jsonl
while read -r data; do
    fresh "$(printf "$data")"
    cp p/pawl.yaml before.yaml
    cp p/data/all.jsonl before.jsonl
    expect 0 pawl init --json -C p
    check 'r["movable"] == ["data/all.jsonl"] and "moved" not in r'
    expect 0 pawl doctor --json -C p
    check 'any("all.jsonl" in p["problem"] and "--move-cases" in p["remedy"] for p in r["problems"])'
    chmod 640 p/pawl.yaml
    expect 0 pawl init --json --move-cases -C p
    [ "$(stat -c %a p/pawl.yaml)" = 640 ] || fail "pawl.yaml has other rights now"
    check 'len(r["moved"]) == 1 and r["movable"] == [] and r["moved"][0]["from"].endswith("/p/data/all.jsonl")'
    [ ! -e p/data/all.jsonl ] || fail "the file is still in the project"
    cmp -s $moved before.jsonl || fail "the file is not what it was: $data"
    [ "$(stat -c %a $moved)" = 600 ] || fail "others may read it"
    sed "s|[\"']*data/all.jsonl[\"']*|\"$(echo $moved)\"|" before.yaml | cmp -s - p/pawl.yaml || fail "pawl.yaml: $data"
    cp p/pawl.yaml after.yaml
    expect 0 pawl init --json --move-cases -C p # nothing is left to move, and the cases are the same
    check 'r["moved"] == [] and r["cases"] == 300'
    cmp -s after.yaml p/pawl.yaml || fail "pawl.yaml was changed again"
done <<'L'
data: {file: data/all.jsonl}   # "data/all.jsonl" # stays
data: {  file:   "data/all.jsonl"  , tiers: {train: 0.2, dev: 0.2, gate: 0.6}}
data:\n  # a comment\n  tiers: {train: 0.2, dev: 0.2, gate: 0.6}\n  file: 'data/all.jsonl'\n  # another
L
# A form that is not understood is not touched.
fresh "$(printf 'data:\n  file:\n    data/all.jsonl')"
cp p/pawl.yaml before.yaml
expect 2 pawl init --json --move-cases -C p
check 'r["error"]["field"] == "data.file" and r["error"]["line"] == 5'
cmp -s before.yaml p/pawl.yaml && [ -e p/data/all.jsonl ] || fail "it was changed all the same"
# A data folder inside the project is an odd place, and no reason to lose the file.
(
    export XDG_DATA_HOME="$work/p/.home"
    fresh 'data: {file: data/all.jsonl}'
    for i in 1 2; do expect 0 pawl init --json --move-cases -C p; done
    check 'r["moved"] == [] and r["movable"] == []'
    cmp -s p/.home/pawl/vaults/*/cases/file-all.jsonl before.jsonl || fail "the file is gone"
) || exit 1
# Only files with sealed cases move.
fresh 'data: {train: data/train.jsonl, dev: data/dev.jsonl, gate: data/gate.jsonl}'
own_project q 20 30 100 <p/model.lua
cp q/data/* p/data/
expect 0 pawl init --json --move-cases -C p
check '[m["from"].split("/")[-1] for m in r["moved"]] == ["gate.jsonl"]'
[ -e p/data/train.jsonl ] && [ -e p/data/dev.jsonl ] || fail "a visible file was moved"

# Copies are found by their content, whatever they are called.
fresh 'data: {file: data/all.jsonl}'
mkdir -p p/notes/deep outside
ln -s data/all.jsonl p/link.jsonl
cp p/data/all.jsonl p/notes/deep/copy.txt
cp p/data/all.jsonl outside/far.jsonl
sed 's/Is 7 even/Is 8 even/' p/data/all.jsonl >p/notes/changed.jsonl # same size, other content
sed '$d' p/data/all.jsonl >p/notes/shorter.jsonl
expect 0 pawl doctor --json -C p
check '"case_copies" not in r'
expect 0 pawl init --json -C p
expect 0 pawl doctor --json -C p
check 'r["case_copies"] == {"found": ["notes/deep/copy.txt"], "complete": True}'
check 'any("notes/deep/copy.txt" in p["problem"] for p in r["problems"])'
ln p/data/all.jsonl p/hard.jsonl # another name of the same file is as readable
expect 0 pawl doctor --json -C p
check 'r["case_copies"]["found"] == ["hard.jsonl", "notes/deep/copy.txt"]'
rm p/hard.jsonl
# Cases that were added lie in a file that the kernel does not know of.
echo '{"id": "n1", "input": "Is 2000 even?", "target": "yes"}' >p/more.jsonl
expect 0 pawl data add --json -C p p/more.jsonl
expect 0 pawl doctor --json -C p
check 'r["case_copies"]["found"] == ["more.jsonl", "notes/deep/copy.txt"]'
rm p/more.jsonl
# After a move, too; and in the folder of a case file that lies elsewhere.
expect 0 pawl init --json --move-cases -C p
cp before.jsonl $(dirname $moved)/second.jsonl
expect 0 pawl doctor --json -C p
check 'len(r["case_copies"]["found"]) == 2 and r["case_copies"]["found"][1].endswith("/cases/second.jsonl")'
rm $(dirname $moved)/second.jsonl
# A certificate says what was there when the gate decided.
expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote"'
rm p/notes/deep/copy.txt
expect 0 pawl certificate --json -C p
check 'r["case_copies"] == {"found": ["notes/deep/copy.txt"], "complete": True}'
expect 0 pawl doctor --json -C p
check 'r["case_copies"]["found"] == []'
# The search has a bound, and says so.
python3 -c '
import os
os.mkdir("p/many")
for i in range(50001): open(f"p/many/{i}", "w").close()'
expect 0 pawl doctor --json -C p
check 'r["case_copies"]["complete"] is False and any("not complete" in p["problem"] for p in r["problems"])'
