#include "client/print.h"

#include "base/text.h"
#include "client/graph.h"
#include "client/json.h"
#include "client/table.h"

#include <string.h>

enum {
    LINE_BYTES_MAX = 512,
    /* Unit ids shown of one layer on a terminal; the rest is counted. */
    IDS_SHOWN = 8
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const cJSON *array_of(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* "@, good, best": the head and the tags of a version. */
static void names_of(const cJSON *version, char *out, size_t size)
{
    struct text text;
    const cJSON *tag = NULL;

    text_init(&text, out, size);
    if (cJSON_IsTrue(array_of(version, "head"))) {
        text_add(&text, "@");
    }
    cJSON_ArrayForEach(tag, array_of(version, "tags"))
    {
        const char *name = cJSON_GetStringValue(tag);

        text_add(&text, text.used > 0 ? ", " : "");
        text_add(&text, name != NULL ? name : "?");
    }
}

/* What made the version, in words: its own reason says more than the cause. */
static const char *what_of(const cJSON *version)
{
    const char *reason = json_text(version, "reason");

    return reason[0] != '\0' ? reason : json_text(version, "cause");
}

static void add_version(struct print *print,
                        struct table *table,
                        const char *graph,
                        const cJSON *version)
{
    char shape[LINE_BYTES_MAX];
    char names[LINE_BYTES_MAX];
    char bytes[40];

    names_of(version, names, sizeof(names));
    print_shape(&print->look, version, shape, sizeof(shape));
    look_bytes(json_number(version, "bytes"), bytes);
    table_add(table, graph);
    table_add_painted(table, json_text(version, "version"), PAINT_BOLD);
    table_add(table, names);
    table_add_count(table, &print->look, json_number(version, "step"));
    table_add(table, what_of(version));
    table_add(table, shape);
    table_add_count(table, &print->look, json_number(version, "parameters"));
    if (json_has(version, "accuracy")) {
        table_add_ratio(table, json_number(version, "accuracy"));
    } else {
        table_add(table, "-");
    }
    table_add(table, bytes);
    table_add(table, json_text(version, "time"));
    table_add(table, json_text(version, "hash"));
}

/* A line of the graph that belongs to no version. */
static void add_lane_line(struct table *table, const char *graph, size_t count)
{
    table_add(table, graph);
    for (size_t i = 1; i < count; i++) {
        table_add(table, "");
    }
}

static struct graph_item item_of(const cJSON *version)
{
    struct graph_item item = {.name = json_text(version, "version")};
    const cJSON *parent = NULL;

    cJSON_ArrayForEach(parent, array_of(version, "parents"))
    {
        const char *name = cJSON_GetStringValue(parent);

        if (item.parents_count < GRAPH_PARENTS_MAX && name != NULL) {
            item.parents[item.parents_count++] = name;
        }
    }
    return item;
}

void print_history(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"", false, 0, false},          {"VERSION", false, 0, false},
        {"NAMES", false, 3, false},     {"STEP", true, 6, false},
        {"WHAT", false, 7, false},      {"SHAPE", false, 5, false},
        {"PARAMETERS", true, 2, false}, {"ACC", true, 4, false},
        {"BYTES", true, 1, true},       {"TIME", false, 1, true},
        {"HASH", false, 1, true},
    };
    struct table *table = table_open(columns, COUNT_OF(columns));
    struct graph graph;
    const cJSON *version = NULL;

    graph_init(&graph);
    cJSON_ArrayForEach(version, array_of(document, "versions"))
    {
        struct graph_item item = item_of(version);
        char lanes[GRAPH_BYTES_MAX];

        while (graph_join(&graph, &item, lanes)) {
            add_lane_line(table, lanes, COUNT_OF(columns));
        }
        graph_row(&graph, &item, lanes);
        add_version(print, table, lanes, version);
        if (graph_split(&graph, &item, lanes)) {
            add_lane_line(table, lanes, COUNT_OF(columns));
        }
    }
    print->left_out +=
        table_print(table, &print->look, print->wide, print->out);
    table_close(table);
}

