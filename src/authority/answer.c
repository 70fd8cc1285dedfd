#include "authority/answers.h"

#include "authority/authority_handle.h"
#include "authority/turn.h"
#include "base/log.h"

/* The whole attack surface of the CA, and its whole API. */
static const struct question_row rows[] = {
	{"hello", ROLE_STRANGER, QUESTION_READS, QUESTION_URGENT, answer_hello},
	{"person-add", ROLE_CLI, QUESTION_WRITES, 0, answer_person_add},
	{"person-list", ROLE_CLI, QUESTION_READS, 0, answer_person_list},
	{"person-show", ROLE_CLI, QUESTION_READS, 0, answer_person_show},
	{"person-remove", ROLE_CLI, QUESTION_WRITES, QUESTION_URGENT, answer_person_remove},
	{"device-add", ROLE_CLI, QUESTION_REVEALS, 0, answer_device_add},
	{"device-list", ROLE_CLI, QUESTION_READS, 0, answer_device_list},
	{"device-show", ROLE_CLI, QUESTION_READS, 0, answer_device_show},
	{"device-revoke", ROLE_CLI, QUESTION_WRITES, QUESTION_URGENT, answer_device_revoke},
	{"ca-cert", ROLE_CLI, QUESTION_READS, 0, answer_ca_cert},
	{"status", ROLE_CLI, QUESTION_READS, 0, answer_status},
	{"reload", ROLE_CLI, QUESTION_WRITES, 0, answer_reload},
	{"upgrade", ROLE_CLI, QUESTION_WRITES, 0, answer_upgrade},
	{"present", ROLE_CLI, QUESTION_READS, 0, answer_present},
	{"roster", ROLE_GATEWAY, QUESTION_READS, 0, answer_roster},
	{"seen", ROLE_GATEWAY, QUESTION_WRITES, 0, answer_seen},
	{"watched", ROLE_GATEWAY, QUESTION_WRITES, 0, answer_watched},
	{"watch", ROLE_CLI, QUESTION_READS, 0, answer_watch},
	{"watch-reset", ROLE_CLI, QUESTION_WRITES, 0, answer_watch_reset},
	{"attendance", ROLE_CLI, QUESTION_READS, 0, answer_attendance},
};

static void on_refused(void *house, enum role role, const char *peer, const char *name)
{
	(void)house;
	log_begin(LOG_WARNING, "question-refused");
	log_text("peer", span_of(peer));
	log_text("as", span_of(role_name(role)));
	log_text("question", span_of(name));
	log_end();
}

static void settle(void *house)
{
	turn_commit(house);
}

struct question_table answer_table(struct authority *authority)
{
	return (struct question_table){.rows = rows, .count = sizeof rows / sizeof *rows, .house = authority,
				       .on_refused = on_refused, .settle = settle};
}
