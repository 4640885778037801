/* A value that is one of a few texts, as `"A"` or `true`.
 *
 * Two bits of the texts' first eight bytes tell which of them may stand there, so that no branch
 * depends on which it was; then that one is compared.
 */
#ifndef TICKWIRE_ENUM_MATCH_H
#define TICKWIRE_ENUM_MATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { TW_MAX_WORDS = 4, TW_WORD_BYTES = 16 };

/* A text that is expected, and what it means. */
typedef struct {
    uint64_t text[2];
    uint64_t mask[2]; /* of the bytes that count */
    uint32_t n;       /* bytes that must be there */
    uint32_t length;  /* of the value: without a closing quote */
    int64_t result;
} tw_word;

typedef struct {
    uint32_t bits[2]; /* of the first eight bytes: they are the place of a word */
    tw_word words[TW_MAX_WORDS];
} tw_enum_match;

/* Make a word of p..p + n, of which `length` bytes are the value; false where it is too long. */
static inline bool tw_make_word(tw_word *word, const uint8_t *p, uint32_t n, uint32_t length,
                                int64_t result) {
    if (n > TW_WORD_BYTES) return false;
    memset(word, 0, sizeof *word);
    memcpy(word->text, p, n);
    memset(word->mask, 0xFF, n);
    word->n = n;
    word->length = length;
    word->result = result;
    return true;
}

static inline uint32_t tw_word_place(const tw_enum_match *choice, uint64_t first_bytes) {
    return (uint32_t)(first_bytes >> choice->bits[0] & 1) |
           (uint32_t)(first_bytes >> choice->bits[1] & 1) << 1;
}

/* Whether the choice's bits tell these words apart; they are put into their places then. */
static inline bool tw_put_words(tw_enum_match *choice, const tw_word *words, int n) {
    uint32_t taken = 0;
    /* A place without a word has one all the same: what leads there is none of them. */
    for (int place = 0; place < TW_MAX_WORDS; place++) choice->words[place] = words[0];
    for (int i = 0; i < n; i++) {
        uint32_t place = tw_word_place(choice, words[i].text[0]);
        if (taken >> place & 1) return false;
        taken |= 1u << place;
        choice->words[place] = words[i];
    }
    return true;
}

/* A choice among n words; false where there is none, or where no two bits tell them apart. */
static inline bool tw_make_enum_match(tw_enum_match *choice, const tw_word *words, int n) {
    uint64_t count = ~0ULL, differ = 0;
    if (n < 1 || n > TW_MAX_WORDS) return false;
    for (int i = 0; i < n; i++) {
        count &= words[i].mask[0];
        differ |= words[i].text[0] ^ words[0].text[0];
    }
    differ &= count;
    if (differ == 0) differ = 1; /* one word: any bit will do */
    for (uint64_t left = differ; left != 0; left &= left - 1) {
        for (uint64_t others = left; others != 0; others &= others - 1) {
            choice->bits[0] = (uint32_t)__builtin_ctzll(left);
            choice->bits[1] = (uint32_t)__builtin_ctzll(others);
            if (tw_put_words(choice, words, n)) return true;
        }
    }
    return false;
}

/* The word that stands at p, which has TW_WORD_BYTES readable ones; NULL for others. */
static inline const tw_word *tw_word_at(const tw_enum_match *choice, const uint8_t *p) {
    uint64_t low, high;
    memcpy(&low, p, 8);
    memcpy(&high, p + 8, 8);
    const tw_word *word = choice->words + tw_word_place(choice, low);
    uint64_t unlike = ((low ^ word->text[0]) & word->mask[0]) |
                      ((high ^ word->text[1]) & word->mask[1]);
    return unlike == 0 ? word : NULL;
}

#endif
