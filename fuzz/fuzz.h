/*
 * fuzz.h - what a fuzz target is: one function that must survive any bytes and keep its properties.
 *
 * With clang (`make fuzz`) libFuzzer calls it; otherwise replay.c calls it with every file of
 * fuzz/corpus/NAME, as the test fuzz/NAME. A crash that was found becomes a file of the corpus.
 *
 * Where a checksum, a length or a hash would keep every mutation out, the target writes it itself:
 * the bytes that matter are those behind it. A target of that kind says so in its first comment.
 */
#ifndef PAWL_FUZZ_H
#define PAWL_FUZZ_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* For a reader that wants a path: a file below $TMPDIR, one for each process and ending, replaced
 * by each call and removed at exit. */
const char *pawl_fuzz_file(const char *ending, struct pawl_str text);
/* Its path alone. */
const char *pawl_fuzz_path(const char *ending);

#endif
