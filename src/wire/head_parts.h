/* head_parts - what the pieces of the head parser share while one head is read. Not for other rooms. */
#ifndef WIRE_HEAD_PARTS_H
#define WIRE_HEAD_PARTS_H

#include "wire/http_head.h"

struct head_reading {
	const char *at, *end; /* what is not yet read */
	struct head *head;
	const struct head_limits *limits;
	struct error *err;
	/* What the fields said about the connection, judged when all are read. */
	uint8_t hosts, connections, upgrades, keys, versions;
	bool says_close, says_keep_alive, says_upgrade;
	bool says_websocket, has_good_key, has_good_version, has_accept;
};

/* Sets refusal and text; returns REFUSED. */
enum status head_refuse(struct head_reading *reading, enum head_refusal why, const char *text);

/* head_line.c: the first line. AGAIN: not all of it there. */
MUST_CHECK enum status head_read_request_line(struct head_reading *reading);
MUST_CHECK enum status head_read_status_line(struct head_reading *reading);

/* head_framing.c: one field that frames or routes; then what all of them mean together. */
MUST_CHECK enum status head_take_field(struct head_reading *reading, const struct field *field);
MUST_CHECK enum status head_judge(struct head_reading *reading);

/* Every byte may stand in Host: letters, digits, "-._:[]". */
bool head_is_host(struct span value);
bool span_is_same_nocase(struct span a, struct span b);

#endif
