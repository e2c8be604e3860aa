# What a stranger reads: every command is in a group, its help has an example, and the example works.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=12 PAWL_MODELS="$work/models"
expect 0 pawl help
grep -q '^More:' "$work/out" && fail "a command is in no group: src/cli/help.c"
cp "$work/out" all
expect 0 pawl --help
cmp -s all "$work/out" || fail "help and --help differ"
expect 2 pawl
cmp -s all "$work/err" || fail "no command at all does not print the help"
verbs=$(sed -n 's/^  \([a-z]*\)  .*/\1/p' all)
[ "$(echo "$verbs" | wc -l)" -ge 20 ] || fail "too few commands: $verbs"
expect 2 pawl help frob
expect 2 pawl help evil
says 'pawl eval'
for wrong in '-C' '--config' 'init -C' 'improve --budget' '--frob' 'eval --frob' 'status --baseline'; do
    # shellcheck disable=SC2086
    expect 2 pawl $wrong
    says 'pawl help'
done

for verb in $verbs; do
    expect 0 pawl help "$verb"
    cp "$work/out" "help.$verb"
    expect 0 pawl "$verb" --help
    cmp -s "help.$verb" "$work/out" || fail "help $verb and $verb --help differ"
    [ "$(awk 'length > 105' "help.$verb" | wc -l)" = 0 ] || fail "help of $verb: a line is too long"
    sed -n '/^Example:/,$s/^  //p' "help.$verb" >"example.$verb"
    grep -q "^pawl $verb" "example.$verb" || fail "help of $verb has no example of its own"
done

# The examples, in an order in which a person could type them.
mkdir bin p
printf '#!/bin/sh\nexec "%s" "$@"\n' "$PAWL_BIN" >bin/pawl
chmod +x bin/pawl
PATH="$work/bin:$PATH"
cd p || exit 99
printf 'id,question,answer\nnew1,Is 20002 even?,yes\n' >new-cases.csv
for name in old new; do
    for i in 1 2 3 4 5 6; do echo "{\"id\": \"c$i\", \"user\": \"u$((i % 3))\", \"score\": $((i % 2))}"; done >$name.jsonl
done
example() { # example CODE VERB
    expect "$1" sh -c "$(cat "../example.$2")"
}
for verb in init validate doctor plan improve log show diff lineage card redteam status certificate export ledger run eval compare rollback; do
    example 0 $verb
done
printf '{"signature": {"instructions": "Be careful."}, "demos": []}' >program.json
example 0 import
printf 'Open from nine to five.\n' >handbook.md
example 0 index
example 0 key
example 2 approve # nothing waits here; approve.sh has what does
example 2 reject
example 0 gate # the stored answer for the same text is free
example 0 promote
sed -i 's/jsonl/csv/' ../example.data # as this project's cases are
example 0 data
for i in $(seq 60000 60060); do
    echo "{\"id\": \"f$i\", \"input\": {\"question\": \"Is $i even?\"}, \"target\": {\"answer\": \"yes\"}}"
done >fresh-cases.jsonl
example 0 rotate
# What the example of model fetches is fetched in model.sh.
grep -q 'pawl model pull smollm2-135m' ../example.model || fail "the example of model"
