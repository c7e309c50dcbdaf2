// SPDX-License-Identifier: Apache-2.0
/*
 * unit_main: runs the registered tests of one folder, a cmocka group per file.
 * An argument selects tests whose "file:name" contains it.
 *
 * Thread: main.
 */
#include "base/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TESTS_MAX = 2048 };

static struct unit_test *tests;

void unit_test_register(struct unit_test *test)
{
    test->next = tests;
    tests = test;
}

static int compare_tests(const void *a, const void *b)
{
    const struct unit_test *x = *(struct unit_test *const *)a;
    const struct unit_test *y = *(struct unit_test *const *)b;
    int files = strcmp(x->file, y->file);
    return files != 0 ? files : strcmp(x->name, y->name);
}

static int run_group(struct unit_test *const *group, size_t count)
{
    struct CMUnitTest cm_tests[TESTS_MAX];
    memset(cm_tests, 0, sizeof(cm_tests));
    for (size_t i = 0; i < count; i++) {
        cm_tests[i].name = group[i]->name;
        cm_tests[i].test_func = group[i]->run;
    }
    return _cmocka_run_group_tests(group[0]->file, cm_tests, count, NULL, NULL);
}

int main(int argc, char **argv)
{
    static struct unit_test *selected[TESTS_MAX];
    size_t count = 0;
    for (struct unit_test *test = tests; test != NULL; test = test->next) {
        char id[512];
        snprintf(id, sizeof(id), "%s:%s", test->file, test->name);
        if (argc > 1 && strstr(id, argv[1]) == NULL)
            continue;
        if (count == TESTS_MAX)
            return 2;
        selected[count++] = test;
    }
    qsort(selected, count, sizeof(selected[0]), compare_tests);
    int failed = 0;
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count; end++) {
            if (strcmp(selected[end]->file, selected[first]->file) != 0)
                break;
        }
        failed += run_group(&selected[first], end - first);
    }
    printf("unit %s: %zu tests, %d failed\n", UNIT_TEST_NAME, count, failed);
    return failed != 0 || count == 0 ? 1 : 0;
}
