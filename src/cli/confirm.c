// SPDX-License-Identifier: Apache-2.0
/* confirm: see confirm.h. Thread: main. */
#include "cli/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/table.h"

bool cli_can_confirm(void)
{
    return isatty(STDIN_FILENO) == 1;
}

bool cli_confirm(const char *format, ...)
{
    char answer[16];
    struct strbuf question, shown;
    va_list args;
    strbuf_init(&question);
    strbuf_init(&shown);
    va_start(args, format);
    strbuf_vprintf(&question, format, args);
    va_end(args);
    table_text(&shown, wire_str_of(strbuf_text(&question)));
    fprintf(stderr, "%s [y/N] ", strbuf_text(&shown));
    strbuf_deinit(&question);
    strbuf_deinit(&shown);
    if (fgets(answer, sizeof(answer), stdin) == NULL)
        return false;
    return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0;
}
