#include "client/graph.h"

#include <string.h>

static size_t find(const struct graph *graph, const char *name, size_t from)
{
    size_t lane = from;

    while (lane < graph->lanes_count && strcmp(graph->lanes[lane], name) != 0) {
        lane++;
    }
    return lane;
}

static void remove_lane(struct graph *graph, size_t lane)
{
    graph->lanes_count--;
    for (size_t i = lane; i < graph->lanes_count; i++) {
        graph->lanes[i] = graph->lanes[i + 1];
    }
}

/* "| | |", without spaces at the end. */
static size_t draw(const struct graph *graph, char *out)
{
    size_t length = 2 * graph->lanes_count;

    for (size_t i = 0; i < length; i++) {
        out[i] = i % 2 == 0 ? '|' : ' ';
    }
    length = length > 0 ? length - 1 : 0;
    out[length] = '\0';
    return length;
}

void graph_init(struct graph *graph)
{
    graph->lanes_count = 0;
}

bool graph_join(struct graph *graph,
                const struct graph_item *item,
                char out[GRAPH_BYTES_MAX])
{
    size_t first = find(graph, item->name, 0);
    size_t second = find(graph, item->name, first + 1);

    if (first >= graph->lanes_count || second >= graph->lanes_count) {
        return false;
    }
    (void)draw(graph, out);
    for (size_t i = first + 1; i < second; i++) {
        out[2 * i - 1] = '_';
    }
    out[2 * second - 1] = '/';
    out[2 * second] = second + 1 < graph->lanes_count ? ' ' : '\0';
    remove_lane(graph, second);
    return true;
}

void graph_row(struct graph *graph,
               const struct graph_item *item,
               char out[GRAPH_BYTES_MAX])
{
    size_t lane = find(graph, item->name, 0);

    if (lane == graph->lanes_count && lane < GRAPH_LANES_MAX) {
        graph->lanes[graph->lanes_count++] = item->name;
    }
    (void)draw(graph, out);
    if (lane == graph->lanes_count) {
        return; /* no lane is free */
    }
    out[2 * lane] = '*';
    if (item->parents_count > 0) {
        graph->lanes[lane] = item->parents[0];
    } else {
        remove_lane(graph, lane);
    }
}

bool graph_split(struct graph *graph,
                 const struct graph_item *item,
                 char out[GRAPH_BYTES_MAX])
{
    size_t lane = 0;

    if (item->parents_count < 2 || graph->lanes_count == GRAPH_LANES_MAX) {
        return false;
    }
    lane = find(graph, item->parents[0], 0);
    if (lane == graph->lanes_count ||
        find(graph, item->parents[1], 0) < graph->lanes_count) {
        return false;
    }
    for (size_t i = graph->lanes_count; i > lane + 1; i--) {
        graph->lanes[i] = graph->lanes[i - 1];
    }
    graph->lanes[lane + 1] = item->parents[1];
    graph->lanes_count++;
    (void)draw(graph, out);
    out[2 * lane + 1] = '\\';
    if (lane + 2 == graph->lanes_count) {
        out[2 * lane + 2] = '\0';
    } else {
        out[2 * lane + 2] = ' ';
    }
    return true;
}
