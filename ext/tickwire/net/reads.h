/* Reads that a thread is in, and who was woken in them; see _wakes.pyx.
 *
 * Each thread that runs a loop has one of these. It is in the module `_wakes` alone: a static object
 * of a header would be another one in every module that includes it.
 */
#ifndef TICKWIRE_NET_READS_H
#define TICKWIRE_NET_READS_H

typedef struct {
    int depth;          /* a read may lie inside of another one's task */
    const void *reader; /* whose read it is, or was last: then it may be freed */
    int n_in_a_row;     /* reads of that one, without another's between; counted to READS_ALONE */
    void *first, *last; /* waiters, owned */
} tw_reads;

#endif
