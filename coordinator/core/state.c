#include "coordinator/core/state.h"

#include <string.h>

enum { STATE_MAGIC = 0x54534c50 /* "PLST" */, STATE_FORMAT = 2 };

void state_init(struct plasticity_state *state)
{
    memset(state, 0, sizeof(*state));
    state->best_loss = -1;
}

static void encode_policy(const struct policy_state *p, struct writer *w)
{
    for (uint32_t l = 0; l < LAYERS_MAX; l++) {
        write_f64(w, p->credit[l]);
        write_u64(w, p->since[l]);
        write_u32(w, p->factor[l]);
    }
    write_u32(w, p->cursor);
    write_u32(w, p->window_count);
    for (uint32_t i = 0; i < p->window_count; i++) {
        write_f64(w, p->window[i]);
        write_u64(w, p->window_examples[i]);
    }
    write_u32(w, p->silence);
}

static void decode_policy(struct reader *r, struct policy_state *p)
{
    for (uint32_t l = 0; l < LAYERS_MAX; l++) {
        p->credit[l] = read_f64(r);
        p->since[l] = read_u64(r);
        p->factor[l] = read_u32(r);
    }
    p->cursor = read_u32(r);
    p->window_count = read_u32(r);
    if (p->window_count > POLICY_WINDOW_MAX) {
        r->failed = true;
        return;
    }
    for (uint32_t i = 0; i < p->window_count; i++) {
        p->window[i] = read_f64(r);
        p->window_examples[i] = read_u64(r);
        if (p->window_examples[i] == 0) {
            r->failed = true; /* nothing is remembered of an empty interval */
            return;
        }
    }
    p->silence = read_u32(r);
}

static void encode_probation(const struct probation *p, struct writer *w)
{
    write_u8(w, p->used);
    write_u8(w, p->measured);
    write_u32(w, p->layer);
    write_u32(w, p->policy);
    write_u64(w, p->interval);
    write_f64(w, p->damage);
    write_u32(w, p->units_count);
    for (uint32_t u = 0; u < p->units_count; u++) {
        write_u32(w, p->units[u].id.line);
        write_u64(w, p->units[u].id.birth);
        write_f32(w, p->units[u].mean);
    }
}

static void decode_probation(struct reader *r, struct probation *p)
{
    p->used = read_u8(r) != 0;
    p->measured = read_u8(r) != 0;
    p->layer = read_u32(r);
    p->policy = read_u32(r);
    p->interval = read_u64(r);
    p->damage = read_f64(r);
    p->units_count = read_u32(r);
    if (p->units_count > PROBATION_UNITS_MAX || p->layer >= LAYERS_MAX ||
        p->policy >= POLICIES_MAX) {
        r->failed = true;
        return;
    }
    for (uint32_t u = 0; u < p->units_count; u++) {
        p->units[u].id.line = read_u32(r);
        p->units[u].id.birth = read_u64(r);
        p->units[u].mean = read_f32(r);
    }
}

void state_encode(const struct plasticity_state *state, struct writer *writer)
{
    write_u32(writer, STATE_MAGIC);
    write_u32(writer, STATE_FORMAT);
    for (uint32_t r = 0; r < ROLES_COUNT; r++) {
        for (uint32_t p = 0; p < POLICIES_MAX; p++) {
            encode_policy(&state->policies[r][p], writer);
        }
    }
    for (uint32_t l = 0; l < LAYERS_MAX; l++) {
        encode_probation(&state->probations[l], writer);
    }
    write_u64(writer, state->grows);
    write_u64(writer, state->renews);
    write_u64(writer, state->prunes);
    write_f64(writer, state->best_loss);
    write_u32(writer, state->no_gain);
}

enum status state_decode(struct reader *reader, struct plasticity_state *state)
{
    struct plasticity_state *s = state;

    memset(s, 0, sizeof(*s));
    if (read_u32(reader) != STATE_MAGIC || read_u32(reader) != STATE_FORMAT) {
        return STATUS_CORRUPT;
    }
    for (uint32_t r = 0; r < ROLES_COUNT && !reader->failed; r++) {
        for (uint32_t p = 0; p < POLICIES_MAX && !reader->failed; p++) {
            decode_policy(reader, &s->policies[r][p]);
        }
    }
    for (uint32_t l = 0; l < LAYERS_MAX && !reader->failed; l++) {
        decode_probation(reader, &s->probations[l]);
    }
    s->grows = read_u64(reader);
    s->renews = read_u64(reader);
    s->prunes = read_u64(reader);
    s->best_loss = read_f64(reader);
    s->no_gain = read_u32(reader);
    return reader->failed ? STATUS_CORRUPT : STATUS_OK;
}
