# Where everything fails, the fault is in the project: eval says why, and improve stops after the first look
# at dev instead of spending its budget on candidates that fail alike.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=9
mkdir p
careful_model | own_project p 10 30 60
expect 0 pawl init --json -C p

stops() { # stops WORD: eval and improve name the reason
    expect 0 pawl eval --json -C p
    check "r['failed'] == r['n'] == 30 and '$1' in r['reason']"
    expect 0 pawl eval -C p
    says "every case failed, the first because: .*$1"
    for operator in gepa bootstrap textgrad; do
        expect 2 pawl improve --json -C p --operator $operator
        check "r['error']['code'] == 'config' and '$1' in r['error']['message'] and 'failed on all' in r['error']['message']"
        check '"--force" in r["error"]["hint"] and "resume" not in r["error"]["hint"]'
    done
}
printf 'function score() error("boom") end\n' >p/boom.lua
edit p/pawl.yaml 'metric: exact_match' 'metric: {lua: boom.lua}'
stops boom
edit p/pawl.yaml 'metric: {lua: boom.lua}' 'metric: exact_match'
expect 0 pawl eval --json -C p
check 'r["failed"] == 0 and r["reason"] is None'

cp p/model.lua good.lua
printf 'function complete() return {error = "no such deployment"} end\n' >p/model.lua
stops 'no such deployment'

# Somebody may want to search all the same.
pawl improve --json -C p --operator gepa --force --budget evaluations=200 >"$work/out" 2>"$work/err"
check '"error" not in r or r["error"]["code"] not in ("config", "usage")'
check 'r["evaluations"] > 30'

# One case that works is a start.
cp good.lua p/model.lua
printf 'function score(case) if case.input.question ~= "Is 10000 even?" then error("boom") end return 1 end\n' >p/most.lua
edit p/pawl.yaml 'metric: exact_match' 'metric: {lua: most.lua}'
expect 0 pawl eval --json -C p
check 'r["failed"] == 29 and r["reason"] is None'
pawl improve --json -C p --operator bootstrap >"$work/out" 2>"$work/err"
check 'r.get("error", {}).get("code") != "config"'
