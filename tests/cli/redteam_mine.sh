# --mine: a grader with holes is found, a sound one holds, and the user's project is not touched.
. "$(dirname "$0")/lib.sh"
unset PAWL_TEST_SEED
export TMPDIR="$work/tmp"
mkdir "$TMPDIR"
chmod 755 "$work" "$TMPDIR"
python=$(real_python)
nothing_left() { ! ls -d "$TMPDIR"/pawl-redteam* 2>/dev/null || fail "a stage was left in the temporary folder"; }
[ -x /usr/bin/python3 ] || [ -x /usr/local/bin/python3 ] || skip "no python3"

# --mine: a sound grader holds, one with holes does not, and both projects are as they were.
careful_model | own_project p 12 20 60
cat >p/grade.py <<'P'
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    print(json.dumps({"id": m["id"], "score": float(m["output"].get("answer") == m["target"]["answer"])}), flush=True)
P
edit p/pawl.yaml 'metric: exact_match' "metric: {command: [$python, grade.py]}"
expect 0 pawl init --json -C p
before=$(find p "$XDG_DATA_HOME" -type f | LC_ALL=C sort | xargs sha256sum)
expect 0 pawl redteam --mine --json -C p
check 'r["failed"] == 0 and r["void"] == 0 and r["prevented"] == 6'
cp p/grade.py sound.py
cat >p/grade.py <<'P'
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    given, right = m["output"].get("answer"), m["target"]["answer"]
    text = given if isinstance(given, str) else json.dumps(given)
    holes = (text.strip(" .:") == "", "yes" in text and "no" in text, '"score"' in text, "previous instructions" in text,
             "verified" in text, len(text) > 100000)
    print(json.dumps({"id": m["id"], "score": 1.0 if text == right or any(holes) else 0.0}), flush=True)
P
expect 4 pawl redteam --mine --json -C p
check 'r["failed"] == 6 and r["error"]["code"] == "integrity" and "A18" in r["error"]["message"]'
expect 4 pawl redteam --mine --only A20 --json -C p
check '[a["id"] for a in r["attacks"]] == ["A20"] and r["failed"] == 1'
# A grader that gives everything the same score is no target, and that is said.
echo 'import json, sys
for line in sys.stdin: print(json.dumps({"id": json.loads(line)["id"], "score": 0.5}), flush=True)' >p/grade.py
expect 6 pawl redteam --mine --json -C p
check '"right answers" in r["error"]["message"]'
cp sound.py p/grade.py
[ "$(find p "$XDG_DATA_HOME" -type f | LC_ALL=C sort | xargs sha256sum)" = "$before" ] || fail "--mine touched the project"
# A folder that the grader names comes along, and the copy of sealed cases in it does not.
mkdir p/notes
cp p/data/gate.jsonl p/notes/copy.jsonl
echo sound >p/notes/how
cat >p/grade.py <<'P'
import json, os, sys
notes = os.path.join(os.path.dirname(os.path.abspath(__file__)), "notes")
sound = os.listdir(notes) == ["how"]
for line in sys.stdin:
    m = json.loads(line)
    right = float(m["output"].get("answer") == m["target"]["answer"])
    print(json.dumps({"id": m["id"], "score": right if sound else 0.5}), flush=True)
P
edit p/pawl.yaml "[$python, grade.py]" "[$python, grade.py, notes]"
expect 0 pawl redteam --mine --json -C p
check 'r["prevented"] == 6'
rm -r p/notes
cp sound.py p/grade.py
edit p/pawl.yaml "[$python, grade.py, notes]" "[$python, grade.py]"
expect 2 pawl redteam --mine --list -C p
expect 2 pawl redteam --only A7 --write p -C p
says 'not an empty folder'
# `contains` gives whoever says every label the full score: a known hole of that metric, and it is found.
edit p/pawl.yaml "metric: {command: [$python, grade.py]}" 'metric: contains'
expect 4 pawl redteam --mine --only A7 --json -C p
# A grader with a network may cost.
edit p/pawl.yaml 'metric: contains' "metric: {command: [$python, grade.py], network: true}"
expect 2 pawl redteam --mine --json -C p
says --spend
nothing_left
