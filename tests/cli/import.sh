# What DSPy has saved becomes an artifact: instruction and whole demonstrations, matched to the modules;
# nothing is put in force; what is no such file is refused at its place.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=7
scripted_project p
expect 0 pawl status -C p --json
before=$(field 'r["incumbent"]')

# As dspy 3 writes a Predict of "question -> answer": a demonstration of its own, one that lacks the
# answer, and one with a field that we do not have.
cat >predict.json <<'J'
{"traces": [], "train": [], "lm": null,
 "demos": [{"augmented": true, "question": "Is 4 even?", "answer": "yes"},
           {"question": "Is 5 even?"},
           {"dspy_uuid": "x", "question": "Is 7 even?", "answer": "no", "reasoning": "It is odd."}],
 "signature": {"instructions": "Think carefully: \"even\" means divisible by two.\n<script>",
               "fields": [{"prefix": "Question:", "description": "${question}"},
                          {"prefix": "Answer:", "description": "${answer}"}]},
 "metadata": {"dependency_versions": {"python": "3.11", "dspy": "3.4.1", "cloudpickle": "3.1"}}}
J
expect 0 pawl import dspy predict.json -C p --json
check 'r["modules"] == [{"module": "", "predictor": "", "demos": 2, "left_out": 1}]'
check 'r["onto"] == "'"$before"'"'
artifact=$(field 'r["artifact"]')
expect 0 pawl show "$artifact" -C p --json
check '{c["role"]: c["text"] for c in r["components"]}["instruction"].endswith("by two.\n<script>")'
check '__import__("json").loads({c["role"]: c["text"] for c in r["components"]}["demos"]) == [{"question": "Is 4 even?", "answer": "yes"}, {"question": "Is 7 even?", "answer": "no"}]'
expect 0 pawl status -C p --json
check 'r["incumbent"] == "'"$before"'"'
expect 0 pawl eval --artifact "$artifact" -C p --json
check 'r["failed"] == 0'
expect 0 pawl import dspy predict.json -C p # the same again is the same
says '2 demonstrations; 1 left out'
says "artifact $(echo "$artifact" | cut -c1-12), not in force"
expect 1 pawl gate "$artifact" -C p --json
check 'r["artifact"] == "'"$artifact"'" and r["attempt"] == 1'

# A program of one predictor under a name.
sed 's/^{/{"classify.predict": {/; s/^ "metadata"/ "x": 0}, "metadata"/' predict.json >named.json
expect 0 pawl import dspy named.json -C p --json
check 'r["artifact"] == "'"$artifact"'" and r["modules"][0]["predictor"] == "classify.predict"'

refused() { # refused CONTENT SENTENCE
    printf '%s' "$1" >wrong.json
    expect 2 pawl import dspy wrong.json -C p
    says "$2"
}
refused '{"a": {"signature": {"instructions": "x"}}, "b": {"signature": {"instructions": "y"}}}' 'is no module of this program'
refused '{"a": {"signature": {}}}' 'has no instructions'
refused '{"a": 1}' 'program.save'
refused '[]' 'program.save'
refused '{"a": ' 'wrong.json:1'
refused '' 'wrong.json'
expect 2 pawl import dspy absent.json -C p
says 'absent.json'
expect 2 pawl import gepa predict.json -C p
expect 2 pawl import dspy -C p
expect 0 pawl ledger verify -C p

# And out again: what is exported as DSPy's file comes back as the same artifact; the prompt as it is said.
expect 0 pawl export dspy "$artifact" out.json -C p
says 'written to out.json'
expect 0 pawl import dspy out.json -C p --json
check 'r["artifact"] == "'"$artifact"'"'
expect 0 pawl export openai "$artifact" -C p
cp "$work/out" messages.json
python3 - <<'P' || fail "the messages are not those of the program"
import json
said = json.load(open("messages.json"))["messages"]
assert [m["role"] for m in said] == ["system"] + 2 * ["user", "assistant"] + ["user"], said
assert said[0]["content"].startswith("Think carefully") and said[1]["content"] == "Is 4 even?", said
assert said[2]["content"] == "yes" and said[-1]["content"] == "{{question}}", said
P
expect 0 pawl export text "$artifact" -C p
says '^assistant:'
says '^{{question}}'
expect 2 pawl export text "$artifact" p/pawl.yaml -C p
says 'Nothing is written'
expect 2 pawl export prose -C p

# A pipeline: predictors by the names of its modules, and back.
expect 0 pawl init --json --template pipeline -C q
expect 0 pawl export dspy seed pipeline.json -C q
python3 - <<'P' || fail "the predictors are not the modules"
import json
saved = json.load(open("pipeline.json"))
names = [key for key in saved if key != "metadata"]
assert len(names) == 2 and all("instructions" in saved[key]["signature"] for key in names), names
P
expect 0 pawl import dspy pipeline.json -C q --json
check 'len(r["modules"]) == 2 and r["artifact"] == r["onto"]'
expect 0 pawl export openai seed -C q
cp "$work/out" pipeline.messages
python3 -c 'import json; d = json.load(open("pipeline.messages")); assert len(d) == 2 and all("messages" in m for m in d.values())' ||
    fail "the messages of a pipeline"
expect 0 pawl export text seed -C q
[ "$(grep -c '^=== ' "$work/out")" = 2 ] || fail "the modules of a pipeline"
