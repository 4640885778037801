/* Reads values that end at the end of a page, behind which nothing can be read.
 *
 * Each line of the standard input is a text: it is read whole, and cut after each of its bytes.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tickwire/decode/decimal.h"
#include "tickwire/decode/json.h"
#include "tickwire/decode/timestamp.h"

static volatile long n_read;

static void read_all(const uint8_t *p, const uint8_t *end) {
    tw_decimal decimal;
    uint64_t digits = 0;
    int64_t ns;
    int escaped;
    n_read += tw_digits(p, end, &digits) != NULL;
    n_read += tw_parse_decimal(p, end, &decimal) != NULL;
    n_read += tw_parse_time(p, end, 1000000, &ns) != NULL;
    n_read += tw_parse_rfc3339(p, end, &ns);
    n_read += tw_skip_value(p, end) != NULL;
    if (p < end) n_read += tw_string_end(p + 1, end, &escaped) != NULL;
    for (const uint8_t *at = p; at < end; at++)
        if (*at == '\\') n_read += tw_skip_escape(at, end) != NULL;
}

int main(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char line[4096];
    if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE)) return 2;
    while (fgets(line, sizeof line, stdin)) {
        size_t n_bytes = strcspn(line, "\n");
        for (size_t n = 0; n <= n_bytes; n++) {
            uint8_t *p = memory + page - n;
            memcpy(p, line, n);
            read_all(p, memory + page);
        }
    }
    return n_read > 0 ? 0 : 3;
}
