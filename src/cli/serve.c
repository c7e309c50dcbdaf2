// SPDX-License-Identifier: Apache-2.0
/*
 * serve: `klamm serve [server.properties] [--set key=value ...]`: one broker in this process.
 *
 * With --ephemeral all of it is in memory, on a free port: a test double.
 *
 * Steps: configuration, log, workers and reactors, the broker; then a line with the listeners
 * on stderr, and it runs until SIGTERM or SIGINT. SIGHUP opens the log file anew. Whatever
 * stops the start is told in one line, with exit status 1.
 *
 * Thread: main, which becomes the first reactor.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "cli/cli.h"
#include "console/console.h"
#include "env/logger_file.h"
#include "env/real_env.h"

extern char **environ;

enum { REACTORS_MAX = 64, REACTORS_DEFAULT_MAX = 4 };

struct serve {
    bool is_ephemeral;
    bool is_until_stdin_ends;
    struct server_config *config;
    struct logger_file *logger;
    struct real_env *real;
    struct env *env;
    struct real_loop *loops[REACTORS_MAX];
    int loop_count;
    struct broker *broker;
    struct console *console;
    bool is_stopping; /* for good */
    bool is_broker_stopped;
    bool is_console_stopped;
    int status;
};

static const char serve_usage[] =
    "usage: klamm serve [server.properties] [--set key=value ...]\n"
    "                   [--ephemeral] [--until-stdin-ends]\n\n"
    "Runs a broker until SIGTERM. Keys come from the file, then the environment (KLAMM_NODE_ID=1\n"
    "is node.id=1), then --set; the last one wins. An empty data directory becomes a broker's.\n\n"
    "--ephemeral        for tests: starts empty, keeps everything in memory, listens on free "
    "ports\n"
    "                   of 127.0.0.1 and does not delay the first rebalance of a group. When it "
    "is\n"
    "                   ready it prints two lines to stdout: HOST:PORT for bootstrap.servers, and\n"
    "                   the address of its pages (an empty line where klamm.admin.listener is\n"
    "                   empty). POST /clock/advance?ms=N there lets N milliseconds pass at once.\n"
    "                   Each key may still be set.\n"
    "--until-stdin-ends stops when its standard input, a pipe, is closed: it does not outlive the\n"
    "                   process that started it.\n\n";

static int print_help(void)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_puts(&text, serve_usage);
    server_config_print_help(&text);
    fputs(strbuf_text(&text), stdout);
    strbuf_deinit(&text);
    return CLI_OK;
}

static int complain(const char *why)
{
    fprintf(stderr, "klamm: %s\n", why);
    return CLI_FAILED;
}

/* ---- configuration */

struct serve_args {
    const char *file;
    const char **sets; /* NULL at the end */
    bool is_ephemeral;
    bool is_until_stdin_ends;
};

/* Where nothing is kept: what differs from a broker's defaults. */
static const char *const ephemeral_defaults[] = {
    "listeners=PLAINTEXT://127.0.0.1:0",
    "klamm.admin.listener=127.0.0.1:0",
    "group.initial.rebalance.delay.ms=0",
    "klamm.journal.bytes=0",
    NULL,
};

static int parse_args(int argc, char **argv, struct serve_args *args)
{
    int set_count = 0;
    args->sets = mem_alloc(((size_t)argc + 1) * sizeof(char *));
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0) {
            if (i + 1 == argc) {
                fputs("klamm: serve: --set needs KEY=VALUE; see klamm serve --help\n", stderr);
                return CLI_USAGE;
            }
            args->sets[set_count++] = argv[++i];
        } else if (strncmp(argv[i], "--set=", 6) == 0) {
            args->sets[set_count++] = argv[i] + 6;
        } else if (strcmp(argv[i], "--ephemeral") == 0) {
            args->is_ephemeral = true;
        } else if (strcmp(argv[i], "--until-stdin-ends") == 0) {
            args->is_until_stdin_ends = true;
        } else if (argv[i][0] == '-' || args->file != NULL) {
            fprintf(stderr, "klamm: serve does not take \"%s\"; see klamm serve --help\n", argv[i]);
            return CLI_USAGE;
        } else {
            args->file = argv[i];
        }
    }
    return CLI_OK;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return NULL;
    char *text = mem_alloc(LIMIT_PROPERTIES_FILE_BYTES + 1);
    *size = fread(text, 1, LIMIT_PROPERTIES_FILE_BYTES + 1, f);
    bool failed = ferror(f) != 0;
    fclose(f);
    if (!failed)
        return text;
    mem_free(text);
    return NULL;
}

