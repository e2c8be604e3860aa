# Settings that sealing fixed, changed afterwards: init, validate and status say that they change nothing.
. "$(dirname "$0")/lib.sh"
scripted_project p
check 'r["fixed"] == []'
sed -i 's|^data: {|data: {tiers: {train: 0.1, dev: 0.1, gate: 0.8}, max_per_cluster: 3, |' p/pawl.yaml
sed -i 's|^gate: {|gate: {max_attempts: 60, |' p/pawl.yaml
for verb in init validate status; do
    expect 0 pawl $verb --json -C p
    check '[f["field"] for f in r["fixed"]] == ["data.tiers", "data.max_per_cluster", "gate.max_attempts"]'
    check 'r["fixed"][0]["sealed"]["train"] == 0.2 and r["fixed"][0]["configured"]["train"] == 0.1'
    expect 0 pawl $verb -C p
    says 'every case stays in its tier'
done
expect 0 pawl init --json -C p
check 'r["cases"] == 800 and 120 < r["tiers"]["train"] < 200'
# Fewer attempts are heeded, so nothing is said of them; nor of shares that are the sealed ones.
rm -rf q && scripted_project q
sed -i 's|^gate: {|gate: {max_attempts: 5, |' q/pawl.yaml
expect 0 pawl status --json -C q
check 'r["fixed"] == [] and r["wear"]["attempts_left"] == 5'
exit 0
