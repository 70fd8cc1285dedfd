/* authority_handle - what struct authority is made of; for authority/ only. */
#ifndef AUTHORITY_AUTHORITY_HANDLE_H
#define AUTHORITY_AUTHORITY_HANDLE_H

#include "authority/authority.h"
#include "base/list.h"
#include "base/secret.h"
#include "bridge/question.h"
#include "event/loop.h"
#include "event/timer.h"
#include "pki/signer.h"
#include "registry/registry.h"
#include "shm/roster.h"

enum {
	DEVICE_ID_TEXT = REGISTRY_ID_TEXT + 3 + TRUST_DOMAIN_SIZE, /* HEX32.d.TRUST, terminated */
	REFUSED_ROWS_KEPT = 100,
	GATEWAYS_MOST = 512, /* draining ones included */
	COMMANDS_MOST = 64,
	RELOADS_MOST = 16,
	ACKNOWLEDGE_MS = 500,
	REVOKE_LIMIT_MS = 900,
	HELLO_MS = 5000,
	ROSTER_KEEPS = 30 * 86400, /* seconds after not_after */
	ROSTER_ROOM_LEAST = 100000,
};

struct gateway {
	struct authority *authority;
	struct channel *channel; /* NULL once it has closed */
	unsigned number;
	bool has_roster; /* it acknowledged the present one */
	bool is_ended;   /* the supervisor was told to */
	struct link in_authority; /* owner: authority.gateways */
};

struct authority {
	struct authority_options options;
	char state[4096];
	int lock;
	struct registry *registry;
	struct signer *issuing, *next; /* next may be NULL */
	struct certificate *root;
	struct secret *token;
	int64_t started; /* seconds */

	struct roster *roster;
	uint64_t roster_room;      /* it was made for so many */
	struct roster *old_roster; /* written too until every gateway has the new one; NULL */
	json_t *refused_rows;      /* sentences, the first REFUSED_ROWS_KEPT */
	unsigned refused_count;

	struct loop *loop; /* NULL: asked by authority_answer_now */
	struct question_table table;
	struct link gateways; /* of gateway.in_authority */
	unsigned gateway_count;
	struct link commands; /* of command.in_authority */
	unsigned command_count;
	struct link closings; /* of closing.in_authority */

	struct {
		unsigned number; /* 0: free */
		struct answer *answer;
	} reloads[RELOADS_MOST]; /* asked of the supervisor, not answered yet */
	unsigned reload_number;

	struct link deeds; /* of deed.in_turn: wait for the turn's commit */
	unsigned deed_count;
	int64_t turn_began; /* mono */
	struct task end_of_turn;
	struct figures *figures; /* NULL: none */
	struct timer beat;  /* roster_touch, once a second */
	struct timer chore; /* hourly: server certificates, old deeds */
};

/* HEX32.d.TRUST */
void authority_device_text(const struct authority *authority, const uint8_t id[REGISTRY_ID_SIZE],
			   char out[static DEVICE_ID_TEXT]);

#endif
