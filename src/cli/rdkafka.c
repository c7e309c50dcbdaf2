// SPDX-License-Identifier: Apache-2.0
/* rdkafka: finds librdkafka and its functions at run time. See rdkafka.h. Thread: main. */
#include "cli/rdkafka.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "cli/options.h"

#define RDKAFKA_FILE "librdkafka.so.1"

struct wanted {
    const char *name;
    size_t at; /* of the pointer in struct rdkafka */
};

#define RDKAFKA_WANTED(name) {"rd_kafka_" #name, offsetof(struct rdkafka, name)},

static const struct wanted wanted[] = {RDKAFKA_FUNCTIONS(RDKAFKA_WANTED)};

bool rdkafka_load(struct rdkafka *out)
{
    void *library = dlopen(RDKAFKA_FILE, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        cli_complain("this command needs " RDKAFKA_FILE " (on Debian: apt install librdkafka1): %s",
                     why != NULL ? why : "it cannot be loaded");
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        void *function = dlsym(library, wanted[i].name);
        if (function == NULL) {
            cli_complain(RDKAFKA_FILE " is too old for this command: it has no %s", wanted[i].name);
            dlclose(library);
            return false;
        }
        /* POSIX lets a function's address be kept as an object's. */
        memcpy((char *)out + wanted[i].at, &function, sizeof(function));
    }
    return true;
}

static bool configure(const struct rdkafka *k, rd_kafka_conf_t *conf,
                      const struct rdkafka_options *options)
{
    char why[256];
    for (size_t i = 0; i < options->setting_count; i++) {
        const struct rdkafka_setting *s = &options->settings[i];
        if (k->conf_set(conf, s->key, s->value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
            continue;
        cli_complain("librdkafka refuses %s=%s: %s", s->key, s->value, why);
        return false;
    }
    return true;
}

static void drop_log_line(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
}

rd_kafka_t *rdkafka_new(const struct rdkafka *k, const struct rdkafka_options *options)
{
    rd_kafka_conf_t *conf = k->conf_new();
    k->conf_set_opaque(conf, options->opaque);
    k->conf_set_error_cb(conf, options->on_error);
    k->conf_set_log_cb(conf, drop_log_line);
    if (options->on_delivery != NULL)
        k->conf_set_dr_msg_cb(conf, options->on_delivery);
    if (configure(k, conf, options)) {
        char why[256] = "";
        rd_kafka_t *rk = k->new (options->type, conf, why, sizeof(why));
        if (rk != NULL)
            return rk; /* conf is its own now */
        cli_complain("%s", why);
    }
    k->conf_destroy(conf);
    return NULL;
}
