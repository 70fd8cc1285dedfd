/* who_is_there - how many connections a device has, asked of every gateway; those silent for 500 ms are left out. */
#ifndef AUTHORITY_WHO_IS_THERE_H
#define AUTHORITY_WHO_IS_THERE_H

#include "authority/turn.h"

/* About deed->devices[0]: adds "connections" to deed->words and answers. */
void who_is_there(struct authority *authority, struct deed *deed);

#endif
