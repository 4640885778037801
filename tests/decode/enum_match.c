/* The choice of enum_match.h, one at a time, for test_enum_match.py. */
#include "tickwire/decode/enum_match.h"

static tw_enum_match made;

/* Make a choice among n texts, each of so many bytes in its 16; its result is its number. */
int make(const uint8_t *texts, const uint32_t *sizes, int n) {
    tw_word words[TW_MAX_WORDS];
    if (n > TW_MAX_WORDS) return 0;
    for (int i = 0; i < n; i++)
        if (!tw_make_word(words + i, texts + TW_WORD_BYTES * i, sizes[i], sizes[i], i)) return 0;
    return tw_make_enum_match(&made, words, n);
}

/* The number of the text that stands at p, or -1. */
int at(const uint8_t *p) {
    const tw_word *word = tw_word_at(&made, p);
    return word == NULL ? -1 : (int)word->result;
}
