# No score on sealed cases through `eval --cases`: a file that holds any is refused, spelled otherwise or
# mixed with others too; asking is recorded; --burn goes past it and ends the sealed set's life. And
# nothing that pawl starts gets that far.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=9
careful_model | own_project p 20 40 100
python3 - <<'P'
import json
rows = [json.loads(line) for line in open("p/data/gate.jsonl")]
def write(name, cases):
    with open(name, "w") as f:
        f.writelines(json.dumps(case) + "\n" for case in cases)
fresh = [{"id": f"r{i}", "input": {"question": f"Is {i} even?"}, "target": {"answer": "no" if i % 2 else "yes"}}
         for i in range(70000, 70050)]
write("report.jsonl", fresh)
write("copy.jsonl", rows)
respelled = dict(rows[7], id="other", input={"question": rows[7]["input"]["question"].upper() + " "})
write("mixed.jsonl", fresh + [respelled])
P
expect 0 pawl init --json -C p
ledger() { expect 0 pawl ledger export --json -C p ledger.jsonl; python3 - "$1" <<'P'
import json, sys
print([(r["body"]) for r in map(json.loads, open("ledger.jsonl")) if r["kind"] == sys.argv[1]])
P
}

# A report set lies outside: it is scored as often as anybody likes, and asked about once.
for _ in 1 2; do
    expect 0 pawl eval --json -C p --cases report.jsonl
    check 'r["n"] == 50 and "burned" not in r'
done
# The sealed file itself, a copy, one sealed case among fifty others: refused, and no score is shown.
expect 2 pawl eval --json -C p --cases p/data/gate.jsonl
for file in copy mixed mixed; do
    expect 2 pawl eval --json -C p --cases $file.jsonl --per-case rows.jsonl
    check 'r["error"]["code"] == "usage" and "--burn" in r["error"]["hint"] and "mean" not in r'
    grep -q 'q2000' "$work/out" "$work/err" && fail "the refusal names a case"
    [ -e rows.jsonl ] && fail "rows were written all the same"
done
asked=$(ledger overlap)
[ "$(python3 -c "print([b['overlap'] for b in $asked])")" = '[False, True, True]' ] || fail "each file is asked about once, on record: $asked"
python3 -c "import hashlib; assert $asked[0]['file'] == hashlib.sha256(open('report.jsonl', 'rb').read()).hexdigest()" ||
    fail "the record does not name the file by its hash"
expect 0 pawl status --json -C p
check 'r["attempts"] == 0 and r["wear"]["attempts_left"] > 0'

# --burn without sealed cases in the file burns nothing.
expect 0 pawl eval --json -C p --cases report.jsonl --burn
check '"burned" not in r'
expect 0 pawl eval --json -C p --cases mixed.jsonl --burn
check 'r["n"] == 51 and r["burned"]'
[ "$(python3 -c "print(len($(ledger burn)))")" = 1 ] || fail "burning is not on record"
expect 0 pawl status --json -C p
check 'r["wear"]["attempts_left"] == 0'
expect 2 pawl improve --json -C p
says burn
verified p
expect 0 pawl ledger --json -C p verify

# A --burn that failed after its record (the vault was busy) has burned nothing yet: the next call does.
careful_model | own_project q 20 40 100
(
    export XDG_DATA_HOME="$work/data.q"
    expect 0 pawl init --json -C q
    expect 2 pawl eval --json -C q --cases mixed.jsonl
    exec 9<"$(echo "$XDG_DATA_HOME"/pawl/vaults/*/busy)"
    flock 9
    expect 6 pawl eval --json -C q --cases mixed.jsonl --burn
    flock -u 9
    expect 0 pawl eval --json -C q --cases mixed.jsonl
    expect 0 pawl status --json -C q
    check 'r["wear"]["attempts_left"] == 0'
) || exit

# A program that tries it from inside, with the command and a case file handed to it: the project, its
# ledger and its vault are not there.
python=$(real_python)
cat >p/prog.py <<'P'
import glob, json, subprocess, sys
pawl, cases, project, data = sys.argv[1], sys.argv[2], sys.argv[3][2:], sys.argv[4][2:]
def attempt(*command):
    try:
        done = subprocess.run(command, capture_output=True, timeout=20)
        return "refused" if done.returncode else "scored " + done.stdout.decode()[:200]
    except OSError:
        return "refused"
def reads(pattern):
    try:
        for path in glob.glob(pattern, recursive=True) or [pattern]:
            open(path, "rb").read(1)
            return "read " + path
    except OSError:
        pass
    return "refused"
print(json.dumps({"ready": True, "parallel": 1}), flush=True) if sys.stdin.readline() else None
for line in sys.stdin:
    m = json.loads(line)
    tried = [attempt(pawl, "eval", "--json", "-C", project, "--cases", cases),
             reads(project + "/.pawl/sealed/vault.db"), reads(project + "/.pawl/store/pawl.db"),
             reads(data + "/pawl/vaults/*/key"), reads(project + "/data/gate.jsonl")]
    print(json.dumps({"id": m["id"], "output": {"answer": "refused" if set(tried) == {"refused"} else str(tried)}}),
          flush=True)
P
edit p/pawl.yaml '{signature: "question -> answer: yes | no", instruction: answer.md}' \
    "{command: [$python, prog.py, $PAWL_BIN, $work/report.jsonl, -p$work/p, -d$XDG_DATA_HOME], components: {code: prog.py}, timeout_ms: 60000}"
rm -rf p/.pawl "$XDG_DATA_HOME"
expect 0 pawl init --json -C p
expect 0 pawl eval --json -C p --limit 2 --per-case tried.jsonl
python3 - <<'P' || fail "a program got through the side door"
import json
rows = [json.loads(line) for line in open("tried.jsonl")]
assert len(rows) == 2
for row in rows:
    assert row["status"] == "scored" and row["output"] == {"answer": "refused"}, row
P
