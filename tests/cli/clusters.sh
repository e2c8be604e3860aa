# One large cluster takes power from all others, because each is weighed by the largest: init and plan say so
# and what a limit would give; with max_per_cluster the rest is left out, by keyed hash.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=5
careful_model | own_project p 1 1 1
edit p/pawl.yaml '{train: data/train.jsonl, dev: data/dev.jsonl, gate: data/gate.jsonl}' '{train: data/train.jsonl, dev: data/dev.jsonl, gate: data/gate.jsonl}   # tiers'
python3 - <<'P'
import json
def cases(name, start, sizes):
    n = start
    with open(f"p/data/{name}.jsonl", "w") as f:
        for c, size in enumerate(sizes):
            for _ in range(size):
                f.write(json.dumps({"id": f"q{n}", "input": f"Is {n} even?", "cluster": f"{name}{c}",
                                    "target": "no" if n % 2 else "yes"}) + "\n")
                n += 1
cases("train", 0, [1] * 200)
cases("dev", 5000, [30] + [1] * 40)
cases("gate", 2000, [46] + [1 + i % 6 for i in range(150)])
P
expect 0 pawl init --json -C p
check 'r["tiers"]["gate"] == 571 and r["set_aside"] == 0'
check 'r["clusters"]["largest"] == 46 and r["clusters"]["of_that_size"] == 1 and 12 < r["clusters"]["effective_cases"] < 13'
check '1 < r["clusters"]["max_per_cluster"] < 24 and r["clusters"]["gain_with_it"] < 0.85 * r["smallest_certifiable_gain"]'
gain=$(field 'r["smallest_certifiable_gain"]') better=$(field 'r["clusters"]["gain_with_it"]')
limit=$(field 'r["clusters"]["max_per_cluster"]')
expect 0 pawl init -C p
says "With at most $limit cases of a cluster"
expect 0 pawl plan --json -C p
check "r['smallest_certifiable_gain'] == $gain and r['clusters']['gain_with_it'] == $better"
check 'list(r["power"].values()) == sorted(r["power"].values()) and r["power"]["0.05"] < 0.8'
expect 0 pawl plan -C p
says "max_per_cluster: $limit"

# As advised: the gate keeps so many of each cluster, train and dev keep all.
edit p/pawl.yaml 'gate: data/gate.jsonl}' "gate: data/gate.jsonl, max_per_cluster: $limit}"
rm -rf p/.pawl
expect 0 pawl init --json -C p --again
check "r['clusters']['largest'] == min(6, $limit) or r['clusters']['largest'] == $limit"
check 'r["tiers"]["gate"] + r["set_aside"] == 571 and r["set_aside"] > 20 and r["tiers"]["dev"] == 70'
check "abs(r['smallest_certifiable_gain'] - $better) < 0.011 and r['clusters']['max_per_cluster'] is None"
expect 0 pawl init -C p
says 'left out (max_per_cluster)'
# The files are still those that were sealed: with what was left out, and without; but not with others.
expect 0 pawl init --json -C p
cp -r p/data data.kept
echo '{"id": "x1", "input": "Is 90001 even?", "cluster": "gate7", "target": "no"}' >>p/data/gate.jsonl
expect 0 pawl data add --json -C p p/data/gate.jsonl
# What is left out stays out: the cluster is full.
check 'r["refused"] >= 571'
expect 0 pawl status --json -C p
expect 0 pawl improve --json --force -C p --seed 1
verified p
expect 0 pawl ledger verify --json -C p

# A planned look weighs by what it sees, and is not warned of.
rm -rf p/.pawl p/data
cp -r data.kept p/data
edit p/pawl.yaml ", max_per_cluster: $limit}" '}'
printf 'gate: {look: fixed}\n' >>p/pawl.yaml
expect 0 pawl init --json -C p --again
check '"clusters" not in r'
for bad in -1 many 1.5; do
    cp p/pawl.yaml kept.yaml
    edit p/pawl.yaml 'data/gate.jsonl}' "data/gate.jsonl, max_per_cluster: $bad}"
    expect 2 pawl validate --json -C p
    check 'r["error"]["field"] == "data.max_per_cluster" and r["error"]["line"] == 3'
    cp kept.yaml p/pawl.yaml
done
