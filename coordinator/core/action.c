#include "coordinator/core/action.h"

#include "base/check.h"

#include <string.h>

struct action *action_add(struct actions *out, enum action_type type)
{
    struct action *action;

    CHECK(out->count < ACTIONS_MAX);
    action = &out->items[out->count++];
    memset(action, 0, sizeof(*action));
    action->type = type;
    return action;
}

struct text action_event(struct actions *out,
                         uint32_t slot,
                         const char *kind,
                         uint64_t version)
{
    struct action *action = action_add(out, ACTION_EVENT);
    struct text text;

    action->slot = slot;
    action->event.version = version;
    text_init(&text, action->event.kind, sizeof(action->event.kind));
    text_add(&text, kind);
    text_init(&text, action->event.text, sizeof(action->event.text));
    return text;
}

void action_reply(struct actions *out,
                  uint64_t request,
                  enum status status,
                  uint64_t job,
                  const char *text)
{
    struct action *action = action_add(out, ACTION_REPLY);
    struct text to;

    action->reply.request = request;
    action->reply.status = status;
    action->reply.job = job;
    text_init(&to, action->reply.text, sizeof(action->reply.text));
    text_add(&to, text);
}
