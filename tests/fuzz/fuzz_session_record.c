/*
 * Records of a session store as another gateway may have left them: what is
 * found again is what was put, or nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shm/session_store.h"

enum { RECORDS_AT = 64, RECORD = 152 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session_store *store;
	static uint8_t *raw;
	static size_t raw_size;
	static const struct clock_time now = {.wall = SECONDS(1000), .mono = SECONDS(1000)};
	struct session session = {.secret_length = 48, .expiry = 2000, .site = 1}, found;
	struct error err;
	size_t i;

	if (!store) {
		if (session_store_new(128, &store, &err) != OK)
			abort();
		raw_size = RECORDS_AT + (size_t)session_store_sets(store) * 8 * RECORD;
		raw = mmap(NULL, raw_size, PROT_READ | PROT_WRITE, MAP_SHARED, session_store_fd(store), 0);
		if (raw == MAP_FAILED)
			abort();
	}
	if (size < 32)
		return 0;
	memset(raw + RECORDS_AT, 0, raw_size - RECORDS_AT);
	memcpy(session.id, data, 32);
	memset(session.secret, 7, 48);
	(void)session_store_put(store, &session, &now);
	/* Triples of place and change, then all of the record that begins like the input. */
	for (i = 32; i + 2 < size; i += 3)
		raw[RECORDS_AT + (data[i] * 256u + data[i + 1]) % (raw_size - RECORDS_AT)] ^= data[i + 2];
	if (session_store_find(store, session.id, &now, &found) &&
	    memcmp(&found, &session, sizeof found) != 0)
		abort();
	for (i = RECORDS_AT; i + RECORD <= raw_size; i += RECORD)
		memcpy(raw + i, data, size < RECORD ? size : RECORD);
	if (session_store_find(store, session.id, &now, &found) && found.secret_length > 48)
		abort();
	(void)session_store_put(store, &session, &now);
	session_store_remove(store, session.id, &now);
	session_store_sweep(store, session_store_sets(store), &now);
	return 0;
}
