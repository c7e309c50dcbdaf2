// SPDX-License-Identifier: Apache-2.0
/* opening_progress: see opening_progress.h. Thread: see there. */
#include "replica/opening_progress.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/strbuf.h"
#include "env/logger.h"

enum { PERIOD_MS = 3000, NAMES_MAX = 4 };

static int64_t now_ms(const struct opening_progress *p)
{
    return (env_mono_ns(p->env) - p->begun_ns) / 1000000;
}

static int64_t scanned_mb(struct opening_progress *p)
{
    return atomic_load_explicit(&p->scanned, memory_order_relaxed) / 1000000;
}

static void name_active(const struct opening_progress *p, struct strbuf *out)
{
    int count = 0;
    LIST_FOR_EACH (node, &p->active) {
        const struct opening *opening = container_of(node, struct opening, link);
        if (count == NAMES_MAX) {
            strbuf_puts(out, " ...");
            return;
        }
        strbuf_printf(out, "%s%s-%" PRId32, count == 0 ? ", at " : " ", opening->topic,
                      opening->index);
        count++;
    }
}

static void arm(struct opening_progress *p)
{
    loop_timer_start(p->loop, &p->timer, env_mono_ns(p->env) + (int64_t)PERIOD_MS * 1000000);
}

static void speak(struct loop_timer *timer)
{
    struct opening_progress *p = container_of(timer, struct opening_progress, timer);
    struct strbuf names;
    ASSERT(p->is_on && p->done <= p->total);
    strbuf_init(&names);
    name_active(p, &names);
    log_info(p->env,
             "opening partitions: %" PRIu32 " of %" PRIu32 " in %" PRId64 " s, %" PRId64
             " MB read by recovery%s",
             p->done, p->total, now_ms(p) / 1000, scanned_mb(p), strbuf_text(&names));
    strbuf_deinit(&names);
    p->has_spoken = true;
    arm(p);
}

void opening_progress_begin(struct opening_progress *p, struct env *env, struct loop *loop,
                            uint32_t total)
{
    ASSERT(!p->is_on && total > 0);
    p->env = env;
    p->loop = loop;
    p->timer = (struct loop_timer){.fire = speak};
    list_init(&p->active);
    p->is_on = true;
    p->has_spoken = false;
    p->total = total;
    p->done = 0;
    p->failed = 0;
    p->begun_ns = env_mono_ns(env);
    atomic_store(&p->scanned, 0);
    arm(p);
}

void opening_progress_started(struct opening_progress *p, struct opening *opening)
{
    ASSERT(p->is_on);
    list_push_back(&p->active, &opening->link);
}

void opening_progress_postponed(struct opening_progress *p, struct opening *opening)
{
    ASSERT(p->is_on && list_is_linked(&opening->link));
    list_remove(&opening->link);
}

void opening_progress_finished(struct opening_progress *p, struct opening *opening, bool is_open)
{
    opening_progress_postponed(p, opening);
    p->done++;
    p->failed += !is_open;
}

void opening_progress_end(struct opening_progress *p)
{
    if (!p->is_on)
        return;
    ASSERT(list_is_empty(&p->active));
    p->is_on = false;
    loop_timer_stop(p->loop, &p->timer);
    if (!p->has_spoken && atomic_load(&p->scanned) == 0)
        return;
    log_info(p->env,
             "opened %" PRIu32 " partitions in %" PRId64 " ms, %" PRId64
             " MB read by recovery, %" PRIu32 " offline",
             p->done - p->failed, now_ms(p), scanned_mb(p), p->failed);
}