static int load_config(const struct serve_args *args, struct server_config **out)
{
    struct server_config_input in = {
        .file_name = args->file,
        .environment = (const char *const *)environ,
        .sets = args->sets,
        .defaults = args->is_ephemeral ? ephemeral_defaults : NULL,
        .defaults_origin = "--ephemeral",
    };
    char *text = NULL;
    if (args->file != NULL) {
        text = read_file(args->file, &in.file_size);
        if (text == NULL) {
            fprintf(stderr, "klamm: %s cannot be read\n", args->file);
            return CLI_FAILED;
        }
        in.file_text = text;
    }
    struct strbuf error;
    strbuf_init(&error);
    int status = CLI_OK;
    if (server_config_load(&in, &error, out) != ERR_OK)
        status = complain(strbuf_text(&error));
    strbuf_deinit(&error);
    mem_free(text);
    return status;
}

/* ---- running */

static void stop_loops(struct serve *s)
{
    for (int i = s->loop_count - 1; i >= 0; i--)
        real_loop_stop(s->loops[i]);
}

static void all_stopped(struct serve *s)
{
    if (s->is_broker_stopped && s->is_console_stopped)
        stop_loops(s);
}

static void broker_stopped(void *arg, bool is_clean)
{
    struct serve *s = arg;
    log_info(s->env, "stopped%s", is_clean ? "" : "; the next start will check the logs");
    s->is_broker_stopped = true;
    all_stopped(s);
}

static void console_stopped(void *arg)
{
    struct serve *s = arg;
    s->is_console_stopped = true;
    all_stopped(s);
}

static void begin_stop(struct serve *s)
{
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    if (s->console != NULL)
        console_stop(s->console, console_stopped, s);
    else
        s->is_console_stopped = true;
    broker_stop(s->broker, broker_stopped, s);
}

static void on_terminate(void *arg)
{
    struct serve *s = arg;
    log_info(s->env, "stopping: asked by a signal");
    begin_stop(s);
}

static void on_stdin_end(void *arg)
{
    struct serve *s = arg;
    log_info(s->env, "stopping: standard input was closed");
    begin_stop(s);
}

static void on_hangup(void *arg)
{
    struct serve *s = arg;
    enum err e = logger_file_reopen(s->logger);
    if (e != ERR_OK)
        log_error(s->env, "the log file could not be opened anew: %s", err_text(e));
    else
        log_info(s->env, "the log file was opened anew");
}

/* For the program that started it, always two lines: the bootstrap server, and the pages or
 * nothing. */
static void print_addresses(const struct serve *s)
{
    struct env_addr addr;
    char text[ENV_ADDR_TEXT_SIZE];
    broker_listener_address(s->broker, 0, &addr);
    printf("%s\n", env_addr_text(&addr, text));
    if (s->console != NULL) {
        console_address(s->console, &addr);
        printf("http://%s", env_addr_text(&addr, text));
    }
    putchar('\n');
    fflush(stdout);
}

static void on_ready(void *arg)
{
    struct serve *s = arg;
    struct strbuf listeners;
    strbuf_init(&listeners);
    broker_describe_listeners(s->broker, &listeners);
    fprintf(stderr, "klamm: ready on %s (cluster %s, node %d)\n", strbuf_text(&listeners),
            broker_cluster_id(s->broker), broker_node_id(s->broker));
    strbuf_deinit(&listeners);
    if (s->is_ephemeral)
        print_addresses(s);
}

static void on_failed(void *arg, const char *why)
{
    struct serve *s = arg;
    s->status = complain(why);
    begin_stop(s);
}

/* ---- setting up */

