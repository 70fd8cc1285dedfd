/*
 * service_notice - tells a service manager how we are (sd_notify(3)): datagrams
 * to the socket that the environment names. Without one nothing is said.
 */
#ifndef EVENT_SERVICE_NOTICE_H
#define EVENT_SERVICE_NOTICE_H

#include "base/error.h"

/* Lines as sd_notify(3) has them: "READY=1\nSTATUS=...". Never blocks; who does not listen misses it. */
void service_notice(const char *format, ...) PRINTF_LIKE(1, 2);
/* WATCHDOG=1, if the manager wants to hear that; cheap when not. */
void service_notice_alive(void);

#endif