static void print_units(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"LAYER", false, 0, false}, {"UNIT", false, 0, false},
        {"BORN", true, 0, false},   {"SHARD", true, 0, false},
        {"STATE", false, 0, false},
    };
    struct table *table = table_open(columns, COUNT_OF(columns));
    const cJSON *layer = NULL;

    cJSON_ArrayForEach(layer, array_of(document, "layers"))
    {
        const cJSON *unit = NULL;

        cJSON_ArrayForEach(unit, array_of(layer, "units"))
        {
            table_add(table, json_text(layer, "name"));
            table_add(table, json_text(unit, "id"));
            table_add_count(table, &print->look,
                            json_number(unit, "born_step"));
            table_add_count(table, &print->look, json_number(unit, "shard"));
            table_add(table, json_text(unit, "state"));
        }
    }
    print->left_out +=
        table_print(table, &print->look, print->wide, print->out);
    table_close(table);
}

/* "hidden1    116 units, 3 lesioned" */
static void print_layers(struct print *print, const cJSON *document)
{
    const cJSON *layer = NULL;

    cJSON_ArrayForEach(layer, array_of(document, "layers"))
    {
        const cJSON *units = array_of(layer, "units");
        const cJSON *unit = NULL;
        char line[LINE_BYTES_MAX];
        int lesioned = 0;

        cJSON_ArrayForEach(unit, units)
        {
            lesioned += strcmp(json_text(unit, "state"), "lesioned") == 0;
        }
        (void)snprintf(line, sizeof(line),
                       lesioned > 0 ? "%d units, %d lesioned" : "%d units",
                       cJSON_GetArraySize(units), lesioned);
        print_line(print, json_text(layer, "name"), line);
    }
}

static void print_parents(struct print *print, const cJSON *document)
{
    const cJSON *parent = NULL;
    char line[LINE_BYTES_MAX];
    struct text text;

    text_init(&text, line, sizeof(line));
    cJSON_ArrayForEach(parent, array_of(document, "parents"))
    {
        const char *name = cJSON_GetStringValue(parent);

        text_add(&text, text.used > 0 ? ", " : "");
        text_add(&text, name != NULL ? name : "?");
    }
    print_line(print, "parents", line);
}

void print_show(struct print *print, const cJSON *document, bool units)
{
    char shape[LINE_BYTES_MAX];
    char names[LINE_BYTES_MAX];
    char number[40];
    char line[2 * LINE_BYTES_MAX];

    names_of(document, names, sizeof(names));
    (void)fprintf(print->out, "%s of %s%s%s: %s\n",
                  json_text(document, "version"), json_text(document, "job"),
                  names[0] != '\0' ? ", " : "", names, what_of(document));
    print_parents(print, document);
    look_count(&print->look, json_number(document, "step"), number);
    (void)snprintf(line, sizeof(line), "%s, task%.0f, line %.0f", number,
                   json_number(document, "task"),
                   json_number(document, "line"));
    print_line(print, "step", line);
    print_shape(&print->look, document, shape, sizeof(shape));
    look_count(&print->look, json_number(document, "parameters"), number);
    (void)snprintf(line, sizeof(line), "%s, %s parameters", shape, number);
    print_line(print, "shape", line);
    print_layers(print, document);
    if (json_has(document, "accuracy")) {
        look_ratio(json_number(document, "accuracy"), number);
        print_line(print, "accuracy", number);
    }
    look_bytes(json_number(document, "bytes"), number);
    print_line(print, "size", number);
    print_line(print, "time", json_text(document, "time"));
    print_line(print, "hash", json_text(document, "hash"));
    if (units) {
        (void)fputc('\n', print->out);
        print_units(print, document);
    } else if (json_has(document, "config")) {
        (void)fprintf(print->out, "\n%s", json_text(document, "config"));
    }
}

static void add_change(struct table *table, const struct look *look, double by)
{
    char number[40];
    char text[48];

    look_count(look, by, number);
    (void)snprintf(text, sizeof(text), "%s%s", by > 0 ? "+" : "", number);
    table_add_painted(table, by == 0 ? "0" : text,
                      by == 0 ? PAINT_DIM : PAINT_NONE);
}

