# One planned comparison of any tool's per-case files: known values, clusters, errors with file and line.
. "$(dirname "$0")/lib.sh"
# files GAINED LOST BOTH NEITHER: a.jsonl and b.jsonl with so many cases of each kind, in another order
files() { python3 - "$@" <<'P'
import json, random, sys
gained, lost, both, neither = map(int, sys.argv[1:5])
pairs = [(0, 1)] * gained + [(1, 0)] * lost + [(1, 1)] * both + [(0, 0)] * neither
for side, name in enumerate(("a.jsonl", "b.jsonl")):
    cases = [{"id": f"q{i}", "score": pair[side], "user": f"u{i // 5}"} for i, pair in enumerate(pairs)]
    random.Random(side).shuffle(cases)
    open(name, "w").write("".join(json.dumps(c) + "\n" for c in cases))
P
}
keys='n wins losses ties mean_a mean_b difference ci95 p_mcnemar p_signflip e_value verdict guarantee'
near() { check "abs(r['$1'] - $2) < 1e-6"; }

# Exact McNemar, two-sided: 2 * 12 of 2048. The verdict is one-sided, as the guarantee says.
files 10 1 20 9
expect 0 pawl compare --json --scores a.jsonl b.jsonl
for key in $keys; do check "'$key' in r"; done
check 'r["n"] == 40 and r["wins"] == 10 and r["losses"] == 1 and r["ties"] == 29'
near mean_a 0.525 && near mean_b 0.75 && near difference 0.225
near p_mcnemar '24 / 2048' && near p_greater '12 / 2048'
check 'r["ci95"][0] < 0.225 < r["ci95"][1] and len(r["guarantee"]) > 20 and r["verdict"] == "promote"'
expect 0 pawl compare --json --scores b.jsonl b.jsonl
check 'r["wins"] == r["losses"] == 0 and r["difference"] == 0 and r["verdict"] != "promote"'
pawl compare --json --scores b.jsonl a.jsonl >"$work/out" 2>"$work/err"
check 'r["wins"] == 1 and r["losses"] == 10 and r["p_greater"] > 0.99 and r["verdict"] != "promote"'

files 17 29 50 4
pawl compare --json --scores a.jsonl b.jsonl >"$work/out" 2>"$work/err"
check 'r["wins"] == 17 and r["losses"] == 29 and r["p_mcnemar"] > 0.1 and r["verdict"] != "promote"'
near p_greater '__import__("math").fsum(__import__("math").comb(46, k) for k in range(17, 47)) / 2 ** 46'

# The level is the user's.
files 10 1 20 9
pawl compare --json --alpha 0.005 --scores a.jsonl b.jsonl >"$work/out" 2>"$work/err"
check 'r["verdict"] != "promote"'

# Copies of the same case are one observation: ten wins in two clusters say little.
pawl compare --json --cluster user --scores a.jsonl b.jsonl >"$work/out" 2>"$work/err"
check 'r["p_signflip"] > 0.05 and r["verdict"] != "promote" and abs(r["difference"] - 0.225) < 1e-9'

# Graded scores.
python3 -c '
import json
for name, shift in (("a.jsonl", 0), ("b.jsonl", 0.1)):
    open(name, "w").write("".join(json.dumps({"id": i, "score": (i % 8) / 10 + shift}) + "\n" for i in range(40)))'
expect 0 pawl compare --json --scores a.jsonl b.jsonl
check 'abs(r["difference"] - 0.1) < 1e-9 and r["wins"] == 40 and r["verdict"] == "promote"'

