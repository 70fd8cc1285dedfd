#include "authority/turn.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authority/authority_handle.h"
#include "authority/closing.h"
#include "authority/publish.h"
#include "authority/who_is_there.h"
#include "base/clock.h"
#include "base/log.h"
#include "pki/digest.h"
#include "registry/audit_record.h"
#include "registry/deed_record.h"

enum { TURN_DEEDS_MOST = 64, FINGERPRINTS_MOST = 1 << 20, KEY_LEAST = 16, KEY_MOST = 64 };

static struct deed *deed_new(struct authority *authority, struct answer *answer)
{
	struct deed *deed = calloc(1, sizeof *deed);

	if (!deed)
		return NULL;
	deed->authority = authority;
	deed->answer = answer;
	deed->words = json_object();
	list_init(&deed->in_turn);
	buffer_init(&deed->fingerprints, FINGERPRINTS_MOST);
	return deed;
}

static void deed_free(struct deed *deed)
{
	list_remove(&deed->in_turn);
	/* Secrets among the words are wiped by bridge/frame's allocator when the last holder lets go. */
	json_decref(deed->words);
	buffer_release(&deed->fingerprints);
	free(deed);
}

static void deed_fail(struct deed *deed, enum status status, const struct error *why)
{
	answer_error(deed->answer, status, why);
	deed_free(deed);
}

void deed_touch(struct deed *deed, const uint8_t device[REGISTRY_ID_SIZE])
{
	memcpy(deed->devices[deed->device_count++], device, REGISTRY_ID_SIZE);
}

/* Idempotence ------------------------------------------------------------ */

/* Beside the words, or, as commands do it, among them. */
static const char *key_of(const struct deed *deed, const json_t *words)
{
	const char *key = answer_key(deed->answer);

	return key ? key : json_string_value(json_object_get(words, "key"));
}

static void key_hash(const char *key, uint8_t out[static 32])
{
	digest_sha256(span_of(key), out);
}

/* The words may hold a password: with the key, which is kept nowhere, nobody can try passwords against it. */
static enum status asked_hash(const char *question, const char *key, const json_t *words, uint8_t out[static 32],
			      struct error *err)
{
	char *text = json_dumps(words, JSON_SORT_KEYS | JSON_COMPACT);
	struct span parts[5] = {span_of(question), SPAN("\n"), span_of(key), SPAN("\n"), span_of(text)};

	if (!text)
		return error_fail(err, "no memory");
	digest_sha256_parts(parts, 5, out);
	explicit_bzero(text, strlen(text));
	free(text);
	return OK;
}

enum status turn_remember(struct deed *deed, const uint8_t subject[REGISTRY_ID_SIZE], const json_t *words,
			  struct error *err)
{
	const char *key = key_of(deed, words);
	struct deed_record record = {.at = clock_seconds()};
	enum status status = OK;

	if (!key)
		return OK;
	key_hash(key, record.key);
	TRY(asked_hash(answer_name(deed->answer), key, words, record.asked, err));
	snprintf(record.question, sizeof record.question, "%s", answer_name(deed->answer));
	memcpy(record.subject, subject, sizeof record.subject);
	TRY(deed_record_add(deed->authority->registry, &record, err));
done:
	return status;
}

static enum status find_deed(struct deed *deed, const json_t *words, struct deed_record *out, bool *found,
			     struct error *err)
{
	const char *key = key_of(deed, words);
	uint8_t hash[32];
	enum status status = OK;

	*found = false;
	if (!key)
		return OK;
	/* Guessable, it would give one asker's deed to another. */
	if (strlen(key) < KEY_LEAST || strlen(key) > KEY_MOST)
		return error_refuse(err, "an idempotence key has %d to %d characters", KEY_LEAST, KEY_MOST);
	key_hash(key, hash);
	TRY(deed_record_find(deed->authority->registry, hash, out, found, err));
	if (!*found)
		goto done;
	TRY(asked_hash(answer_name(deed->answer), key, words, hash, err));
	if (memcmp(hash, out->asked, sizeof hash) != 0)
		status = error_refuse(err, "this idempotence key stands for another question");
done:
	return status;
}

/* The audit line --------------------------------------------------------- */

enum status turn_audit(struct deed *deed, const char *subject, struct error *err, const char *detail, ...)
{
	char line[400], who[64];
	struct audit_entry entry;
	va_list args;

	va_start(args, detail);
	vsnprintf(line, sizeof line, detail, args);
	va_end(args);
	if (deed->authority->loop)
		snprintf(who, sizeof who, "%s", answer_peer(deed->answer));
	else
		snprintf(who, sizeof who, "command uid %u pid %d, no server", (unsigned)getuid(), (int)getpid());
	entry = (struct audit_entry){span_of(who), span_of(answer_name(deed->answer)), span_of(subject),
				     span_of(line)};
	return audit_record_add(deed->authority->registry, clock_seconds(), &entry, err);
}

/* The turn ---------------------------------------------------------------- */

