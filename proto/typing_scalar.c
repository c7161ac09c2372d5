#include "proto/typing.h"

#include "base/text.h"
#include "proto/quantity.h"
#include "proto/suggest.h"
#include <string.h>

enum { MESSAGE_BYTES = 256 };

/* `"value" what`, where `what` goes on the sentence. */
static void fail_value(struct typing *typing,
                       const struct typing_at *at,
                       const char *what,
                       const char *more)
{
    char buffer[MESSAGE_BYTES];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    jobfile_quote(&text, at->node->text, at->node->text_size);
    text_add(&text, " ");
    text_add(&text, what);
    text_add(&text, more);
    typing_fail(typing, at, buffer, "");
}

/* A single value that is there. */
static bool is_value(struct typing *typing, const struct typing_at *at)
{
    if (at->node->kind != YAMLNODE_SCALAR) {
        typing_fail(typing, at,
                    at->node->kind == YAMLNODE_SEQUENCE
                        ? "must be one value, not a list"
                        : "must be one value, not a mapping",
                    "");
        return false;
    }
    if (yamlnode_empty(at->node)) {
        typing_fail_key(typing, at, "has no value", "");
        return false;
    }
    return true;
}

/* The plural, or the singular: 1 step, 1 pass. */
static bool is_unit(const struct quantity *quantity, const char *unit)
{
    size_t size = strlen(unit);
    size_t given = quantity->unit_size;

    if (given > size || memcmp(quantity->unit, unit, given) != 0) {
        return false;
    }
    return given == size || (given + 1 == size && unit[given] == 's') ||
           (given + 2 == size && strcmp(unit + given - 1, "ses") == 0);
}

static bool read_number(struct typing *typing,
                        const struct typing_at *at,
                        struct quantity *out)
{
    if (!is_value(typing, at)) {
        return false;
    }
    if (!quantity_parse(at->node->text, at->node->text_size, out)) {
        fail_value(typing, at, "is not a number", "");
        return false;
    }
    return true;
}

static bool check_unit(struct typing *typing,
                       const struct typing_at *at,
                       const struct quantity *quantity,
                       struct typing_unit unit)
{
    if (quantity->unit_size == 0) {
        if (unit.name == NULL || unit.bare) {
            return true;
        }
        fail_value(typing, at, "needs its unit: ", unit.name);
        return false;
    }
    if (unit.name == NULL) {
        fail_value(typing, at, "is not a bare number", "");
        return false;
    }
    if (!is_unit(quantity, unit.name)) {
        fail_value(typing, at, "is not a number of ", unit.name);
        return false;
    }
    return true;
}

static bool take(struct typing *typing,
                 const struct typing_at *at,
                 enum quantity_fault fault)
{
    switch (fault) {
    case QUANTITY_FINE:
        return true;
    case QUANTITY_NEGATIVE:
        fail_value(typing, at, "is below 0", "");
        return false;
    case QUANTITY_NOT_WHOLE:
        fail_value(typing, at, "is not a whole number", "");
        return false;
    case QUANTITY_TOO_LARGE:
        fail_value(typing, at, "is too large", "");
        return false;
    }
    return false;
}

bool typing_whole(struct typing *typing,
                  const struct typing_at *at,
                  struct typing_unit unit,
                  uint64_t *out)
{
    struct quantity quantity;

    return read_number(typing, at, &quantity) &&
           check_unit(typing, at, &quantity, unit) &&
           take(typing, at, quantity_whole(&quantity, out));
}

bool typing_real(struct typing *typing, const struct typing_at *at, double *out)
{
    struct quantity quantity;

    return read_number(typing, at, &quantity) &&
           check_unit(typing, at, &quantity,
                      (struct typing_unit){NULL, true}) &&
           take(typing, at, quantity_real(&quantity, out));
}

/* Takes `%` off the front of the unit. */
static void take_percent(struct quantity *quantity)
{
    if (quantity->unit_size == 0 || quantity->unit[0] != '%') {
        return;
    }
    quantity_percent(quantity);
    quantity->unit++;
    quantity->unit_size--;
    while (quantity->unit_size > 0 && quantity->unit[0] == ' ') {
        quantity->unit++;
        quantity->unit_size--;
    }
}

