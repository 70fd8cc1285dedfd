/* present - which devices are connected to this worker now, for "status". */
#ifndef DOOR_PRESENT_H
#define DOOR_PRESENT_H

#include <stddef.h>
#include <stdint.h>

struct door;

struct present {
	uint8_t device[16];
	uint64_t connections, requests; /* requests: of the connections that are open now */
};

enum { PRESENT_A_WORKER = 100 };
/* At most `most` devices into `out`; how many. *total counts the others too. */
size_t door_present(const struct door *door, struct present *out, size_t most, size_t *total);

#endif
