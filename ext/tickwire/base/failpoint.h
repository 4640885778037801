/* Points at which a test has the process killed, in C; the other ones are in `tickwire.failpoints`.
 *
 * TW_REACH costs nothing in a release. In the builds debug and asan the process is killed (SIGKILL)
 * when a module comes to a point for the Nth time, as TICKWIRE_KILL_AT=POINT:N wants. Writer only: the
 * passes are counted without atomics.
 */
#ifndef TICKWIRE_FAILPOINT_H
#define TICKWIRE_FAILPOINT_H

#ifdef TICKWIRE_FAILPOINTS
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool tw_is_wanted(const char *point)
{
    const char *wanted = getenv("TICKWIRE_KILL_AT");
    const size_t n = strlen(point);
    return wanted != NULL && strncmp(wanted, point, n) == 0 &&
           (wanted[n] == ':' || wanted[n] == '\0');
}

static inline void tw_reach(const char *point)
{
    static long n_reached;
    if (!tw_is_wanted(point))
        return;
    const char *number = strchr(getenv("TICKWIRE_KILL_AT"), ':');
    if (++n_reached == (number == NULL ? 1 : atol(number + 1)))
        raise(SIGKILL);
}
#define TW_REACH(point) tw_reach(point)
#else
#define TW_REACH(point) ((void)(point))
#endif

#endif
