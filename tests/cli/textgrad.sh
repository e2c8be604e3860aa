# textgrad through the command: feedback of judge and reflecting model becomes an instruction that the gate
# promotes; a constraint that forbids it is checked, and then nothing is offered.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=5
mkdir p
careful_model | own_project p 30 60 200
expect 0 pawl init --json -C p

# The only better text there is says "Take care".
expect 1 pawl improve --json -C p --operator textgrad --seed 1 --set 'constraints=[{"lacks":"Take care"}]'
check 'r["operator"] == "textgrad" and r["verdict"] == "none" and r["candidates"] <= 1 and r["attempts"] == 0'
expect 2 pawl improve --json -C p --operator textgrad --set 'constraints=[{"lack":"Take care"}]'
check '"constraints" in (r["error"]["field"] or "") and "lacks" in r["error"]["hint"]'

expect 0 pawl improve --json -C p --operator textgrad --seed 1 --set momentum=2 --set gradient_memory=1
check 'r["verdict"] == "promote" and r["attempts"] == 1'
expect 0 pawl diff seed incumbent -C p
says 'Take care'

# Budgets hold, and too small a one is refused before anything is written.
for operator in textgrad simba; do
    for limit in 211 263 307 401; do
        pawl improve --json --force -C p --operator $operator --seed $limit --budget "evaluations=$limit" \
            >"$work/out" 2>"$work/err"
        check "'error' not in r and 0 < r['evaluations'] <= $limit"
    done
    expect 3 pawl improve --json --force -C p --operator $operator --budget evaluations=60
    check '"60 evaluations" in r["error"]["message"] and "--budget evaluations=" in r["error"]["hint"]'
done
