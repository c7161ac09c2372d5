/* clock.h - the only places where time comes from. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ms(void);  /* monotonic */
uint64_t clock_now_us(void);  /* monotonic */
uint64_t clock_wall_ms(void); /* since 1970, for people only */

#endif /* BASE_CLOCK_H */
