/* graph.h - the version graph in text, one version a line, newest first.
 *
 *     * v8      v8 was restored from v5
 *     | * v7    lanes run down to a version's parents
 *     | * v6
 *     |/
 *     * v5
 *
 * A lane waits for one version; where two lanes wait for the same one they
 * join above it. Pure; bounded: what does not fit into the lanes is not drawn.
 */
#ifndef CLIENT_GRAPH_H
#define CLIENT_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

enum {
    GRAPH_LANES_MAX = 16,
    GRAPH_PARENTS_MAX = 2,
    GRAPH_BYTES_MAX = 2 * GRAPH_LANES_MAX + 1
};

struct graph {
    const char *lanes[GRAPH_LANES_MAX]; /* borrowed names of versions */
    size_t lanes_count;
};

struct graph_item {
    const char *name; /* borrowed for the graph's life */
    const char *parents[GRAPH_PARENTS_MAX];
    size_t parents_count;
};

void graph_init(struct graph *graph);

/* Call until false before graph_row of the same item: lines that join lanes. */
bool graph_join(struct graph *graph,
                const struct graph_item *item,
                char out[GRAPH_BYTES_MAX]);

/* The item's own line. */
void graph_row(struct graph *graph,
               const struct graph_item *item,
               char out[GRAPH_BYTES_MAX]);

/* After graph_row; true: a line that opens a lane for the second parent. */
bool graph_split(struct graph *graph,
                 const struct graph_item *item,
                 char out[GRAPH_BYTES_MAX]);

#endif /* CLIENT_GRAPH_H */
