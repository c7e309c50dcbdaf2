// SPDX-License-Identifier: Apache-2.0
/*
 * rdkafka: librdkafka, loaded when a command needs it. The binary is not linked with it: a broker
 * needs nothing but glibc on its machine.
 *
 *     struct rdkafka k;
 *     if (!rdkafka_load(&k)) ...                   // it has been said why
 *     k.poll(rk, 100);                            // rd_kafka_poll
 *
 * Thread: load: main. The functions: as librdkafka says.
 */
#ifndef CLI_RDKAFKA_H
#define CLI_RDKAFKA_H

#include <librdkafka/rdkafka.h>

#include <stdbool.h>

/* The functions that are used here, without their prefix "rd_kafka_". */
#define RDKAFKA_FUNCTIONS(F)                                                                       \
    F(conf_destroy)                                                                                \
    F(conf_new)                                                                                    \
    F(conf_set)                                                                                    \
    F(conf_set_dr_msg_cb)                                                                          \
    F(conf_set_error_cb)                                                                           \
    F(conf_set_log_cb)                                                                             \
    F(conf_set_opaque)                                                                             \
    F(consume_queue)                                                                               \
    F(consume_start_queue)                                                                         \
    F(consume_stop)                                                                                \
    F(destroy)                                                                                     \
    F(err2str)                                                                                     \
    F(fatal_error)                                                                                 \
    F(flush)                                                                                       \
    F(header_add)                                                                                  \
    F(header_get_all)                                                                              \
    F(headers_copy)                                                                                \
    F(headers_destroy)                                                                             \
    F(headers_new)                                                                                 \
    F(message_destroy)                                                                             \
    F(message_headers)                                                                             \
    F(message_timestamp)                                                                           \
    F(new)                                                                                         \
    F(outq_len)                                                                                    \
    F(poll)                                                                                        \
    F(producev)                                                                                    \
    F(queue_destroy)                                                                               \
    F(queue_new)                                                                                   \
    F(topic_destroy)                                                                               \
    F(topic_new)

/* __typeof__ keeps each pointer's type that of the header. */
#define RDKAFKA_FIELD(name) __typeof__(rd_kafka_##name) *name;

struct rdkafka {
    RDKAFKA_FUNCTIONS(RDKAFKA_FIELD)
};

/* False: it is not there, or too old; one line on stderr has said so. It stays loaded. */
bool rdkafka_load(struct rdkafka *out);

struct rdkafka_setting {
    const char *key;
    const char *value;
};

struct rdkafka_options {
    rd_kafka_type_t type;
    const struct rdkafka_setting *settings;
    size_t setting_count;
    void (*on_error)(rd_kafka_t *rk, int error, const char *reason, void *opaque);
    void (*on_delivery)(rd_kafka_t *rk, const rd_kafka_message_t *message,
                        void *opaque); /* or NULL */
    void *opaque;                      /* for these */
};

/* What librdkafka would log is dropped. NULL: it has been said why. */
rd_kafka_t *rdkafka_new(const struct rdkafka *k, const struct rdkafka_options *options);

#endif