bool typing_ratio(struct typing *typing,
                  const struct typing_at *at,
                  bool of_mean,
                  double *out)
{
    const char *wanted = of_mean ? "of mean" : "";
    struct quantity quantity;

    if (!read_number(typing, at, &quantity)) {
        return false;
    }
    take_percent(&quantity);
    if (quantity.unit_size != strlen(wanted) ||
        memcmp(quantity.unit, wanted, quantity.unit_size) != 0) {
        fail_value(typing, at,
                   of_mean ? "is not a share of the mean, as 1% of mean"
                           : "is neither a percentage nor a number",
                   "");
        return false;
    }
    return take(typing, at, quantity_real(&quantity, out));
}

/* "sgdd" is none of sgd, adam, adamw. Did you mean "sgd"? */
static void fail_word(struct typing *typing,
                      const struct schema_key *row,
                      const struct typing_at *at)
{
    char buffer[MESSAGE_BYTES];
    struct suggest suggest;
    struct text text;
    bool first = true;

    text_init(&text, buffer, sizeof(buffer));
    jobfile_quote(&text, at->node->text, at->node->text_size);
    text_add(&text, " is none of ");
    suggest_init(&suggest, at->node->text, at->node->text_size);
    for (const struct schema_word *w = row->words; w->word != NULL; w++) {
        if (w->refusal != NULL) {
            continue;
        }
        text_add(&text, first ? "" : ", ");
        text_add(&text, w->word);
        first = false;
        suggest_offer(&suggest, w->word);
    }
    if (suggest.best != NULL) {
        text_add(&text, ". Did you mean \"");
        text_add(&text, suggest.best);
        text_add(&text, "\"?");
    }
    typing_fail(typing, at, buffer, "");
}

/* Looks the value up among the row's words. NULL: it is none of them. */
static const struct schema_word *find_word(const struct schema_key *row,
                                           const struct yamlnode *node)
{
    if (row->words == NULL) {
        return NULL;
    }
    for (const struct schema_word *w = row->words; w->word != NULL; w++) {
        if (yamlnode_is(node, w->word)) {
            return w;
        }
    }
    return NULL;
}

static void *field_of(struct typing *typing,
                      const struct schema_key *row,
                      const struct typing_at *at)
{
    return (char *)typing->spec + row->offset + at->base;
}

/* A number into a field of the row's kind. False: it does not fit. */
static bool store_whole(struct typing *typing,
                        const struct schema_key *row,
                        const struct typing_at *at,
                        uint64_t value)
{
    void *field = field_of(typing, row, at);
    uint32_t narrow = (uint32_t)value;
    bool flag = value != 0;

    switch (row->field) {
    case FIELD_U32:
        if (value > UINT32_MAX) {
            return false;
        }
        memcpy(field, &narrow, sizeof(narrow));
        return true;
    case FIELD_U64:
        memcpy(field, &value, sizeof(value));
        return true;
    case FIELD_BOOL:
        memcpy(field, &flag, sizeof(flag));
        return true;
    case FIELD_BIT: {
        uint32_t bits;

        memcpy(&bits, field, sizeof(bits));
        bits |= 1u << value;
        memcpy(field, &bits, sizeof(bits));
        return true;
    }
    case FIELD_STOP: {
        struct stop_rule *rule = field;

        rule->kind = (enum stop_kind)row->stop;
        rule->value = (double)value;
        return true;
    }
    case FIELD_NONE:
    case FIELD_F64:
    case FIELD_NAME:
    case FIELD_PATH:
        return true;
    }
    return true;
}

static void store_real(struct typing *typing,
                       const struct schema_key *row,
                       const struct typing_at *at,
                       double value)
{
    void *field = field_of(typing, row, at);

    if (row->field == FIELD_STOP) {
        struct stop_rule *rule = field;

        rule->kind = (enum stop_kind)row->stop;
        rule->value = value;
        return;
    }
    memcpy(field, &value, sizeof(value));
}

static void type_text(struct typing *typing,
                      const struct schema_key *row,
                      const struct typing_at *at)
{
    size_t room = row->field == FIELD_NAME ? NAME_BYTES_MAX : PATH_BYTES_MAX;
    const struct yamlnode *node = at->node;
    char *field = field_of(typing, row, at);

    for (size_t i = 0; i < node->text_size; i++) {
        if ((unsigned char)node->text[i] < 0x20 || node->text[i] == 0x7F) {
            fail_value(typing, at, "holds a control character", "");
            return;
        }
    }
    if (node->text_size == 0) {
        typing_fail(typing, at, "must not be empty", "");
        return;
    }
    if (node->text_size >= room) {
        fail_value(typing, at, "is longer than ",
                   row->field == FIELD_NAME ? "63 bytes" : "511 bytes");
        return;
    }
    memset(field, 0, room);
    memcpy(field, node->text, node->text_size);
}

