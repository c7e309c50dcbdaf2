// SPDX-License-Identifier: Apache-2.0
/* store: hands calls on to the kind of store that it is. See store.h. Thread: see there. */
#include "store/store.h"

#include "base/assert.h"

void store_append(struct store *store, struct store_append *append)
{
    ASSERT(append->entry_count > 0 && append->expected_head >= 0);
    ASSERT(append->done != NULL);
    list_init(&append->link);
    store->ops->append(store, append);
}

void store_read(struct store *store, struct store_read *read)
{
    ASSERT(read->from >= 0 && read->entry != NULL && read->done != NULL);
    list_init(&read->link);
    store->ops->read(store, read);
}

void store_write_snapshot(struct store *store, struct store_snapshot *snapshot)
{
    ASSERT(snapshot->position > 0 && snapshot->fill != NULL && snapshot->done != NULL);
    list_init(&snapshot->link);
    store->ops->write_snapshot(store, snapshot);
}

void store_watch_add(struct store *store, struct store_watch *watch)
{
    ASSERT(watch->moved != NULL);
    list_init(&watch->link);
    store->ops->watch_add(store, watch);
}

void store_watch_remove(struct store *store, struct store_watch *watch)
{
    (void)store;
    list_remove(&watch->link);
}

void store_lease_hold(struct store *store, struct store_lease *lease)
{
    ASSERT(lease->changed != NULL);
    store->ops->lease_hold(store, lease);
}

uint32_t store_entry_bytes_max(const struct store *store)
{
    return store->entry_bytes_max;
}

int64_t store_log_bytes(const struct store *store)
{
    return store->ops->log_bytes(store);
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

enum err store_sink_put(struct store_sink *sink, const uint8_t *data, size_t size)
{
    ASSERT(size > 0);
    return sink->put(sink, data, size);
}
