#include "authority/house.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/entry_check.h"
#include "authority/house_files.h"
#include "authority/server_certificate.h"
#include "authority/state_lock.h"
#include "base/encode.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/random.h"
#include "pki/recovery.h"
#include "registry/registry.h"

/*
 * Everything is made in STATE/init.unfinished/, then moved to its place, the
 * registry last: a house is there when its registry is. What a crash leaves
 * while init.unfinished/ exists was made by the crashed init, because none
 * begins while one of these names is taken.
 */
#define UNFINISHED "init.unfinished"

enum { FILES_MOST = 16, SITE_MOST = 200 };

static const char *const own_files[] = {
	ROOT_CERTIFICATE_FILE, ROOT_KEY_FILE, ISSUING_CERTIFICATE_FILE, ISSUING_KEY_FILE,
	NEXT_CERTIFICATE_FILE, NEXT_KEY_FILE, ROW_KEY_FILE, TOKEN_FILE, SERVER_FOLDER,
	TRUST_DOMAIN_FILE, REVOKED_LIST_FILE,
	REGISTRY_FILE /* last */,
};
enum { OWN_FILES = sizeof own_files / sizeof *own_files };

struct making {
	const struct house_plan *plan;
	char unfinished[PATH_MAX]; /* STATE/init.unfinished */
	char site[SITE_MOST + 1], trust_domain[SITE_MOST + 16];
	bool is_ip, made_state;
	struct secret *row_key, *phrase;
	struct signer *root, *issuing, *next;
};

/* Device ids end in it, also as DNS names; an address cannot stand there. */
static void name_trust_domain(struct making *making)
{
	char *c;

	if (!making->is_ip) {
		snprintf(making->trust_domain, sizeof making->trust_domain, "%s", making->site);
		return;
	}
	snprintf(making->trust_domain, sizeof making->trust_domain, "ip-%s.internal", making->site);
	for (c = making->trust_domain; *c && strcmp(c, ".internal") != 0; c++)
		if (*c == '.' || *c == ':' || *c == '%')
			*c = '-';
}

static enum status put(struct making *making, const char *name, mode_t mode, struct span bytes,
		       struct error *err)
{
	char path[PATH_MAX];
	enum status status;

	TRY(house_path(making->unfinished, name, path, err));
	TRY(file_save_new(path, mode, bytes, err));
done:
	return status;
}

static enum status put_certificate(struct making *making, const char *name,
				   const struct certificate *certificate, struct error *err)
{
	struct buffer text;
	enum status status;

	buffer_init(&text, SMALL_FILE_MOST);
	certificate_write_pem(certificate, &text);
	status = put(making, name, 0644, buffer_span(&text), err);
	buffer_release(&text);
	return status;
}

static enum status put_key(struct making *making, const char *name, const struct key *key, struct error *err)
{
	struct secret *text = NULL;
	enum status status;

	TRY(key_write_pem(key, &text, err));
	TRY(put(making, name, 0600, secret_span(text), err));
done:
	secret_free(text);
	return status;
}

/* Random bytes, as a line of hex. */
static enum status put_random(struct making *making, const char *name, size_t size, struct secret **keep,
			      struct error *err)
{
	struct secret *bytes = secret_new(size), *text = secret_new(2 * size + 1);
	enum status status;

	random_bytes(bytes->bytes, size);
	hex_write(bytes->bytes, size, (char *)text->bytes);
	text->bytes[2 * size] = '\n';
	status = put(making, name, 0600, secret_span(text), err);
	secret_free(text);
	if (keep && status == OK)
		*keep = bytes;
	else
		secret_free(bytes);
	return status;
}

static enum status make_authorities(struct making *making, struct error *err)
{
	struct subject_facts facts = {.house = span_of(making->trust_domain), .number = 1};
	struct secret *sealed = NULL;
	enum status status;

	making->phrase = recovery_make();
	TRY(signer_make_root(&facts, &making->root, err));
	TRY(signer_make_issuing(making->root, &facts, &making->issuing, err));
	facts.number = 2;
	TRY(signer_make_next_issuing(making->root, &facts, making->issuing, &making->next, err));
	TRY(key_write_pem_sealed(signer_key(making->root), secret_span(making->phrase), &sealed, err));
	TRY(put(making, ROOT_KEY_FILE, 0600, secret_span(sealed), err));
	TRY(put_certificate(making, ROOT_CERTIFICATE_FILE, signer_certificate(making->root), err));
	TRY(put_certificate(making, ISSUING_CERTIFICATE_FILE, signer_certificate(making->issuing), err));
	TRY(put_key(making, ISSUING_KEY_FILE, signer_key(making->issuing), err));
	TRY(put_certificate(making, NEXT_CERTIFICATE_FILE, signer_certificate(making->next), err));
	TRY(put_key(making, NEXT_KEY_FILE, signer_key(making->next), err));
done:
	secret_free(sealed);
	return status;
}

static enum status make_server_certificate(struct making *making, struct error *err)
{
	char path[PATH_MAX];
	enum status status;

