# The attacks: all that can be made are stopped, and what stops them is the defence: without it the same
# scripts succeed. A grader with holes is found, and the user's project is not touched.
. "$(dirname "$0")/lib.sh"
unset PAWL_TEST_SEED
export TMPDIR="$work/tmp"
mkdir "$TMPDIR"
chmod 755 "$work" "$TMPDIR"
python=$(real_python)

nothing_left() { ! ls -d "$TMPDIR"/pawl-redteam* 2>/dev/null || fail "a stage was left in the temporary folder"; }

# Every page is in order, and the 32 are there.
expect 0 pawl redteam --list --json
check '[a["id"] for a in r["attacks"]] == ["A%d" % i for i in range(1, 33)]'
check 'all(a["needs"] or a["held_by"] for a in r["attacks"])'
check 'all(a["control"] for a in r["attacks"] if a["held_by"])'
expect 2 pawl redteam --only A99
says 'redteam --list'
expect 2 pawl redteam --mine --json
check 'r["error"]["code"] == "usage" and "-C" in r["error"]["hint"]'

# All of them, and nothing is left of it.
expect 0 pawl redteam --json
check 'r["failed"] == 0 and r["void"] == 0 and r["prevented"] + r["detected"] + r["skipped"] == 32'
check 'all(a["why"].startswith("needs ") for a in r["attacks"] if a["result"] == "skipped")'
check 'all(len(a["why"]) > 20 for a in r["attacks"])'
cp "$work/out" all
nothing_left
[ ! -e "$XDG_DATA_HOME" ] || fail "the user's data home was touched"
expect 0 pawl redteam --only A5
says 'A5   detected'
says '0 prevented, 1 detected, 0 failed, 0 void, 0 skipped'
[ -x /usr/bin/python3 ] || [ -x /usr/local/bin/python3 ] || skip "no python3, so most attacks and all controls are missing"
# What is skipped where the kernel confines commands is what does not exist yet.
cp all "$work/out"
check '{a["id"] for a in r["attacks"] if a["result"] == "skipped" and "sandbox:" not in a["why"]} == {"A18", "A19", "A26", "A27", "A28", "A31"}'

# Positive controls: the same scripts where nothing confines them. At least one attempt of each succeeds.
cases="0 1 2 3 4 5 6 7 8 9"
control() { # control ID FILE...: the answers of the joined files to the cases, a line each
    id=$1
    rm -rf "$work/control"
    expect 0 pawl redteam --only "$id" --write "$work/control"
    dir=$work/control
    shift
    mkdir -p "$dir/.pawl/store" "$dir/.pawl/sealed" "$dir/data/pawl/vaults/v" "$dir/own"
    for file in .pawl/store/pawl.db .pawl/sealed/vault.db data/pawl/vaults/v/key; do echo x >"$dir/$file"; done
    cp "$dir/data/gate.jsonl" "$dir/data/gate.jsonl~"
    (cd "$dir" && cat "$@") >"$dir/own/joined.py"
    {
        echo '{"load": {"components": {}, "dir": "."}}'
        for i in $cases; do
            echo "{\"id\": \"c$i\", \"input\": {\"question\": \"Is $i even?\"}}"
        done
    } >"$dir/own/lines"
    (cd "$dir/own" && OPENAI_API_KEY=pawl-canary-key timeout 60 "$python" -I -S joined.py \
        "--project=$dir" "--data=$dir/data" <lines >answers 2>errors)
}
succeeds() { # succeeds ID WORD: some answer is not `refused`, and one of them says WORD
    control "$1" tools.py attack.py play.py
    grep -v -e refused -e ready "$dir/own/answers" | grep -q -- "$2" ||
        fail "$1 is void: it is refused without a defence: $(cat "$dir/own/answers" "$dir/own/errors")"
}
succeeds A1 'opened to write'
succeeds A2 'found it in'
succeeds A3 '/environ'
succeeds A4 'gate.jsonl~'
succeeds A9 'replace'
cases='0 2' # no bomb of processes
succeeds A11 'took'
cases='0 1'
succeeds A12 'wrote 100 MiB'
succeeds A14 sent
succeeds A15 'found'
succeeds A10 left
survivors=$(pgrep -f "joined.py --project=$dir" || true)
[ -n "$survivors" ] || fail "A10 is void: nobody outlives it without a defence"
# shellcheck disable=SC2086
kill -9 $survivors
# A7: the hook in the grader's own process makes all answers equal.
control A7 hook.py grader.py
echo '{"id": "x", "output": {"answer": "wrong"}, "target": {"answer": "right"}}' >"$dir/own/lines"
(cd "$dir/own" && "$python" joined.py <lines) | grep -q '"score": 1.0' || fail "A7 is void"

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
# `contains` gives whoever says every label the full score: a known hole of that metric, and it is found.
edit p/pawl.yaml "metric: {command: [$python, grade.py]}" 'metric: contains'
expect 4 pawl redteam --mine --only A7 --json -C p
# A grader with a network may cost.
edit p/pawl.yaml 'metric: contains' "metric: {command: [$python, grade.py], network: true}"
expect 2 pawl redteam --mine --json -C p
says --spend
nothing_left
