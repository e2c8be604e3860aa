/*
 * page.h - the parts of the certificate's page, built in (cmake/PawlPage.cmake; front_page.c joins them).
 *
 * page.html has three marks, each once: @HASH@, the SHA-256 of the script, which alone the page's content
 * security policy lets run; @DATA@; and @SCRIPT@.
 */
#ifndef PAWL_IMPROVE_PAGE_H
#define PAWL_IMPROVE_PAGE_H

#include <stddef.h>

struct pawl_page_text {
    const unsigned char *bytes;
    size_t n_bytes;
};
extern const struct pawl_page_text pawl_page_html, pawl_page_js;

#endif
