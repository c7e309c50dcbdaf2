// SPDX-License-Identifier: Apache-2.0
/*
 * nearest: how far one name is from another, for "did you mean".
 *
 * Thread: any.
 */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include "wire/message.h"

enum { NEAREST_NAME_MAX = 255 }; /* bytes; longer names are far from all others */

/* How many letters have to be put in, left out, replaced or swapped with their neighbour to come
 * from one to the other. */
int nearest_distance(struct wire_str a, struct wire_str b);

/* Is that little, for a name of this length? */
bool nearest_is_close(struct wire_str name, int distance);

#endif
