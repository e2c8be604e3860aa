# On pure noise the seed stays: whatever mipro and the placebo find on dev is luck, and the gate says no. Five
# projects each, their seeds fixed beforehand; more in tests/long/calibration.py.
. "$(dirname "$0")/lib.sh"
noise() { cat <<'L'
function complete(request)
  if request.role == "reflect" then
    return "```\nAnswer the question, way " .. math.floor(1e9 * random(request)) .. ".\n```"
  end
  local even = tonumber(request.messages[#request.messages].content:match("%d+")) % 2 == 0
  if random(request) >= 0.60 then even = not even end
  return even and "yes" or "no"
end
L
}
for operator in mipro placebo; do
    offers=0 promotions=0
    for seed in 1 2 3 4 5; do
        rm -rf p data
        noise | own_project p 40 30 60
        edit p/pawl.yaml 'evaluations: 600}' 'evaluations: 900}, dev_check: false'
        edit p/pawl.yaml 'name: own' "name: own
seed: $seed"
        export PAWL_TEST_SEED=$seed
        expect 0 pawl init --json -C p
        pawl improve --json -C p --operator $operator --seed $seed >"$work/out" 2>"$work/err"
        check 'r["operator"] == "'$operator'" and r["evaluations"] <= 900 and r["verdict"] in ("none", "no", "promote")'
        case $(field 'r["verdict"]') in
        no) offers=$((offers + 1)) ;;
        promote) offers=$((offers + 1)) promotions=$((promotions + 1)) ;;
        esac
    done
    # Without luck on dev there would be nothing to refuse, and this would test nothing.
    [ "$offers" -ge 4 ] || fail "$operator offered in $offers of 5 runs"
    [ "$promotions" -eq 0 ] || fail "$operator was promoted on noise in $promotions of 5 runs"
done
