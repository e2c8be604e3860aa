# An attempt at the sealed set is spent for good: not by asking again, rolling back, copying the project
# or putting an older state back does anybody get one more. The audit view ends the set's life.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
# Its proposals differ, so that runs differ.
careful_model | sed 's/check the number/check the number \\" .. math.floor(1000 * random(request)) .. \\" times/; s/\\"/"/g' |
    own_project p 20 40 300
expect 0 pawl init --json -C p
expect 0 pawl improve --json -C p --seed 1
check 'r["verdict"] == "promote" and r["attempts"] == 1'
first=$(field 'r["best"]')
cp -a p/.pawl older
cp -a "$XDG_DATA_HOME" data-1

# Asking again is free and says the same.
expect 1 pawl gate --json -C p seed
check 'r["attempt"] == 2 and r["verdict"] == "no" and r["certificate"] is None'
cp "$work/out" "$work/asked"
expect 1 pawl gate --json -C p seed
cmp -s "$work/out" "$work/asked" || fail "asked again, the gate says something else"
left=$(field 'r["attempts_left"]')

# A rollback gives nothing back.
expect 0 pawl status --json -C p
wear=$(field 'r["wear"]')
expect 0 pawl rollback --json -C p --reason 'a test'
check "r['previous'] == '$first'"
expect 0 pawl status --json -C p
check "r['attempts'] == 2 and str(r['wear']) == \"$wear\" and r['wear']['attempts_left'] == $left"

# An older state, put back, is found.
integrity() { check 'r["error"]["code"] == "integrity" and len(r["error"]["hint"]) > 10'; }
mv p/.pawl newer && cp -a older p/.pawl
expect 4 pawl gate --json -C p seed
integrity
rm -rf p/.pawl && mv newer p/.pawl

# So is an older or a lost counter, on the other side.
counter=$(ls "$XDG_DATA_HOME"/pawl/vaults/*/counter)
cp -a "$XDG_DATA_HOME" data-2
# A copy of the project shares the attempts of the first: what one spends is gone for the other.
cp -a p q
pawl improve --json -C q --seed 2 >"$work/out" 2>"$work/err"
[ $? -le 1 ] || fail "a copied project cannot go on"
expect 0 pawl status --json -C q
check 'r["attempts"] == 3'
expect 4 pawl improve --json -C p --seed 3
integrity
grep -q '"evaluations"' "$work/err" && fail "a search was begun on a vault that was put back"
cp -a "$XDG_DATA_HOME" data-3
rm -rf "$XDG_DATA_HOME" && cp -a data-2 "$XDG_DATA_HOME"
expect 4 pawl gate --json -C q "$first"
integrity
rm "$counter"
expect 4 pawl gate --json -C q "$first"
integrity
rm -rf "$XDG_DATA_HOME" && cp -a data-3 "$XDG_DATA_HOME"

# And so are store and counter put back together: the ledger has a record of what they forgot.
cp -a q/.pawl/sealed sealed-3
cp older/sealed/vault.db q/.pawl/sealed/vault.db
rm -rf "$XDG_DATA_HOME" && cp -a data-1 "$XDG_DATA_HOME"
expect 4 pawl gate --json -C q seed
integrity
rm -rf "$XDG_DATA_HOME" q/.pawl/sealed && cp -a data-3 "$XDG_DATA_HOME" && mv sealed-3 q/.pawl/sealed

# The audit view opens everything, is recorded, and ends the attempts.
expect 0 pawl status --json -C q
records=$(field 'r["ledger"]["records"]')
expect 0 pawl certificate --json -C q "$first"
grep -q '"wins"' "$work/out" && fail "counts are open before the audit"
expect 0 pawl certificate --json -C q "$first" --audit
grep -q '"wins"' "$work/out" && grep -q '"losses"' "$work/out" || fail "the audit view shows no counts"
check 'r["evidence_state"] == "opened"'
expect 0 pawl status --json -C q
check "r['ledger']['records'] == $records + 1 and r['wear']['attempts_left'] == 0"
expect 2 pawl improve --json -C q --seed 6
says audit
expect 2 pawl gate --json -C q "$first"
check 'len(r["error"]["message"]) > 10 and len(r["error"]["hint"]) > 10'
expect 0 pawl status --json -C q
check "r['attempts'] == 3"
# What was said stays said.
verified q
expect 0 pawl ledger --json -C q verify
