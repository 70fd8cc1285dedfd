#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "base/log.h"

/* Keeps the answer for authority_reloaded and tells the supervisor. */
static void ask_supervisor(struct authority *authority, struct answer *answer, void (*tell)(void *arg, unsigned number))
{
	struct error err;
	unsigned i;

	if (!tell) {
		(void)error_refuse(&err, "chatelaine is not running; what has changed is used when it starts");
		answer_refuse(answer, &err);
		return;
	}
	for (i = 0; i < RELOADS_MOST && authority->reloads[i].number;)
		i++;
	if (i == RELOADS_MOST) {
		(void)error_refuse(&err, "so many wait for a reload already; ask when one of them is done");
		answer_refuse(answer, &err);
		return;
	}
	log_say(LOG_INFO, answer_name(answer), "asked for by %s", answer_peer(answer));
	if (++authority->reload_number == 0)
		authority->reload_number = 1;
	authority->reloads[i].number = authority->reload_number;
	authority->reloads[i].answer = answer;
	tell(authority->options.arg, authority->reload_number);
}

void answer_reload(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct authority *authority = house;

	(void)words;
	(void)fd;
	ask_supervisor(authority, answer, authority->options.reload);
}

void answer_upgrade(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct authority *authority = house;

	(void)words;
	(void)fd;
	ask_supervisor(authority, answer, authority->options.upgrade);
}

void authority_reloaded(struct authority *authority, unsigned number, const json_t *words)
{
	unsigned i;

	for (i = 0; i < RELOADS_MOST; i++) {
		/* The distance, because numbers go round. */
		if (!authority->reloads[i].number || number - authority->reloads[i].number > UINT32_MAX / 2)
			continue;
		authority->reloads[i].number = 0;
		answer_send(authority->reloads[i].answer, words, -1);
	}
}