	TRY(house_path(making->unfinished, SERVER_FOLDER, path, err));
	TRY(folder_make(path, 0755, err));
	if (making->plan->make_server_certificate)
		TRY(server_certificate_make(making->issuing, span_of(making->trust_domain), making->site, path, err));
done:
	return status;
}

static enum status make_everything(struct making *making, struct error *err)
{
	char path[PATH_MAX];
	enum status status;
	size_t i;

	TRY(folder_make(making->unfinished, 0700, err));
	TRY(put_random(making, ROW_KEY_FILE, REGISTRY_KEY_SIZE, &making->row_key, err));
	TRY(put_random(making, TOKEN_FILE, TOKEN_SIZE, NULL, err));
	TRY(put(making, TRUST_DOMAIN_FILE, 0644, span_of(making->trust_domain), err));
	TRY(put(making, REVOKED_LIST_FILE, 0600, SPAN("# What was revoked or removed. Lines are only ever added.\n"), err));
	TRY(make_authorities(making, err));
	TRY(make_server_certificate(making, err));
	TRY(house_path(making->unfinished, REGISTRY_FILE, path, err));
	TRY(registry_create(path, secret_span(making->row_key), span_of(making->trust_domain), err));
	for (i = 0; i < making->plan->file_count; i++)
		TRY(put(making, making->plan->files[i].name, making->plan->files[i].mode,
			making->plan->files[i].bytes, err));
	TRY(folder_sync(path, err));
done:
	return status;
}

/* Two floors deep, which is as deep as a house goes. */
static void remove_folder(const char *path, int depth)
{
	struct dirent *entry;
	char inner[PATH_MAX];
	DIR *folder = opendir(path);

	while (folder && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= PATH_MAX)
			continue;
		if (unlink(inner) && (errno == EISDIR || errno == EPERM) && depth > 0)
			remove_folder(inner, depth - 1);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

static void remove_named(const char *state, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/%s", state, name) >= PATH_MAX)
		return;
	if (unlink(path) && (errno == EISDIR || errno == EPERM))
		remove_folder(path, 0);
}

/* Takes back what was moved and what was not. */
static void clear_away(const struct making *making)
{
	size_t i;

	for (i = OWN_FILES; i-- > 0;)
		remove_named(making->plan->state, own_files[i]);
	for (i = 0; i < making->plan->file_count; i++)
		remove_named(making->plan->state, making->plan->files[i].name);
	remove_folder(making->unfinished, 1);
}

static bool is_there(const char *state, const char *name)
{
	char path[PATH_MAX];
	struct stat facts;

	return snprintf(path, sizeof path, "%s/%s", state, name) < PATH_MAX && lstat(path, &facts) == 0;
}

void house_tidy(const char *state)
{
	char path[PATH_MAX];

	if (house_path(state, UNFINISHED, path, NULL) == OK)
		rmdir(path); /* empty by then; if not, it is none of ours */
}

bool house_exists(const char *state)
{
	return is_there(state, REGISTRY_FILE);
}

bool house_owner(const char *state, uid_t *owner, gid_t *group)
{
	char path[PATH_MAX];
	struct stat facts;

	bool is_shared;

	if (stat(state, &facts))
		return false;
	is_shared = facts.st_mode & 022;
	if (facts.st_uid == 0 && house_path(state, REGISTRY_FILE, path, NULL) == OK)
		(void)!lstat(path, &facts);
	/* Where others may write, a registry that is gone for a moment must make nobody root. */
	if (facts.st_uid == 0 && is_shared)
		return false;
	*owner = facts.st_uid;
	*group = facts.st_gid;
	return true;
}

/* A plain file of his, with one name: it becomes root's where it is. */
static bool take_file(int folder, const char *name, uid_t owner, gid_t group)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat facts;
	bool is_taken = fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_nlink == 1 &&
			facts.st_uid == owner && fchown(fd, 0, group) == 0 && fchmod(fd, 0640) == 0;

	if (fd >= 0)
		close(fd);
	return is_taken;
}