static void fail_least(struct typing *typing,
                       const struct schema_key *row,
                       const struct typing_at *at)
{
    char buffer[24];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_u64(&text, row->least);
    fail_value(typing, at, "is below ", buffer);
}

static void type_whole(struct typing *typing,
                       const struct schema_key *row,
                       const struct typing_at *at)
{
    const struct schema_word *word = find_word(row, at->node);
    struct typing_unit unit = {row->unit, row->bare};
    uint64_t value = 0;

    if (word != NULL) {
        value = word->value;
    } else if (!typing_whole(typing, at, unit, &value)) {
        return;
    } else if (value < row->least) {
        fail_least(typing, row, at);
        return;
    } else if (row->most > 0 && value > row->most) {
        typing_fail(typing, at, row->refusal, "");
        return;
    }
    if (!store_whole(typing, row, at, value)) {
        fail_value(typing, at, "is too large", "");
    }
}

static void type_flag(struct typing *typing,
                      const struct schema_key *row,
                      const struct typing_at *at)
{
    if (yamlnode_is(at->node, "true")) {
        typing_fail(typing, at, row->refusal, "");
        return;
    }
    if (!yamlnode_is(at->node, "false")) {
        fail_value(typing, at, "is neither true nor false", "");
    }
}

/* The colon of `2:8`, or NULL: not a range. */
static const char *range_colon(const struct yamlnode *node)
{
    const char *colon = memchr(node->text, ':', node->text_size);

    return colon != NULL && colon > node->text && colon[-1] >= '0' &&
                   colon[-1] <= '9'
               ? colon
               : NULL;
}

/* LEAST:MOST. The same number twice is that number. */
static void type_range(struct typing *typing,
                       const struct schema_key *row,
                       const struct typing_at *at)
{
    const char *colon = range_colon(at->node);
    struct typing_unit unit = {row->unit, row->bare};
    struct yamlnode least = *at->node;
    struct yamlnode most = *at->node;
    struct typing_at at_least = *at;
    struct typing_at at_most = *at;
    uint64_t from = 0;
    uint64_t to = 0;
    uint32_t narrow;

    least.text_size = (size_t)(colon - least.text);
    most.text_size -= least.text_size + 1;
    most.text = colon + 1;
    at_least.node = &least;
    at_most.node = &most;
    if (!typing_whole(typing, &at_least, unit, &from) ||
        !typing_whole(typing, &at_most, unit, &to)) {
        return;
    }
    if (from == 0 || from > to || to > UINT32_MAX) {
        fail_value(typing, at, "is not a range from fewer to more", "");
        return;
    }
    narrow = from == to ? 0 : (uint32_t)from;
    memcpy((char *)typing->spec + row->least_offset, &narrow, sizeof(narrow));
    (void)store_whole(typing, row, at, to);
}

static void type_number(struct typing *typing,
                        const struct schema_key *row,
                        const struct typing_at *at)
{
    double value = 0;

    if (row->type == SCHEMA_WHOLE) {
        if (row->least_offset != 0 && range_colon(at->node) != NULL) {
            type_range(typing, row, at);
            return;
        }
        type_whole(typing, row, at);
        return;
    }
    if (row->type == SCHEMA_REAL ? typing_real(typing, at, &value)
                                 : typing_ratio(typing, at, false, &value)) {
        store_real(typing, row, at, value);
    }
}

void typing_scalar(struct typing *typing,
                   const struct schema_key *row,
                   const struct typing_at *at)
{
    const struct schema_word *word;

    if (!is_value(typing, at)) {
        return;
    }
    word = find_word(row, at->node);
    if (word != NULL && word->refusal != NULL) {
        typing_fail(typing, at, word->refusal, "");
        return;
    }
    if (row->type == SCHEMA_TEXT) {
        type_text(typing, row, at);
    } else if (row->type == SCHEMA_FLAG) {
        type_flag(typing, row, at);
    } else if (row->type != SCHEMA_WORD) {
        type_number(typing, row, at);
    } else if (word == NULL) {
        fail_word(typing, row, at);
    } else {
        (void)store_whole(typing, row, at, word->value);
    }
}
