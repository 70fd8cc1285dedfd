/*
 * closing - after a revocation: every gateway is told what is lost and says
 * how many connections it closed. One that does not in 500 ms is killed; at
 * 900 ms the answer goes out, and names who was silent.
 */
#ifndef AUTHORITY_CLOSING_H
#define AUTHORITY_CLOSING_H

#include "authority/turn.h"

/* Takes deed->answer and deed->words; answers it. Without gateways at once. */
void closing_start(struct authority *authority, struct deed *deed);
/* That gateway's process has ended: what it held is closed. */
void closing_gateway_gone(struct authority *authority, unsigned gateway);
/* The authority ends: answer all with what is known. */
void closing_abandon(struct authority *authority);

#endif
