# The library as its users meet it: installed, found by pkg-config and by CMake, linked into a program
# that evaluates, improves, is told of progress, and cancels.
source=$(realpath "$(dirname "$0")/../..")
. "$(dirname "$0")/lib.sh"
build=$(dirname "$PAWL_BIN")
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt" 2>/dev/null; }
command -v cmake >/dev/null && [ -e "$build/CMakeCache.txt" ] || skip "no CMake build beside $PAWL_BIN"
command -v pkg-config >/dev/null || skip "no pkg-config"
cmake --install "$build" --prefix "$work/usr" >"$work/out" 2>"$work/err" || {
    grep -q 'No such file\|cannot find' "$work/err" && skip "the build is not complete: $(tail -n 1 "$work/err")"
    fail "cmake --install"
}
[ -x "$work/usr/bin/pawl" ] || fail "no command is installed"
PAWL_EXEC_PATH=$(dirname "$(find "$work/usr/libexec" -name pawl-worker)")
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name pawl.pc)")
export PAWL_EXEC_PATH PKG_CONFIG_PATH
[ -x "$PAWL_EXEC_PATH/pawl-worker" ] || fail "no worker is installed"

cc=$(cached CMAKE_C_COMPILER)
flags='-std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror'
case $(cached PAWL_SANITIZE) in ON | 1 | TRUE) flags="$flags -fsanitize=address,undefined" ;; esac
case $(cached PAWL_TSAN) in ON | 1 | TRUE) flags="$flags -fsanitize=thread" ;; esac
package() { pkg-config --static "$@" pawl; }
[ "$(package --modversion)" = "$("$work/usr/bin/pawl" --version | sed 's/pawl //')" ] || fail "two versions"
for program in examples/embed tests/embed/two_threads; do
    # shellcheck disable=SC2046,SC2086
    expect 0 "$cc" $flags $(package --cflags) "$source/$program.c" $(package --libs) -o "$(basename "$program")"
done

mkdir p slow
export PAWL_TEST_SEED=9
careful_model | own_project p 20 30 300
expect 0 "$work/usr/bin/pawl" init --json -C p
expect 0 ./embed p
for word in 'first tick: {' 'before: {' 'verdict: promoted' 'log: {'; do says "$word"; done
# What the library did is what the command sees.
expect 0 "$work/usr/bin/pawl" status --json -C p
check 'r["runs"] == 1 and r["attempts"] == 1'
expect 2 ./embed empty

unset PAWL_TEST_SEED
careful_model | sed 's/return even and "yes" or "no"/return {text = even and "yes" or "no", delay_ms = 40}/' |
    own_project slow 20 30 60
expect 0 "$work/usr/bin/pawl" init --json -C slow
expect 0 ./two_threads p slow

# The same example by find_package; a header that C++ can read.
expect 0 cmake -S "$source/tests/embed" -B cmake -DCMAKE_PREFIX_PATH="$work/usr" -DEXAMPLE="$source/examples/embed.c" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags"
expect 0 cmake --build cmake
expect 2 cmake/embed
cxx=$(command -v c++) || exit 0
echo '#include <pawl/pawl.h>' >header.cpp
# shellcheck disable=SC2046
expect 0 "$cxx" -fsyntax-only -Wall -Wextra -Werror $(package --cflags) header.cpp
