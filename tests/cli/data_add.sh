# New cases are placed by the same keyed hash, whole clusters together; no case ever moves, and what
# cannot be added is said, with nothing half done.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=6
careful_model | own_project p 1 1 1
python3 - <<'P'
import json
def cases(name, clusters, start):
    with open(name, "w") as f:
        for i in range(start, start + 2 * clusters):
            f.write(json.dumps({"id": f"q{i}", "input": f"Is {i} even?", "cluster": f"c{i // 2}",
                                "target": "no" if i % 2 else "yes"}) + "\n")
cases("p/data/all.jsonl", 300, 0)
cases("more.jsonl", 100, 600)
cases("again.jsonl", 2, 598) # two cases that are there, two that are in more.jsonl
P
edit p/pawl.yaml '{train: data/train.jsonl, dev: data/dev.jsonl, gate: data/gate.jsonl}' '{file: data/all.jsonl}'
expect 0 pawl init --json -C p
check 'r["cases"] == 600 and sum(r["tiers"].values()) == 600'
before=$(field 'r["tiers"]') root=$(field 'r["commitment"]["root"]')
visible() { # visible NAME: ids of train and dev, as the project itself shows them
    for tier in train dev; do
        expect 0 pawl eval --json -C p --tier "$tier" --per-case "$1.$tier"
        python3 -c 'import json,sys; print(*sorted(json.loads(l)["id"] for l in open(sys.argv[1])), sep="\n")' "$1.$tier" >"$1.$tier.ids"
    done
}
visible old
cp -a p/.pawl/store store-before

expect 0 pawl data add --json -C p more.jsonl
check 'r["added"] == 200 and sum(r["tiers"].values()) == 800'
check "all(r['tiers'][t] >= n for t, n in $before.items()) and r['tiers']['gate'] > $before['gate']"
visible new
python3 - <<'P' || fail "a case moved, or a cluster is split"
read = lambda name: set(open(name).read().split())
train, dev = read("new.train.ids"), read("new.dev.ids")
assert read("old.train.ids") < train and read("old.dev.ids") < dev
cluster = lambda ids: {int(i[1:]) // 2 for i in ids}
# A cluster that is partly in a tier would be partly elsewhere.
for ids in (train, dev):
    assert len(ids) == 2 * len(cluster(ids)), len(ids)
assert not cluster(train) & cluster(dev)
P
# Opening the project again places every case where it was.
expect 0 pawl init --json -C p
check 'r["cases"] == 800'
expect 0 pawl status --json -C p
records=$(field 'r["ledger"]["records"]')

# Duplicates are refused, and counted; a file of nothing else changes nothing.
expect 0 pawl data add --json -C p again.jsonl
check 'r["added"] == 0 and r["refused"] == 4'

# As after a kill between the vault's part and the store's: the next call catches up.
rm -rf p/.pawl/store && cp -a store-before p/.pawl/store
expect 0 pawl data add --json -C p again.jsonl
check 'r["added"] == 0 and sum(r["tiers"].values()) == 800'
visible caught
cmp -s new.train.ids caught.train.ids && cmp -s new.dev.ids caught.dev.ids || fail "the store stays behind the vault"
expect 0 pawl status --json -C p
check "r['ledger']['records'] == $records"

# As after a kill between the ledger's record and the note of it: the record is not made again.
note() { python3 - "$@" <<'P'
import json, sqlite3, sys
db = sqlite3.connect("p/.pawl/store/pawl.db")
row = json.loads(db.execute("select value from meta where key = 'seal'").fetchone()[0])
if len(sys.argv) > 1:
    row["tiers"] = json.loads(sys.argv[1].replace("'", '"'))
    db.execute("update meta set value = ? where key = 'seal'", [json.dumps(row)])
    db.commit()
print(sum(row["tiers"].values()))
P
}
[ "$(note)" = 800 ] || fail "the note of the seal is not what it was"
note "$before" >/dev/null
expect 0 pawl data add --json -C p again.jsonl
[ "$(note)" = 800 ] || fail "the note of the seal stays behind"
verified p
expect 0 pawl ledger verify --json -C p
check "r['records'] == $records"

refused() { # refused TEXT EXPR: not added, and the error (e) is so
    printf "$1" >bad.jsonl
    expect 2 pawl data add --json -C p bad.jsonl
    [ "$(field "(lambda e: e['file'].endswith('bad.jsonl') and $2)(r['error'])")" = True ] || fail "the error is not so: $2"
}
good='{"id": "n1", "input": "Is 9000 even?", "target": "yes"}\n'
refused "$good{" 'e["line"] == 2'
refused "$good$good" 'e["line"] == 2 and "n1" in e["message"]'
refused "$good"'{"id": "n2", "input": "Is \377 even?", "target": "yes"}\n' 'e["line"] == 2'
refused "$good"'{"id": "n3", "target": "yes"}\n' 'e["line"] == 2 and "input" in (e["field"] or "") + e["message"]'
refused '' 'True'
expect 2 pawl data add --json -C p no-such-file.jsonl
latin=$(printf 'caf\351.jsonl') # a link to a name that is not UTF-8
printf "$good" >"$latin" && ln -s "$latin" link.jsonl
expect 2 pawl data add --json -C p link.jsonl
check '"UTF-8" in r["error"]["message"]'
expect 2 pawl data add --json -C p
expect 2 pawl data subtract --json -C p more.jsonl
visible last
cmp -s new.train.ids last.train.ids && cmp -s new.dev.ids last.dev.ids || fail "a refused file changed the tiers"
expect 0 pawl status --json -C p
check "r['ledger']['records'] == $records"
expect 0 pawl init --json -C p
check 'r["cases"] == 800'
check "r['commitment']['root'] != '$root'"

# Columns map tables: a project of a .csv file takes cases in JSON Lines, to score and to add.
rm -rf csv && scripted_project csv
echo '{"id": "j1", "input": {"question": "Is 123456 even?"}, "target": {"answer": "yes"}}' >other.jsonl
expect 0 pawl eval --json -C csv --cases other.jsonl
check 'r["n"] == 1'
expect 0 pawl data add --json -C csv other.jsonl
check 'r["added"] == 1'
# In a project without any table they are a mistake, told before anything is read.
mkdir lines && printf 'name: x\nprogram: {signature: "q -> a"}\nmetric: exact_match\ndata:\n  file: cases.jsonl\n  columns: {input: q}\n' >lines/pawl.yaml
expect 2 pawl validate --json -C lines
check 'r["error"]["field"] == "data.columns" and r["error"]["line"] == 6 and "Remove data.columns" in r["error"]["hint"]'
