#include "base/status.h"

const char *status_text(enum status status)
{
    switch (status) {
#define X(name, number, text)                                                  \
    case STATUS_##name:                                                        \
        return text;
        STATUS_LIST(X)
#undef X
    }
    /* A number from a newer peer or a damaged record: it may be shown. */
    return "unknown status";
}
