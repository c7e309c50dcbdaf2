// SPDX-License-Identifier: Apache-2.0
/* cleaner-offset-checkpoint: Kafka's form, and what is not it. Thread: the test's. */
#include "log/cleaner_checkpoint.h"

#include <string.h>

#include "base/testing.h"
#include "env/mem_env.h"

static enum err load(struct mem_env *m, struct cleaner_checkpoint *c, const char *text)
{
    mem_env_put_file(m, "d/cleaner-offset-checkpoint", text, strlen(text));
    cleaner_checkpoint_init(c, &m->env);
    return cleaner_checkpoint_load(c, &m->env, "d");
}

TEST(a_cleaner_checkpoint_comes_back_as_it_was_written)
{
    struct mem_env m;
    mem_env_init(&m);
    CHECK_EQUAL(env_dir_make(&m.env, "d"), ERR_OK);
    struct cleaner_checkpoint c;
    cleaner_checkpoint_init(&c, &m.env);
    CHECK_EQUAL(cleaner_checkpoint_load(&c, &m.env, "d"), ERR_OK); /* there is none */
    cleaner_checkpoint_set(&c, "a-b", 3, 77);
    cleaner_checkpoint_set(&c, "t", 0, 5);
    cleaner_checkpoint_set(&c, "t", 0, 6);
    cleaner_checkpoint_set(&c, "u", 0, 9);
    cleaner_checkpoint_drop(&c, "u", 0);
    cleaner_checkpoint_drop(&c, "u", 1);
    CHECK(c.is_dirty);
    struct strbuf text;
    strbuf_init(&text);
    cleaner_checkpoint_text(&c, &text);
    CHECK_EQUAL(cleaner_checkpoint_write(&m.env, "d", &text), ERR_OK);
    strbuf_deinit(&text);
    cleaner_checkpoint_deinit(&c);
    cleaner_checkpoint_init(&c, &m.env);
    CHECK_EQUAL(cleaner_checkpoint_load(&c, &m.env, "d"), ERR_OK);
    CHECK_EQUAL(cleaner_checkpoint_of(&c, "a-b", 3), 77);
    CHECK_EQUAL(cleaner_checkpoint_of(&c, "t", 0), 6);
    CHECK_EQUAL(cleaner_checkpoint_of(&c, "u", 0), 0);
    CHECK(!c.is_dirty);
    cleaner_checkpoint_deinit(&c);
    mem_env_deinit(&m);
}

TEST(a_broken_cleaner_checkpoint_counts_as_empty)
{
    static const char *const texts[] = {"", "0\n2\nt 0 5\n", "1\n1\nt 0 5\n", "0\n1\nt 0 5x\n",
                                        "0\n1\nt -1 5\n"};
    struct mem_env m;
    mem_env_init(&m);
    CHECK_EQUAL(env_dir_make(&m.env, "d"), ERR_OK);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct cleaner_checkpoint c;
        CHECK_EQUAL(load(&m, &c, texts[i]), ERR_CORRUPT);
        CHECK_EQUAL(cleaner_checkpoint_of(&c, "t", 0), 0);
        cleaner_checkpoint_deinit(&c);
    }
    struct cleaner_checkpoint c;
    CHECK_EQUAL(load(&m, &c, "0\n1\nt 0 5\n"), ERR_OK); /* as Kafka writes it */
    CHECK_EQUAL(cleaner_checkpoint_of(&c, "t", 0), 5);
    cleaner_checkpoint_deinit(&c);
    mem_env_deinit(&m);
}
