#include "authority/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/closing.h"
#include "authority/command_channel.h"
#include "authority/gateway_channel.h"
#include "authority/house.h"
#include "authority/house_files.h"
#include "authority/figures.h"
#include "authority/publish.h"
#include "authority/server_certificate.h"
#include "authority/state_lock.h"
#include "authority/turn.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "bridge/ask.h"
#include "registry/audit_record.h"
#include "registry/deed_record.h"

enum { DEEDS_KEPT = 7 * 86400, BEAT_MS = 1000, CHORE_MS = 3600000 };

void authority_device_text(const struct authority *authority, const uint8_t id[REGISTRY_ID_SIZE],
			   char out[static DEVICE_ID_TEXT])
{
	hex_write(id, REGISTRY_ID_SIZE, out);
	snprintf(out + 2 * REGISTRY_ID_SIZE, DEVICE_ID_TEXT - 2 * REGISTRY_ID_SIZE, ".d.%s",
		 registry_trust_domain(authority->registry));
}

static enum status open_registry(struct authority *authority, struct error *err)
{
	struct secret *row_key = NULL;
	struct registry_memory memory;
	char path[PATH_MAX];
	enum status status;

	TRY(house_load_hex(authority->state, ROW_KEY_FILE, REGISTRY_KEY_SIZE, &row_key, err));
	TRY(house_path(authority->state, REGISTRY_FILE, path, err));
	TRY(registry_open(path, secret_span(row_key), &authority->registry, err));
	TRY(house_path(authority->state, REVOKED_LIST_FILE, path, err));
	TRY(registry_remember(authority->registry, path, &memory, err));
	if (memory.put_back)
		log_say(LOG_ERROR, "put-back", "%s/%s is an older copy, or was changed by hand: %u people, devices and "
			"certificates in it that were revoked before are revoked again", authority->state,
			REGISTRY_FILE, memory.put_back);
	if (memory.damaged)
		log_say(LOG_ERROR, "revoked-list", "%s: %u lines cannot be read; restore it from a backup", path,
			memory.damaged);
done:
	secret_free(row_key);
	return status;
}

static enum status load_signers(struct authority *authority, struct error *err)
{
	char path[PATH_MAX];
	enum status status;

	TRY(house_load_certificate(authority->state, ROOT_CERTIFICATE_FILE, &authority->root, err));
	TRY(house_load_signer(authority->state, ISSUING_CERTIFICATE_FILE, ISSUING_KEY_FILE, &authority->issuing,
			      err));
	TRY(certificate_check_issuer(signer_certificate(authority->issuing), authority->root, err));
	TRY(house_path(authority->state, NEXT_KEY_FILE, path, err));
	if (access(path, F_OK) == 0) {
		TRY(house_load_signer(authority->state, NEXT_CERTIFICATE_FILE, NEXT_KEY_FILE, &authority->next,
				      err));
		TRY(certificate_check_issuer(signer_certificate(authority->next), authority->root, err));
	}
done:
	return status;
}

/* A broken chain is a report, not a reason to keep everybody out. */
static void check_audit(struct authority *authority)
{
	struct audit_head head;
	struct error err;

	if (audit_record_verify(authority->registry, &head, &err) == OK)
		return;
	log_say(LOG_ERROR, "audit-broken", "%s", err.text);
	authority->refused_count++;
	json_array_append_new(authority->refused_rows, json_string(err.text));
}

static enum status forget_old_deeds(struct authority *authority, struct error *err)
{
	enum status status;

	TRY(registry_begin(authority->registry, err));
	TRY(deed_record_expire(authority->registry, clock_seconds() - DEEDS_KEPT, err));
	TRY(registry_commit(authority->registry, err));
done:
	registry_rollback(authority->registry);
	return status;
}

static void end_of_turn(struct task *task)
{
	turn_commit(OWNER_OF(task, struct authority, end_of_turn));
}

