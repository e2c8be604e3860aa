# The published logs of Reflexion against the simple strategy (GPT-4, pass at 1): the programs that they hold, run
# again, task by task. At .05 the gain on HumanEval is one, and what MBPP lost is not called a gain.
. "$(dirname "$0")/lib.sh"
outcomes() { python3 - "$1" "$PAWL_SOURCE_DIR/tests/gate/replayed_reflexion.jsonl" <<'P'
import json, sys
rows = [r for r in map(json.loads, open(sys.argv[2])) if r["set"] == sys.argv[1]]
pairs = [(r["simple"], r["reflexion"]) for r in rows for _ in range(r["tasks"])]
for side, name in enumerate(("a.jsonl", "b.jsonl")):
    with open(name, "w") as out:
        for i, pair in enumerate(pairs): print(json.dumps({"id": f"{sys.argv[1]}-{i}", "score": pair[side]}), file=out)
P
}

outcomes humaneval
expect 0 pawl compare --json --alpha 0.05 --scores a.jsonl b.jsonl
check 'r["n"] == 164 and r["wins"] == 10 and r["losses"] == 1 and r["verdict"] == "promote"'
check 'abs(r["mean_a"] - 141 / 164) < 1e-9 and abs(r["mean_b"] - 150 / 164) < 1e-9'

outcomes mbpp
for sides in "a b" "b a"; do # the loss is not proved either: two-sided it is .10
    set -- $sides
    pawl compare --json --alpha 0.05 --scores "$1.jsonl" "$2.jsonl" >"$work/out" 2>"$work/err"
    check 'r["n"] == 397 and {r["wins"], r["losses"]} == {17, 29} and abs(r["p_mcnemar"] - 0.103805) < 1e-6'
    check 'r["verdict"] != "promote"'
done