bad() { # bad TEXT EXPR: b.jsonl with it is refused, with an error (e) that is so
    printf "$1" >b.jsonl
    expect 2 pawl compare --json --scores a.jsonl b.jsonl
    [ "$(field "(lambda e: $2)(r['error'])")" = True ] || fail "the error is not so: $2"
}
printf '{"id": "x", "score": 1}\n{"id": "y", "score": 0}\n' >a.jsonl
bad '{"id": "x", "score": 1}\n{"id": "y", "score": 0\n' 'e["file"].endswith("b.jsonl") and e["line"] == 2'
bad '{"id": "x", "score": 1}\n{"id": "x", "score": 0}\n' 'e["line"] == 2 and "x" in e["message"]'
bad '{"id": "x", "score": 1}\n{"id": "z", "score": 0}\n' 'e["line"] == 2 and e["file"].endswith(".jsonl")'
bad '{"id": "x", "score": 1}\n' 'e["file"].endswith("a.jsonl") and e["line"] == 2'
bad '{"id": "x", "score": 1}\n{"id": "y", "score": "high"}\n' 'e["line"] == 2 and e["field"] == "score"'
bad '{"id": "x", "score": 1}\n{"id": "y", "score": 7}\n' 'e["line"] == 2 and e["field"] == "score"'
bad '{"id": "x", "score": 1}\n{"id": "y"}\n' 'e["line"] == 2 and e["field"] == "score"'
bad '{"id": "x", "score": 1}\n{"score": 1}\n' 'e["line"] == 2 and e["field"] == "id"'
bad '{"id": "x", "score": 1}\n{"id": "y", "score": NaN}\n' 'e["line"] == 2'
bad '{"id": "x", "score": 1}\n{"id": "\377", "score": 1}\n' 'e["line"] == 2'
bad '' 'e["file"].endswith("b.jsonl")'
printf '{"id": "x", "score": 1}\n{"id": "y", "score": 0}\n' >b.jsonl
expect 2 pawl compare --json --scores a.jsonl no-such-file.jsonl
says no-such-file.jsonl
expect 2 pawl compare --json --scores a.jsonl
expect 2 pawl compare --json
expect 2 pawl compare --json --alpha 2 --scores a.jsonl b.jsonl
expect 2 pawl compare --json --cluster user --scores a.jsonl b.jsonl
check '"user" in r["error"]["message"] + (r["error"]["field"] or "")'

# Several answers to a case are one score, their mean: rows of one case differ in "sample".
python3 -c '
import json
for name, wins in (("a.jsonl", (0, 0, 1)), ("b.jsonl", (1, 0, 1))):
    rows = [{"id": f"q{i}", "sample": k, "score": s, "user": i // 2} for i in range(30) for k, s in enumerate(wins)]
    open(name, "w").write("".join(json.dumps(r) + "\n" for r in reversed(rows)))'
expect 0 pawl compare --json --scores a.jsonl b.jsonl
check 'r["n"] == 30 and r["wins"] == 30 and r["p_mcnemar"] is None'
near mean_a '1 / 3' && near mean_b '2 / 3'
expect 0 pawl compare --json --cluster user --scores a.jsonl b.jsonl
check 'r["n"] == 30'
printf '{"id": "x", "sample": 0, "score": 1}\n{"id": "y", "score": 0}\n' >a.jsonl
bad '{"id": "x", "sample": 1, "score": 1}\n{"id": "y", "score": 0}\n{"id": "x", "sample": 1, "score": 0}\n' \
    'e["line"] == 3 and "twice" in e["message"] and "sample" in e["hint"]'
bad '{"id": "x", "sample": "b", "score": 1}\n' 'e["line"] == 1 and e["field"] == "sample"'

# What `eval --samples` writes is such a file.
scripted_project p
expect 0 pawl -C p eval --json --samples 3 --limit 20 --per-case "$work/rows.jsonl"
mean=$(field 'r["mean"]')
[ "$(grep -c '"sample":2' rows.jsonl)" = 20 ] || fail "not 20 cases with a third sample"
expect 0 pawl compare --json --scores rows.jsonl rows.jsonl
check 'r["n"] == r["ties"] == 20' && near mean_a "$mean"

# What `eval --per-case` writes names the clusters of its visible cases, so compare can heed them.
careful_model | own_project own 15 15 100
sed -i -E 's/"id": "q([0-9]+)([0-9])"/"cluster": "c\1", &/' own/data/*.jsonl
expect 0 pawl init --json -C own
printf 'Answer. Take care: check the number.\n' >own/answer.md
for side in old new; do expect 0 pawl eval --json -C own --per-case $side.jsonl; done
python3 -c '
import json
rows = [json.loads(line) for line in open("new.jsonl")]
assert len(rows) == 15 and {row["cluster"] for row in rows} == {"c1000", "c1001"}, rows[0]'
pawl compare --json --cluster cluster --scores old.jsonl new.jsonl >"$work/out" 2>"$work/err"
check 'r["n"] == 15 and r["difference"] == 0'
