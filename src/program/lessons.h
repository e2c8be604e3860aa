/*
 * lessons.h - what a strategy remembers of its failed attempts at one case: an episodic memory of bounded
 * size.
 *
 * Invariants
 *   1. At most `keep` lessons, the latest; at most PAWL_LESSON_BYTES each, cut between characters: a model
 *      that writes without end fills nothing.
 *   2. No lesson is empty or stands there twice: what is said again becomes the latest.
 *   3. It ends with the case. What is remembered across cases is a component (operators/op_reflexion.c).
 *
 *     struct pawl_lessons lessons = {.keep = 3};
 *     pawl_lessons_add(&lessons, reply.text);
 *     pawl_lessons_write(&lessons, &turn);
 */
#ifndef PAWL_PROGRAM_LESSONS_H
#define PAWL_PROGRAM_LESSONS_H

#include "base/str.h"

enum { PAWL_LESSONS_MAX = 16, PAWL_LESSON_BYTES = 2000 };

struct pawl_lessons {
    struct pawl_str list[PAWL_LESSONS_MAX]; /* borrowed; the oldest first */
    size_t n, keep;
};
/* The text is to live as long as the lessons. */
void pawl_lessons_add(struct pawl_lessons *lessons, struct pawl_str text);
/* A line "- " for each; nothing where there are none. */
void pawl_lessons_write(const struct pawl_lessons *lessons, struct pawl_buf *out);
/* At most so many bytes of valid UTF-8, cut between characters. */
struct pawl_str pawl_text_cut(struct pawl_str text, size_t max_bytes);

#endif