static void log_lines(struct env *env, enum log_level level, const struct strbuf *lines)
{
    const char *at = strbuf_text(lines);
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        LOG_AT(env, level, "%.*s", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static int reactor_count(const struct server_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int wanted = config->reactors > 0 ? config->reactors
                                      : (int)MIN(MAX(cores, 1L), (long)REACTORS_DEFAULT_MAX);
    return MIN(wanted, (int)REACTORS_MAX);
}

static enum err start_world(struct serve *s)
{
    enum err e = logger_file_open(s->config->log_file, s->config->log_level, &s->logger);
    if (e != ERR_OK) {
        fprintf(stderr, "klamm: the log file %s cannot be opened: %s\n", s->config->log_file,
                err_text(e));
        return e;
    }
    /* Under load each journal has a worker to itself. */
    int journals = s->config->journal_bytes > 0 ? s->config->log_dir_count : 0;
    struct real_env_options options = {.workers = (unsigned)(s->config->disk_workers + journals),
                                       .logger = logger_file_logger(s->logger),
                                       .in_memory = s->is_ephemeral};
    e = real_env_new(&options, &s->real);
    if (e == ERR_OK) {
        s->env = real_env_env(s->real);
        int wanted = reactor_count(s->config);
        while (e == ERR_OK && s->loop_count < wanted) {
            e = real_loop_new(s->real, &s->loops[s->loop_count]);
            s->loop_count += e == ERR_OK;
        }
    }
    if (e != ERR_OK)
        complain("threads or descriptors cannot be had");
    return e;
}

static enum err watch_signals(struct serve *s)
{
    enum err e = real_loop_on_signal(s->loops[0], SIGTERM, on_terminate, s);
    if (e == ERR_OK)
        e = real_loop_on_signal(s->loops[0], SIGINT, on_terminate, s);
    if (e == ERR_OK)
        e = real_loop_on_signal(s->loops[0], SIGHUP, on_hangup, s);
    if (e != ERR_OK)
        complain("signals cannot be watched");
    return e;
}

static enum err watch_stdin(struct serve *s)
{
    if (!s->is_until_stdin_ends)
        return ERR_OK;
    enum err e = real_loop_on_stdin_end(s->loops[0], on_stdin_end, s);
    if (e != ERR_OK)
        complain("--until-stdin-ends: standard input is no pipe");
    return e;
}

static enum err skip_ms(void *arg, int64_t ms)
{
    struct serve *s = arg;
    return real_env_skip_ms(s->real, ms);
}

static enum err start_broker(struct serve *s, struct strbuf *why)
{
    struct loop *loops[REACTORS_MAX];
    for (int i = 0; i < s->loop_count; i++)
        loops[i] = real_loop_loop(s->loops[i]);
    struct broker_options options = {
        .env = s->env,
        .loops = loops,
        .loop_count = (size_t)s->loop_count,
        .config = s->config,
        .events = {s, on_ready, on_failed},
    };
    return broker_new(&options, why, &s->broker);
}

/* The broker is there: from now on every end goes through begin_stop and the loops. */
static int run(struct serve *s)
{
    struct strbuf why;
    strbuf_init(&why);
    enum err e = ERR_OK;
    for (int i = 1; i < s->loop_count && e == ERR_OK; i++) {
        char name[16];
        snprintf(name, sizeof(name), "reactor-%d", i);
        e = real_loop_start(s->loops[i], name);
    }
    struct console_options console = {.env = s->env,
                                      .loop = real_loop_loop(s->loops[0]),
                                      .at = s->config->admin,
                                      .broker = s->broker,
                                      .skip_ms = s->is_ephemeral ? skip_ms : NULL,
                                      .skip_arg = s};
    if (e == ERR_OK && s->config->admin != NULL)
        e = console_start(&console, &why, &s->console);
    if (e == ERR_OK)
        e = broker_start(s->broker, &why);
    if (e != ERR_OK) {
        s->status = complain(why.len > 0 ? strbuf_text(&why) : err_text(e));
        begin_stop(s);
    }
    strbuf_deinit(&why);
    real_loop_run(s->loops[0]);
    for (int i = 1; i < s->loop_count; i++)
        real_loop_join(s->loops[i]);
    return s->status;
}

static void tear_down(struct serve *s)
{
    console_free(s->console);
    broker_free(s->broker);
    for (int i = 0; i < s->loop_count; i++)
        real_loop_free(s->loops[i]);
    real_env_free(s->real);
    logger_file_close(s->logger);
    server_config_free(s->config);
}

static int serve_with(struct serve *s)
{
    if (start_world(s) != ERR_OK)
        return CLI_FAILED;
    if (watch_signals(s) != ERR_OK || watch_stdin(s) != ERR_OK)
        return CLI_FAILED;
    log_lines(s->env, LOG_INFO, &s->config->notes);
    log_lines(s->env, LOG_WARN, &s->config->warnings);
    struct strbuf why;
    strbuf_init(&why);
    enum err e = start_broker(s, &why);
    int status = e == ERR_OK ? run(s) : complain(why.len > 0 ? strbuf_text(&why) : err_text(e));
    strbuf_deinit(&why);
    return status;
}

int cli_serve(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return print_help();
    }
    struct serve_args args = {0};
    struct serve s = {0};
    int status = parse_args(argc, argv, &args);
    if (status == CLI_OK)
        status = load_config(&args, &s.config);
    mem_free(args.sets);
    s.is_ephemeral = args.is_ephemeral;
    s.is_until_stdin_ends = args.is_until_stdin_ends;
    if (status == CLI_OK)
        status = serve_with(&s);
    tear_down(&s);
    return status;
}
