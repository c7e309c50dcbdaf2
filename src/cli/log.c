// SPDX-License-Identifier: Apache-2.0
/* log: the menu `klamm log`. Thread: main. */
#include "cli/log.h"

#include "cli/options.h"
#include "env/logger.h"
#include "env/real_env.h"

static const struct cli_command commands[] = {
    {"dump", "print what is in files of a log", cli_log_dump},
    {"verify", "check files of a log, partitions, or a whole log directory", cli_log_verify},
    {"flatten", "write a journal into its segments, for other programs", cli_log_flatten},
    {"import", "take over topics of a stopped Apache Kafka", cli_log_import},
};

int cli_log(int argc, char **argv)
{
    static const struct cli_menu menu = {"log", commands, ARRAY_COUNT(commands)};
    return cli_menu_run(&menu, argc, argv);
}

/* What the library of logs has to say goes where a command's complaints go. */
static void write_line(struct logger *logger, enum log_level level, const char *line)
{
    cli_complain("%s", line);
}

struct real_env *log_env_new(void)
{
    static struct logger logger = {.level = LOG_WARN, .write = write_line};
    struct real_env *real = NULL;
    struct real_env_options options = {.workers = 1, .logger = &logger};
    enum err e = real_env_new(&options, &real);
    if (e != ERR_OK)
        cli_complain("cannot start: %s", err_text(e));
    return real;
}
