# `minutes` is a deadline on the real clock: the run ends near it, and offers what it has or says 3.
. "$(dirname "$0")/lib.sh"
careful_model | sed 's/return even and "yes" or "no"/return {text = even and "yes" or "no", delay_ms = 25}/' |
    own_project p 20 30 60
expect 0 pawl init --json -C p
began=$(date +%s)
pawl improve --json --force -C p --budget evaluations=100000,minutes=0.05 >"$work/out" 2>"$work/err"
code=$?
took=$(($(date +%s) - began))
case $code in 0 | 1 | 3) ;; *) fail "exit $code" ;; esac
[ "$took" -le 15 ] || fail "a deadline of 3 s was met after $took s"
[ "$code" = 3 ] || check 'r["evaluations"] < 100000'
verified p
expect 0 pawl ledger --json -C p verify
