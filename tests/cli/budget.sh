# A budget is never overrun: not by an evaluation, not by a cent. Too small to offer is exit 3.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=3
mkdir p
careful_model | own_project p 20 30 60
edit p/pawl.yaml 'file: model.lua' 'file: model.lua, price_prompt: 1.0, price_completion: 5.0'
expect 0 pawl init --json -C p

improve() { # improve ARGS...: any ending that is not an error
    pawl improve --json --force -C p "$@" >"$work/out" 2>"$work/err"
    code=$?
    case $code in 0 | 1 | 3) ;; *) fail "exit $code: improve $*" ;; esac
}
limits=$(python3 -c 'import random; r = random.Random(20); print(*(r.randint(1, 400) for _ in range(10)))')
seed=0
for operator in gepa bootstrap mipro placebo; do
    for limit in $limits; do
        seed=$((seed + 1))
        improve --operator "$operator" --seed "$seed" --budget "evaluations=$limit"
        check "0 <= r.get('evaluations', 0) <= $limit"
    done
done

# Not even the smallest search fits, or there is no price to reckon with: that is said before
# anything is written.
records() { pawl status --json -C p | python3 -c 'import json, sys; r = json.load(sys.stdin); print(r["ledger"], r["runs"])'; }
before=$(records)
for operator in gepa bootstrap mipro placebo; do
    expect 3 pawl improve --json --force -C p --operator $operator --seed 90 --budget evaluations=30
    check '"30 evaluations" in r["error"]["message"] and "--budget evaluations=" in r["error"]["hint"]'
done
edit p/pawl.yaml 'price_completion: 5.0' 'price_cached: 0.5'
expect 2 pawl improve --json --force -C p --seed 90 --budget usd=1
check '"price" in r["error"]["message"] and "run" not in r'
edit p/pawl.yaml 'price_cached: 0.5' 'price_completion: 5.0'
[ "$(records)" = "$before" ] || fail "a run that could not begin was recorded"

# What ran out is what the advice is about.
expect 3 pawl improve --json --force -C p --seed 90 --budget evaluations=500,usd=0.0001
check '"--budget usd=" in r["error"]["hint"]'

# Money: prices are per million tokens; the limit holds and is nearly used where work is left.
improve --seed 91 --budget evaluations=500
check 'r["usd"] > 0'
for share in 0.03 0.3; do
    limit=$(python3 -c "import json; print(json.load(open('$work/out'))['usd'] * $share)")
    cp "$work/out" "$work/free"
    improve --seed 92 --budget "evaluations=500,usd=$limit"
    check "0 < r['usd'] <= $limit"
    mv "$work/free" "$work/out"
done

# Without a price there is no budget in money.
edit p/pawl.yaml 'backend: script, file: model.lua, price_prompt: 1.0, price_completion: 5.0' \
    'backend: openai, model: m, base_url: "http://127.0.0.1:9/v1"'
(unset PAWL_TEST_SEED; expect 2 pawl improve --json --force -C p --budget usd=1) || exit 1
says price

# Words that are no budget.
for bad in evaluations=-1 evaluations=x evaluations=0 usd=-1 usd=nan minutes=-2 minutes=inf eggs=3 evaluations evaluations=99999999999999999999; do
    expect 2 pawl improve --json --force -C p --budget "$bad"
done
