/* templates.h - projects that `pawl init --template NAME` writes; files that exist are kept. */
#ifndef PAWL_IMPROVE_TEMPLATES_H
#define PAWL_IMPROVE_TEMPLATES_H

#include "base/str.h"

struct pawl_template_file {
    const char *path; /* below the project folder */
    const char *text;
    void (*write)(struct pawl_buf *out); /* instead of text, where it is made */
};
struct pawl_template {
    const char *name, *summary;
    const struct pawl_template_file *files; /* ends with a NULL path */
};
const struct pawl_template *pawl_template_find(const char *name); /* NULL if there is none */
const char *pawl_template_names(void);

#endif
