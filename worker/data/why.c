#include "worker/data/why.h"

#include <stdarg.h>
#include <stdio.h>

enum status why_say(struct why *why,
                    enum status status,
                    const char *format,
                    ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why->text, why->size, format, arguments);
    va_end(arguments);
    return status;
}
