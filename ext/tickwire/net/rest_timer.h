/* A timer that an event loop can poll, finer than the milliseconds of the loop's own; and how few
 * bytes make a socket readable. */
#ifndef TICKWIRE_NET_REST_TIMER_H
#define TICKWIRE_NET_REST_TIMER_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#ifdef __linux__
#include <sys/timerfd.h>
#include <unistd.h>
#endif

/* Give a timer's descriptor, or -1 where the system has none. */
static inline int tw_timer_open(void)
{
#ifdef __linux__
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
#else
    return -1;
#endif
}

/* Let it become readable once, in so many ns; 0 for never. What it has told is forgotten. */
static inline int tw_timer_set(int fd, int64_t after_ns)
{
#ifdef __linux__
    const struct itimerspec due = {
        .it_value = {.tv_sec = after_ns / 1000000000, .tv_nsec = after_ns % 1000000000}};
    return timerfd_settime(fd, 0, &due, NULL);
#else
    (void)fd, (void)after_ns;
    return -1;
#endif
}

/* Let a socket be readable from so many bytes on (or at an end, or an error). */
static inline int tw_set_low_water(int fd, int n_bytes)
{
    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &n_bytes, sizeof n_bytes);
}

/* Give how many bytes can be read. */
static inline int tw_unread(int fd)
{
    int n_bytes = 0;
    return ioctl(fd, FIONREAD, &n_bytes) == 0 ? n_bytes : 0;
}

#endif
