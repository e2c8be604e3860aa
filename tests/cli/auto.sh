# `--operator auto` picks by program, models and budget, and says why; the choice is the run's own from then on.
. "$(dirname "$0")/lib.sh"
export PAWL_TEST_SEED=4
mkdir p
careful_model | own_project p 20 30 60
expect 0 pawl init --json -C p

pawl improve --json -C p --operator auto --budget evaluations=400 >"$work/out" 2>"$work/err"
check 'r["operator"] == "bootstrap" and "roles: reflect" in r["because"]'
run=$(field 'r["run"]')
pawl improve --json -C p --resume "$run" >"$work/out" 2>"$work/err"
check 'r["operator"] == "bootstrap" and "roles: reflect" in r["because"]'
expect 2 pawl improve --json -C p --operator auto --set minibatch=3
check '"auto" in r["error"]["message"] and "--operator" in r["error"]["hint"]'

edit p/pawl.yaml 'roles: {task: toy}' 'roles: {task: toy, reflect: writer}'
edit p/pawl.yaml 'models: {toy' 'models: {writer: {backend: script, file: model.lua}, toy'
pawl improve --json -C p --operator auto --budget evaluations=900 >"$work/out" 2>"$work/err"
check 'r["operator"] == "mipro" and "cases of dev" in r["because"]'
pawl improve -C p --operator auto --seed 2 --budget evaluations=150 >"$work/out" 2>"$work/err"
says 'gepa was chosen: 150 evaluations'
# Who names an operator is told nothing.
pawl improve --json -C p --operator gepa --seed 3 --budget evaluations=150 >"$work/out" 2>"$work/err"
check '"because" not in r'

# pawl.yaml may leave it open, too; settings are one operator's.
edit p/pawl.yaml 'operator: gepa' 'operator: auto'
expect 0 pawl validate --json -C p
pawl improve --json -C p --seed 4 --budget evaluations=150 >"$work/out" 2>"$work/err"
check 'r["operator"] == "gepa" and "150 evaluations" in r["because"]'
edit p/pawl.yaml 'operator: auto' 'operator: auto, options: {minibatch: 3}'
expect 2 pawl validate --json -C p
check '"\"auto\" is not one" in r["error"]["message"]'