static void wait_for_commit(struct authority *authority, struct deed *deed)
{
	list_add_last(&authority->deeds, &deed->in_turn);
	authority->deed_count++;
	if (authority->loop)
		loop_post(authority->loop, &authority->end_of_turn);
	if (authority->deed_count >= TURN_DEEDS_MOST ||
	    clock_read().mono - authority->turn_began >= MILLISECONDS(5))
		turn_commit(authority);
}

static void answer_deed(struct authority *authority, struct deed *deed)
{
	if (deed->ends)
		closing_start(authority, deed);
	else if (deed->counts_live)
		who_is_there(authority, deed);
	else
		answer_send(deed->answer, deed->words, -1);
	deed_free(deed);
}

/* The roster after the disk, the answer after the roster. */
static void take_effect(struct authority *authority, struct deed *deed)
{
	struct error err;
	enum status status = OK;
	unsigned i;

	if (!deed->writes) {
		answer_deed(authority, deed);
		return;
	}
	publish_revoked(authority, buffer_span(&deed->fingerprints));
	if (deed->ends)
		publish_devices_revoked(authority, deed->devices, deed->device_count);
	if (deed->rebuilds)
		status = publish_all(authority, &err);
	for (i = 0; i < deed->device_count && status == OK; i++)
		status = publish_device(authority, deed->devices[i], &err);
	/* A revocation has its words in the roster already; it goes on to the gateways in any case. */
	if (status == OK || deed->ends) {
		answer_deed(authority, deed);
		return;
	}
	error_context(&err, "it is recorded, but the door does not know it before a restart");
	log_say(LOG_ERROR, "publish", "%s", err.text);
	deed_fail(deed, FAILED, &err);
}

void turn_commit(struct authority *authority)
{
	struct link deeds;
	struct error err;
	enum status status = OK;

	task_cancel(&authority->end_of_turn);
	if (list_is_empty(&authority->deeds))
		return;
	/* What follows may lead back here. */
	list_init(&deeds);
	list_add_first(&authority->deeds, &deeds);
	list_remove(&authority->deeds);
	authority->deed_count = 0;
	if (registry_is_in_transaction(authority->registry))
		status = registry_commit(authority->registry, &err);
	else
		status = error_fail(&err, "the disk gave an error earlier in this turn; nothing was changed");
	if (status != OK)
		log_say(LOG_ERROR, "commit", "%s", err.text);
	LIST_EACH(it, &deeds) {
		struct deed *deed = OWNER_OF(it, struct deed, in_turn);

		if (status == OK)
			take_effect(authority, deed);
		else
			deed_fail(deed, FAILED, &err);
	}
}

void turn_read(struct authority *authority, struct answer *answer, const json_t *words, deed_fn *read)
{
	struct deed *deed = deed_new(authority, answer);
	struct error err = {""};
	enum status status = deed ? OK : error_fail(&err, "no memory");

	if (!deed) {
		answer_fail(answer, &err);
		return;
	}
	status = read(authority, deed, words, &err);
	if (status != OK)
		deed_fail(deed, status, &err);
	else if (!list_is_empty(&authority->deeds))
		wait_for_commit(authority, deed);
	else
		answer_deed(authority, deed);
}

static enum status do_or_repeat(struct authority *authority, struct deed *deed, const json_t *words,
				deed_fn *write, deed_again_fn *again, struct error *err)
{
	struct deed_record before;
	enum status status;
	bool found;

	TRY(find_deed(deed, words, &before, &found, err));
	status = found && again ? again(authority, deed, before.subject, words, err)
				: write(authority, deed, words, err);
done:
	return status;
}

static enum status within_mark(struct authority *authority, struct deed *deed, const json_t *words,
			       deed_fn *write, deed_again_fn *again, struct error *err)
{
	enum status status;

	if (list_is_empty(&authority->deeds)) {
		authority->turn_began = clock_read().mono;
		TRY(registry_begin(authority->registry, err));
	}
	TRY(registry_mark(authority->registry, err));
	status = do_or_repeat(authority, deed, words, write, again, err);
	if (status == OK)
		status = registry_keep_mark(authority->registry, err);
	else
		registry_undo_mark(authority->registry);
done:
	/* Nobody else waits for this transaction: it has nothing in it. */
	if (status != OK && list_is_empty(&authority->deeds))
		registry_rollback(authority->registry);
	return status;
}

void turn_write(struct authority *authority, struct answer *answer, const json_t *words, deed_fn *write,
		deed_again_fn *again)
{
	struct deed *deed = deed_new(authority, answer);
	struct error err = {""};
	enum status status = deed ? OK : error_fail(&err, "no memory");

	if (!deed) {
		answer_fail(answer, &err);
		return;
	}
	deed->writes = true;
	status = within_mark(authority, deed, words, write, again, &err);
	if (status == OK)
		wait_for_commit(authority, deed);
	else
		deed_fail(deed, status, &err);
}
