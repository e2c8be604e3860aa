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
