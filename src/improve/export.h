/*
 * export.h - what is in force, in the forms that other tools read.
 *
 * A verdict goes out signed (attest.h). A prompt goes out as it is said: the module's messages with
 * {{field}} where its inputs stand, as text or as the body of a chat request; or as the program that DSPy
 * loads. A calibration has no place in any of these; it is named as left out.
 */
#ifndef PAWL_IMPROVE_EXPORT_H
#define PAWL_IMPROVE_EXPORT_H

#include "improve/front.h"

#define PAWL_EXPORT_PROMPTS "text|openai|dspy"

/* `format` of PAWL_EXPORT_PROMPTS: the document, in the call's arena; result: "format", "left_out". */
PAWL_MUST_CHECK enum pawl_status pawl_export_prompt(struct pawl_call *call,
                                                    const struct pawl_artifact *artifact,
                                                    const char *format, struct pawl_str *document,
                                                    struct pawl_error *err);

#endif
