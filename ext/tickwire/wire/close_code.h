/* RFC 6455 section 7.4: which close codes may stand in a close frame. */
#ifndef TICKWIRE_CLOSE_CODE_H
#define TICKWIRE_CLOSE_CODE_H

/* 1004 is reserved; 1005, 1006 and 1015 never go over the wire (7.4.1). 1012 to 1014 are in IANA's
 * registry, the rest up to 2999 is kept for the protocol, 3000 to 4999 is for libraries and
 * applications (7.4.2).
 */
static inline int tw_close_code_valid(int code)
{
    if (code >= 3000 && code <= 4999)
        return 1;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

#endif
