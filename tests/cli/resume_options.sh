# A run that is resumed is the run that was recorded: an option beside --resume says the same or is
# refused, with the --fork that takes it; none is passed over.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=5
mkdir p
careful_model | own_project p 20 30 60
expect 0 pawl init --json -C p
pawl improve --json -C p --seed 4 --set minibatch=4 --budget evaluations=300 >"$work/out" 2>"$work/err"
run=$(field 'r["run"]')
spent=$(field 'r["evaluations"]')

refused() { # refused WORD ARGS...: the message names the option, the hint the fork
    word=$1
    shift
    expect 2 pawl improve --json -C p --resume "$run" "$@"
    check "\"another --$word\" in r['error']['message'] and \"--fork $run --$word\" in r['error']['hint']"
}
refused budget --budget evaluations=2500
refused budget --budget evaluations=200
refused budget --budget minutes=5
refused seed --seed 0
refused operator --operator bootstrap
refused set --set minibatch=5
refused set --set max_iterations=3
expect 2 pawl improve --json -C p --resume "$run" --fork "$run"

# What says the same is no change, and nothing more is spent.
pawl improve --json -C p --resume "$run" --seed 4 --operator gepa --set minibatch=4 --budget evaluations=300 \
    >"$work/out" 2>"$work/err"
check "r['run'] == '$run' and r['evaluations'] == $spent and r['seed'] == 4"
# Without --seed a new run has seed 0.
pawl improve --json -C p --budget evaluations=200 >"$work/out" 2>"$work/err"
check "r['run'] != '$run' and r['seed'] == 0"
