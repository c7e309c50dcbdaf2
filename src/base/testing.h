// SPDX-License-Identifier: Apache-2.0
/*
 * testing: TEST and CHECK over cmocka. A TEST registers itself before main; the
 * tests of one file form one cmocka group. Only test code includes this.
 *
 * Thread: CHECK from the test's own thread only (cmocka jumps out of it).
 */
#ifndef BASE_TESTING_H
#define BASE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline void check_equal(long long a, long long b, const char *text, const char *file,
                               int line)
{
    if (a != b)
        print_error("%s: %lld and %lld\n", text, a, b);
    _assert_true(a == b, text, file, line);
}

struct unit_test {
    const char *file;
    const char *name;
    void (*run)(void **state);
    struct unit_test *next;
};

/* In test/unit_main.c. */
void unit_test_register(struct unit_test *test);

#define TEST(test_name)                                                                            \
    static void test_name(void **state);                                                           \
    static struct unit_test test_name##_entry = {__FILE__, #test_name, test_name, NULL};           \
    __attribute__((constructor)) static void test_name##_register(void)                            \
    {                                                                                              \
        unit_test_register(&test_name##_entry);                                                    \
    }                                                                                              \
    static void test_name(void **state __attribute__((unused)))

#define CHECK(claim) _assert_true(!!(claim), #claim, __FILE__, __LINE__)
#define CHECK_EQUAL(a, b)                                                                          \
    check_equal((long long)(a), (long long)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_TEXT(a, b) assert_string_equal(a, b)

#endif
