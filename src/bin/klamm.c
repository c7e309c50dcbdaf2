// SPDX-License-Identifier: Apache-2.0
/* klamm: the main file of the binary. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