/* "784-116": inputs and units of a layer. */
static void add_layer_shape(struct table *table,
                            const struct look *look,
                            double inputs,
                            double units)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%.0f%s%.0f", inputs,
                   look->utf8 ? look_arrow(look) : "-", units);
    table_add(table, text);
}

/* "+16", "-7", "+16 -7" or "0" */
static void add_units(struct table *table, int added, int removed)
{
    char text[64];

    if (added > 0 && removed > 0) {
        (void)snprintf(text, sizeof(text), "+%d -%d", added, removed);
        table_add(table, text);
    } else if (added > 0) {
        (void)snprintf(text, sizeof(text), "+%d", added);
        table_add_painted(table, text, PAINT_GOOD);
    } else if (removed > 0) {
        (void)snprintf(text, sizeof(text), "-%d", removed);
        table_add_painted(table, text, PAINT_BAD);
    } else {
        table_add_painted(table, "0", PAINT_DIM);
    }
}

static void add_layer(struct table *table,
                      const struct look *look,
                      const cJSON *layer)
{
    double from = json_number(layer, "parameters_from");
    double to = json_number(layer, "parameters_to");

    table_add(table, json_text(layer, "name"));
    add_layer_shape(table, look, json_number(layer, "inputs_from"),
                    json_number(layer, "units_from"));
    add_layer_shape(table, look, json_number(layer, "inputs_to"),
                    json_number(layer, "units_to"));
    add_units(table, cJSON_GetArraySize(array_of(layer, "added")),
              cJSON_GetArraySize(array_of(layer, "removed")));
    table_add_count(table, look, from);
    table_add_count(table, look, to);
    add_change(table, look, to - from);
    table_add_ratio(table, json_number(layer, "moved"));
}

/* One line of unit ids; a terminal sees the first few. */
static void print_ids(struct print *print,
                      const char *layer,
                      char sign,
                      const cJSON *ids)
{
    const cJSON *id = NULL;
    int shown = 0;
    int count = cJSON_GetArraySize(ids);

    if (count == 0) {
        return;
    }
    (void)fprintf(print->out, "%s %c", layer, sign);
    cJSON_ArrayForEach(id, ids)
    {
        const char *text = cJSON_GetStringValue(id);

        if (print->look.terminal && !print->wide && shown == IDS_SHOWN) {
            (void)fprintf(print->out, " and %d more", count - shown);
            break;
        }
        (void)fprintf(print->out, " %s", text != NULL ? text : "?");
        shown++;
    }
    (void)fputc('\n', print->out);
}

void print_diff(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"LAYER", false, 0, false},      {"FROM", false, 5, false},
        {"TO", false, 5, false},         {"UNITS", true, 0, false},
        {"PARAMS FROM", true, 1, false}, {"PARAMS TO", true, 2, false},
        {"CHANGE", true, 3, false},      {"MOVED", true, 4, false},
    };
    const struct look *look = &print->look;
    struct table *table = table_open(columns, COUNT_OF(columns));
    const cJSON *layers = array_of(document, "layers");
    const cJSON *layer = NULL;
    double from = 0;
    double to = 0;

    (void)fprintf(print->out, "%s %s %s\n\n", json_text(document, "from"),
                  look_arrow(look), json_text(document, "to"));
    cJSON_ArrayForEach(layer, layers)
    {
        add_layer(table, look, layer);
        from += json_number(layer, "parameters_from");
        to += json_number(layer, "parameters_to");
    }
    table_add(table, "total");
    table_add(table, "");
    table_add(table, "");
    table_add(table, "");
    table_add_count(table, look, from);
    table_add_count(table, look, to);
    add_change(table, look, to - from);
    table_add(table, "");
    print->left_out += table_print(table, look, print->wide, print->out);
    table_close(table);
    (void)fputc('\n', print->out);
    cJSON_ArrayForEach(layer, layers)
    {
        print_ids(print, json_text(layer, "name"), '+',
                  array_of(layer, "added"));
        print_ids(print, json_text(layer, "name"), '-',
                  array_of(layer, "removed"));
    }
}
