// SPDX-License-Identifier: Apache-2.0
/*
 * canary: bugs that are planted on purpose, each in a program of its own, to show that the
 * simulator catches them (test/sim/canaries.sh).
 *
 * CANARY(NAME) is the constant 1 where KLAMM_CANARY_NAME is defined as 1, by klamm_plant() of
 * CMakeLists.txt for the one program that is to have the bug, and 0 in every other, where the
 * compiler drops what depends on it.
 *
 * Thread: any.
 */
#ifndef BASE_CANARY_H
#define BASE_CANARY_H

/* KLAMM_CANARY_NAME is defined as 1 or not at all: 1 makes a comma, which moves the 1 into the
 * second place. */
#define CANARY(name)             CANARY_LOOK(KLAMM_CANARY_##name)
#define CANARY_LOOK(value)       CANARY_PASTE(value)
#define CANARY_PASTE(value)      CANARY_TAKE(CANARY_COMMA_##value 1, 0, 0)
#define CANARY_COMMA_1           0,
#define CANARY_TAKE(...)         CANARY_SECOND(__VA_ARGS__)
#define CANARY_SECOND(a, b, ...) (b)

#endif
