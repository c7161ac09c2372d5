#include "base/clock.h"

#include "base/check.h"

#include <time.h>

static uint64_t read_clock(clockid_t id, uint64_t per_second)
{
    struct timespec now = {0};
    uint64_t nanoseconds = 0;

    CHECK(clock_gettime(id, &now) == 0);
    nanoseconds = (uint64_t)now.tv_nsec;
    return (uint64_t)now.tv_sec * per_second +
           nanoseconds * per_second / UINT64_C(1000000000);
}

uint64_t clock_now_ms(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000);
}

uint64_t clock_now_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

uint64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, 1000);
}
