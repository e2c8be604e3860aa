# Cases that the program cannot take, or whose targets no answer can equal, are refused before they are
# sealed for ever: with file, line, field, the value, and what there is. Nothing is written.
. "$(dirname "$0")/lib.sh"
refused() { # refused EXPR: validate and init refuse, with an error e that is so
    for verb in validate init; do
        expect 2 pawl $verb --json -C p
        [ "$(field "(lambda e: $1)(r['error'])")" = True ] || fail "$verb: the error is not so: $1"
    done
    [ ! -e p/.pawl ] || fail "something was written: $(find p/.pawl)"
}
accepted() { expect 0 pawl validate --json -C p && [ ! -e p/.pawl ] && expect 0 pawl init --json -C p; }
fresh() { # fresh SIGNATURE METRIC: 60 cases, yes and no, of the field "question"
    rm -rf p "$XDG_DATA_HOME" && careful_model >model.lua && own_project p 15 15 30 <model.lua
    edit p/pawl.yaml 'question -> answer: yes | no' "$1"
    edit p/pawl.yaml 'metric: exact_match' "metric: $2"
}
retarget() { # retarget TARGET: what the third case of dev is answered by
    python3 - "$1" <<'P'
import json, sys
lines = open("p/data/dev.jsonl").read().splitlines()
case = json.loads(lines[2])
case["target"] = json.loads(sys.argv[1])
lines[2] = json.dumps(case)
open("p/data/dev.jsonl", "w").write("\n".join(lines) + "\n")
P
}

# Labels in another language; a field of another name; a target that is no choice; an unknown field.
fresh 'question -> answer: ja | nein' exact_match
refused 'e["file"].endswith("train.jsonl") and e["line"] == 1 and e["field"] == "target.answer" and "\"yes\"" in e["message"] and "ja, nein" in e["hint"]'
fresh 'q -> answer: yes | no' exact_match
refused 'e["line"] == 1 and e["field"] == "input" and "\"q\"" in e["message"] and "question" in e["message"] and "inputs are: q" in e["hint"]'
fresh 'q, context -> answer: yes | no' exact_match
refused 'e["field"] == "input" and "inputs are: q, context" in e["hint"]'
fresh 'question -> answer: yes | no' exact_match && retarget '{"answer": "maybe"}'
refused 'e["file"].endswith("dev.jsonl") and e["line"] == 3 and "q10002" in e["message"] and "maybe" in e["message"] and "yes, no" in e["hint"]'
fresh 'question -> answer: yes | no' exact_match && retarget '"maybe"'
refused 'e["line"] == 3 and e["field"] == "target.answer"'
fresh 'question -> answer: yes | no' exact_match && retarget '{"label": "yes"}'
refused 'e["line"] == 3 and e["field"] == "target.label" and "outputs are: answer" in e["hint"]'
fresh 'question -> answer: number' numeric
refused 'e["line"] == 1 and "\"yes\"" in e["message"] and "number" in e["hint"]'
fresh 'question -> answer: boolean' exact_match
refused '"boolean" in e["message"]'

# The metric decides what is equal: case aside, one of several, a part of the text.
fresh 'question -> answer: YES | No' exact_match && retarget '{"answer": ["maybe", "no"]}' && accepted
fresh 'question -> answer: YES | No' '{name: exact_match, ignore_case: false}'
refused 'e["field"] == "target.answer"'
fresh 'question -> answer: yes | no' contains && retarget '{"answer": "ye"}' && accepted
fresh 'question -> answer' exact_match && retarget '{"answer": "maybe"}' && accepted
fresh 'question -> answer: number' numeric
sed -i 's/"yes"/"about 1"/; s/"no"/2/' p/data/*.jsonl && accepted

# A metric of one's own may read targets as it likes, and a command takes any input.
fresh 'question -> answer: ja | nein' '{lua: score.lua}'
echo 'function score(case) return 1 end' >p/score.lua && accepted
fresh 'question -> answer: yes | no' exact_match
edit p/pawl.yaml 'program: {signature: "question -> answer: yes | no", instruction: answer.md}' \
    'program: {command: [/bin/cat, answer.md], components: {answer: answer.md}}'
accepted

# data add asks the same; nothing is added.
fresh 'question -> answer: yes | no' exact_match && accepted
echo '{"id": "n1", "input": {"question": "Is 3 even?"}, "target": {"answer": "perhaps"}}' >new.jsonl
expect 2 pawl data add --json -C p new.jsonl
check 'r["error"]["line"] == 1 and "perhaps" in r["error"]["message"] and "yes, no" in r["error"]["hint"]'
expect 0 pawl init --json -C p
check 'r["cases"] == 60'
# What is sealed is not held against a signature that was changed later: its values are told to nobody.
edit p/pawl.yaml 'yes | no' 'ja | nein'
expect 0 pawl validate --json -C p
exit 0
