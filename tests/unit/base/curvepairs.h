/* curvepairs.h - key pairs for tests of links with keys; made once, at random.
 *
 * They protect nothing. */
#ifndef TESTS_UNIT_BASE_CURVEPAIRS_H
#define TESTS_UNIT_BASE_CURVEPAIRS_H

#include "base/curvekey.h"

enum { CURVEPAIRS = 4 };

static const char *const curvepairs_text[CURVEPAIRS][2] = {
    {".BF<&USGkQ)KG.OSNjXEc07jC<fiQT28)Gou4Nok",
     "lzxUP0kR1+YTjQw/PGDCq7RNS&B.^6dK+ZDpGKsO"},
    {"=+6<Vh&g:+*8N:<<[PFE[IEY*@aR!#a2lJ)MGMQl",
     "OZ>BuHIrKvIA3b>wd8IUiY3ch[oq}P[mag$9*fCm"},
    {"lF$*DVmQ)FBc]Qj}aS*&V(^.K}}[z$:VZs*]L<NU",
     "r<<Y%/YzX?:><G)p>EDL8?{Q:wG4]Hh-2kB<C%H!"},
    {"Wqc&7^Q@v=+dW#O.n05RgN%MCstwTckXL8xQfhko",
     "E]H.Ro5(2v:UUn-Abe&isWA5w4*z.j]Wbcz8Yz*t"}};

/* Pair i; false never comes back from keys that are right. */
static inline bool curvepair(int i, struct curvekey_pair *out)
{
    return curvekey_parse(curvepairs_text[i][0], CURVEKEY_TEXT, &out->shown) ==
               STATUS_OK &&
           curvekey_parse(curvepairs_text[i][1], CURVEKEY_TEXT, &out->secret) ==
               STATUS_OK;
}

#endif /* TESTS_UNIT_BASE_CURVEPAIRS_H */