static void on_beat(struct timer *timer)
{
	struct authority *authority = OWNER_OF(timer, struct authority, beat);
	const struct clock_time *now = loop_now(authority->loop);

	roster_touch(authority->roster, now->wall);
	if (authority->old_roster)
		roster_touch(authority->old_roster, now->wall);
	publish_if_touched(authority);
	figures_beat(authority->figures, now->mono);
	timer_set(loop_timers(authority->loop), &authority->beat, now->mono + MILLISECONDS(BEAT_MS));
}

static void on_chore(struct timer *timer)
{
	struct authority *authority = OWNER_OF(timer, struct authority, chore);
	struct error err;

	turn_commit(authority);
	server_certificate_renew_due(authority);
	if (forget_old_deeds(authority, &err) != OK)
		log_say(LOG_ERROR, "chore", "%s", err.text);
	timer_set(loop_timers(authority->loop), &authority->chore,
		  loop_now(authority->loop)->mono + MILLISECONDS(CHORE_MS));
}

static struct authority *authority_new(const struct authority_options *options)
{
	struct authority *authority = calloc(1, sizeof *authority);

	if (!authority)
		return NULL;
	authority->options = *options;
	authority->options.state = NULL;
	snprintf(authority->state, sizeof authority->state, "%s", options->state);
	authority->lock = -1;
	authority->started = clock_seconds();
	authority->refused_rows = json_array();
	authority->table = answer_table(authority);
	list_init(&authority->gateways);
	list_init(&authority->commands);
	list_init(&authority->closings);
	list_init(&authority->deeds);
	if (options->board)
		authority->figures = figures_new(options->board);
	task_init(&authority->end_of_turn, end_of_turn);
	timer_init(&authority->beat, on_beat);
	timer_init(&authority->chore, on_chore);
	return authority;
}

enum status authority_open(const struct authority_options *options, struct authority **out,
			   struct error *err)
{
	struct authority *authority = NULL;
	enum status status;

	if (strlen(options->state) >= sizeof authority->state)
		return error_refuse(err, "the path is too long: %s", options->state);
	if (!house_exists(options->state))
		return error_refuse(err, "%s holds no certificate authority; make one with `chatelaine init`, or "
				    "name the right folder with --state", options->state);
	authority = authority_new(options);
	if (!authority)
		return error_fail(err, "no memory");
	TRY(state_lock_take(authority->state, &authority->lock, err));
	house_tidy(authority->state);
	TRY(open_registry(authority, err));
	TRY(load_signers(authority, err));
	TRY(house_load_hex(authority->state, TOKEN_FILE, TOKEN_SIZE, &authority->token, err));
	TRY(forget_old_deeds(authority, err));
	TRY(publish_all(authority, err));
	check_audit(authority);
	*out = authority;
	authority = NULL;
done:
	authority_free(authority);
	return status;
}

void authority_free(struct authority *authority)
{
	if (!authority)
		return;
	if (authority->registry)
		turn_commit(authority);
	closing_abandon(authority);
	command_channel_close_all(authority);
	gateway_channel_close_all(authority);
	task_cancel(&authority->end_of_turn);
	timer_stop(&authority->beat);
	timer_stop(&authority->chore);
	roster_free(authority->old_roster);
	roster_free(authority->roster);
	json_decref(authority->refused_rows);
	figures_free(authority->figures);
	signer_free(authority->next);
	signer_free(authority->issuing);
	certificate_free(authority->root);
	secret_free(authority->token);
	registry_free(authority->registry);
	if (authority->lock >= 0)
		close(authority->lock);
	free(authority);
}

enum status authority_attach(struct authority *authority, struct loop *loop, struct error *err)
{
	(void)err;
	authority->loop = loop;
	on_beat(&authority->beat);
	on_chore(&authority->chore);
	return OK;
}

int authority_roster_fd(const struct authority *authority)
{
	return roster_fd(authority->roster);
}

unsigned authority_rows_refused(const struct authority *authority)
{
	return authority->refused_count;
}

enum status authority_answer_now(struct authority *authority, const char *name, json_t *words, json_t **out,
				 struct error *err)
{
	struct question question = {.name = name, .words = json_incref(words), .fd = -1};

	return question_dispatch_local(&authority->table, ROLE_CLI, question, out, NULL, err);
}
