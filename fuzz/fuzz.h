/*
 * fuzz.h - what a fuzz target is: one function that must survive any bytes and keep its properties.
 *
 * With clang (`make fuzz`) libFuzzer calls it; otherwise replay.c calls it with every file of
 * fuzz/corpus/NAME, as the test fuzz/NAME. A crash that was found becomes a file of the corpus.
 */
#ifndef PAWL_FUZZ_H
#define PAWL_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

#endif
