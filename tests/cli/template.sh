# init --template: what a call that is killed leaves, and a template that waits for its user's cases.
. "$(dirname "$0")/lib.sh"

# Without cases nothing can be sealed: the files are there, and the command says what is next.
expect 0 pawl init --json --template sentiment -C s
check 'r["sealed"] == False and r["absent"].endswith("data/reviews.jsonl") and r["project"] == "sentiment"'
[ -e s/pawl.yaml ] && [ -e s/prompts/sentiment.md ] && [ ! -e s/.pawl ] || fail "not just the template was written"
expect 0 pawl init --template sentiment -C s
says 'put your cases there'
expect 2 pawl init --json -C s # without --template sealing is what was asked for
expect 0 pawl init --json --template scripted -C q
check 'r["sealed"] == True and r["cases"] == 800'

# Killed while it writes the cases: pawl.yaml, which makes a project of the folder, is not there yet.
(ulimit -f 8; "$PAWL_BIN" init --template scripted -C p) >/dev/null 2>&1 && fail "the limit on files did nothing"
[ -d p ] && [ ! -e p/pawl.yaml ] || fail "pawl.yaml was written before the cases"
# What it may have left beside them goes, and nothing else does.
mkdir -p p/data && echo left >p/data/cases.csv.pawl-a1B2c3
echo mine >p/data/cases.csv.backup && echo mine >p/data/cases.csv.pawl-notes
expect 0 pawl init --json --template scripted -C p
[ "$(ls p/data | tr '\n' ' ')" = 'cases.csv cases.csv.backup cases.csv.pawl-notes ' ] || fail "in data/: $(ls p/data)"
exit 0