bool house_mend(const char *state, uid_t owner)
{
	int folder = open(state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat facts;
	bool is_mended = false;

	if (folder >= 0 && owner != 0 && geteuid() == 0 && fstat(folder, &facts) == 0 && facts.st_uid == owner &&
	    house_exists(state) && fchown(folder, 0, facts.st_gid) == 0 && fchmod(folder, 01770) == 0) {
		is_mended = true;
		(void)take_file(folder, "chatelaine.conf", owner, facts.st_gid);
		(void)take_file(folder, "allow.txt", owner, facts.st_gid);
	}
	if (folder >= 0)
		close(folder);
	return is_mended;
}

static enum status check_room(struct making *making, struct error *err)
{
	const struct house_plan *plan = making->plan;
	size_t i;

	if (house_exists(plan->state))
		return error_refuse(err, "%s already holds a certificate authority; use another --state",
				    plan->state);
	if (is_there(plan->state, UNFINISHED))
		clear_away(making);
	for (i = 0; i < OWN_FILES; i++)
		if (is_there(plan->state, own_files[i]))
			return error_refuse(err, "%s already holds %s but no registry: restore the registry from "
					    "a backup, or use another --state", plan->state, own_files[i]);
	for (i = 0; i < plan->file_count; i++)
		if (is_there(plan->state, plan->files[i].name))
			return error_refuse(err, "%s already holds %s; use another --state, or move it away",
					    plan->state, plan->files[i].name);
	return OK;
}

static enum status give_away(const struct making *making, const char *path, struct error *err)
{
	if (!making->plan->change_owner || lchown(path, making->plan->owner, making->plan->group) == 0)
		return OK;
	return error_fail_errno(err, "cannot give %s to user %u", path, (unsigned)making->plan->owner);
}

/* A folder's files first; then itself. */
static enum status give_all_away(const struct making *making, const char *path, int depth, struct error *err)
{
	enum status status = OK;
	struct dirent *entry;
	char inner[PATH_MAX];
	DIR *folder = making->plan->change_owner && depth > 0 ? opendir(path) : NULL;

	while (folder && status == OK && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		status = house_path(path, entry->d_name, inner, err);
		if (status == OK)
			status = give_all_away(making, inner, depth - 1, err);
	}
	if (folder)
		closedir(folder);
	return status == OK ? give_away(making, path, err) : status;
}

/* Root obeys what stands in these: he keeps them, and the folder, where the owner may only add. */
static enum status keep_roots(const struct making *making, struct error *err)
{
	const struct house_plan *plan = making->plan;
	enum status status = OK;
	char path[PATH_MAX];
	size_t i;

	for (i = 0; plan->change_owner && i < plan->file_count && status == OK; i++) {
		status = house_path(plan->state, plan->files[i].name, path, err);
		if (status == OK && lchown(path, geteuid(), plan->group))
			status = error_fail_errno(err, "cannot keep %s", path);
	}
	if (status == OK && plan->change_owner &&
	    (chown(plan->state, geteuid(), plan->group) || chmod(plan->state, 01770)))
		status = error_fail_errno(err, "cannot keep %s", plan->state);
	return status;
}

static enum status move(const struct making *making, const char *name, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	enum status status;

	TRY(house_path(making->unfinished, name, from, err));
	TRY(house_path(making->plan->state, name, to, err));
	if (FAULT("rename") || rename(from, to))
		status = error_fail_errno(err, "cannot create %s", to);
done:
	return status;
}

static enum status move_in(const struct making *making, struct error *err)
{
	char path[PATH_MAX];
	enum status status;
	size_t i;

	for (i = 0; i < making->plan->file_count; i++)
		TRY(move(making, making->plan->files[i].name, err));
	for (i = 0; i + 1 < OWN_FILES; i++)
		TRY(move(making, own_files[i], err));
	TRY(house_path(making->plan->state, REGISTRY_FILE, path, err));
	TRY(folder_sync(path, err));
	TRY(move(making, REGISTRY_FILE, err));
	TRY(folder_sync(path, err));
	if (rmdir(making->unfinished))
		status = error_fail_errno(err, "cannot remove %s", making->unfinished);
done:
	return status;
}

static enum status prepare(struct making *making, struct error *err)
{
	enum status status;

	TRY(entry_check_site(making->plan->site, making->site, sizeof making->site, &making->is_ip, err));
	name_trust_domain(making);
	TRY(house_path(making->plan->state, UNFINISHED, making->unfinished, err));
	/* Before the lock: that one would only say that somebody is at work. */
	if (house_exists(making->plan->state))
		return error_refuse(err, "%s already holds a certificate authority; use another --state",
				    making->plan->state);
	making->made_state = access(making->plan->state, F_OK) != 0;
	TRY(folder_make(making->plan->state, 0700, err));
done:
	return status;
}

enum status house_init(const struct house_plan *plan, struct error *err)
{
	struct making making = {.plan = plan};
	bool began = false;
	char path[PATH_MAX];
	enum status status;
	int lock = -1;

	TRY(prepare(&making, err));
	TRY(state_lock_take(plan->state, &lock, err));
	TRY(check_room(&making, err));
	began = true;
	if (chmod(plan->state, 0700)) {
		status = error_fail_errno(err, "cannot keep others out of %s", plan->state);
		goto done;
	}
	TRY(make_everything(&making, err));
	TRY(give_all_away(&making, making.unfinished, 3, err));
	TRY(house_path(plan->state, "lock", path, err));
	TRY(give_away(&making, path, err));
	TRY(plan->reveal(plan->arg, secret_span(making.phrase), err));
	TRY(move_in(&making, err));
	TRY(keep_roots(&making, err));
done:
	if (status != OK && began)
		clear_away(&making);
	if (status != OK && making.made_state && lock >= 0) {
		remove_named(plan->state, "lock");
		rmdir(plan->state);
	}
	if (lock >= 0)
		close(lock);
	signer_free(making.next);
	signer_free(making.issuing);
	signer_free(making.root);
	secret_free(making.row_key);
	secret_free(making.phrase);
	return status;
}
