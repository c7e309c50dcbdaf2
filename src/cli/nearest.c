// SPDX-License-Identifier: Apache-2.0
/* nearest: see nearest.h: optimal string alignment, row by row. Thread: any. */
#include "cli/nearest.h"

#include <limits.h>

#include "base/macros.h"

enum { LETTERS_PER_SLIP = 3 };

int nearest_distance(struct wire_str a, struct wire_str b)
{
    int rows[3][NEAREST_NAME_MAX + 1]; /* of a's letter, the one before it, and before that */
    if (a.len < 0 || b.len < 0 || a.len > NEAREST_NAME_MAX || b.len > NEAREST_NAME_MAX)
        return INT_MAX;
    for (int j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a.len; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= b.len; j++) {
            bool is_same = a.data[i - 1] == b.data[j - 1];
            row[j] = MIN(MIN(above[j], row[j - 1]) + 1, above[j - 1] + !is_same);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = MIN(row[j], second[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

bool nearest_is_close(struct wire_str name, int distance)
{
    return distance <= MAX(name.len / LETTERS_PER_SLIP, 1);
}
