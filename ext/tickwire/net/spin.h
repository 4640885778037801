/* Looking at sockets until one has something to read. */
#ifndef TICKWIRE_NET_SPIN_H
#define TICKWIRE_NET_SPIN_H

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tickwire/base/clock.h"

/* A socket, and where its bytes go. */
typedef struct {
    int fd;
    uint8_t *at;
    size_t room;    /* 0: only tell whether something has come */
    int64_t n_read; /* what recv gave */
    int error;      /* errno where that is below 0 */
} tw_spin_slot;

/* Give the number of the first socket that has bytes, an end or an error; -1 when time is up. */
static inline int tw_spin(tw_spin_slot *slots, int n, int64_t spin_ns)
{
    const int64_t until_ns = tw_mono_ns() + spin_ns;
    uint8_t none;
    do {
        for (int i = 0; i < n; i++) {
            tw_spin_slot *slot = &slots[i];
            if (slot->room)
                slot->n_read = recv(slot->fd, slot->at, slot->room, MSG_DONTWAIT);
            else
                slot->n_read = recv(slot->fd, &none, 1, MSG_DONTWAIT | MSG_PEEK);
            if (slot->n_read >= 0)
                return i;
            slot->error = errno;
            if (slot->error != EAGAIN && slot->error != EINTR)
                return i;
        }
    } while (tw_mono_ns() < until_ns);
    return -1;
}

#endif
