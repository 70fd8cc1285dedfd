/*
 * authority - the CA and the registry behind one table of questions; the only
 * writer of the roster.
 *
 * Two ways to use one: in the authority process, attached to a loop, with a
 * channel for each gateway and each command; or inside a command while no
 * server runs, by authority_answer_now. The answers are the same.
 *
 * A turn is a transaction: questions gather up to 64 or 5 ms, one commit,
 * then the roster changes, then the answers leave. Nothing is released
 * before it is on the disk. STATE/lock keeps a second one out.
 *
 * The whole surface is the table in answer.c; words and their answers:
 *
 *  role CLI (person-add, person-remove and device-add may come with an idempotence key of 16 to 64
 *  characters, as question.key or as word `key`: asked again, they are the same deed):
 *   hello {token}                                  -> {}   first question on a command's socket
 *   person-add {name, email, groups:[..], admin}  -> PERSON
 *   person-list {after}                            -> {people:[PERSON..], next}
 *   person-show {person}                           -> PERSON + {list:[DEVICE..]}
 *   person-remove {person}                         -> PERSON + {revoked:[ID..]} + CLOSING
 *   device-add {person, label, kind, form, profile, password, encrypt, csr}
 *        form "p12": profile "compatible"|"modern" or by kind; password given or made up
 *                                                  -> ISSUED + {password, p12: base64, profile}
 *        form "pem": encrypt true: password given or made up
 *                                                  -> ISSUED + {certificate, private_key, chain: PEM, password}
 *        form "csr": csr = PEM; only the key is taken from it
 *                                                  -> ISSUED + {certificate, chain: PEM}
 *   device-list {person, after}                    -> {devices:[DEVICE..], next}
 *   device-show {device}                           -> DEVICE + {certificates:[CERTIFICATE..], connections}
 *   device-revoke {device, reason}                 -> DEVICE + {was_revoked} + CLOSING
 *   ca-cert {}                                     -> {root, issuing, next: PEM}
 *   status {}                                      -> {site_trust_domain, started, people, devices, certificates,
 *                                                      roster, roster_room, rows_refused:[text..],
 *                                                      rows_refused_count, gateways:[number..],
 *                                                      audit_records, audit_head, issuing_not_after,
 *                                                      root_not_after}
 *   watch {site, since, after}                     -> {rows:[WATCHED..], next}   since: seconds, as last is
 *   watch-reset {site}                             -> {forgotten}
 *   attendance {after}                             -> {people:[{name, groups:[..], devices, seen}..], next}
 *        active people; devices: how many active ones; seen: when one of them was last, or null
 *        and with a scoreboard: figures {..}, site_figures [{site, ..}], log {dropped, access_dropped},
 *        house {started, .., configurations: {DIGEST: true}}; ending: [{device, person, label, not_after}..]
 *   present {}                                     -> {devices:[{device, person, label, connections, requests}..], more}
 *   PERSON      {person: HEX32, name, email, groups:[..], role, state, created, devices}
 *   DEVICE      {device: ID, person: NAME, label, kind, state, reason, created, seen, not_after, serial}
 *   CERTIFICATE {fingerprint, serial, profile, subject, not_before, not_after, state, revoked, reason}
 *   ISSUED      {device: ID, serial, fingerprint, not_after, label, person: NAME}
 *   CLOSING     {closed, gateways, silent:[gateway number..], not_ended:[..]}: silent were killed for it;
 *               not_ended had neither acknowledged nor died after 900 ms
 *   WATCHED     {site, location, path, address, client, code, device, name, times, first, last}: device and name
 *               (PERSON/LABEL) null when nobody was known; location "" for the site's own rule
 *   {next} is there when there is more: pass it as `after`. Times are seconds since 1970.
 *   `device` in a question is an id, a unique prefix of one, or PERSON/LABEL.
 *
 *   reload {}                                      -> {outcome: "refused"|"nothing-changed"|"in-place"|"new-gateways",
 *                                                      gateways, draining, said: a sentence a line}
 *   upgrade {}                                     -> as reload, when it is refused; the channel ends when it is not
 *  role GATEWAY: roster {} -> {} + fd;  seen {devices:[HEX32..]} -> {};
 *   watched {rows:[{site, location, path, address, client, code, device: HEX32, times, first, last}..], uncounted} -> {}
 *  and asked of gateways: lost {device: HEX32, why} | {devices: [HEX32..], why} | {certificate: HEX64, why} -> {closed};
 *   roster {} + fd -> {};  who {device: HEX32} -> {connections};  present {} -> {devices:[{device: HEX32, connections, requests}..], total}
 */
#ifndef AUTHORITY_AUTHORITY_H
#define AUTHORITY_AUTHORITY_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

struct authority;
struct loop;
struct scoreboard;

struct authority_options {
	const char *state;    /* the folder that house_init made */
	uint32_t roster_room; /* certificates at most; 0: 100,000 or twice what is there */
	/* A gateway did not acknowledge a revocation in 500 ms, or its channel has closed: end its process at
	 * once, if it lives, for nothing can be told to it any more. It counts as done when its channel
	 * closes. NULL: nobody can. */
	void (*kill_gateway)(void *arg, unsigned gateway);
	/* Somebody asks the supervisor to look at the configuration; it answers by authority_reloaded with this number,
	 * or a later one. NULL: there is no supervisor. */
	void (*reload)(void *arg, unsigned number);
	/* The same for going on as another version; only a refusal is answered, for this process ends otherwise. */
	void (*upgrade)(void *arg, unsigned number);
	void *arg;
	const struct scoreboard *board; /* figures for "status"; borrowed; NULL: none */
};

/* Lock STATE, open and check everything in it, believe each row by its MAC, build the roster. REFUSED with
 * a sentence: no house there, another authority has it, damaged, newer. Caller frees *out. */
MUST_CHECK enum status authority_open(const struct authority_options *options, struct authority **out,
				      struct error *err);
/* Commits what is pending, closes channels. NULL is fine. */
void authority_free(struct authority *authority);

/* From now on it works in `loop`'s turns; before the first gateway or command. */
MUST_CHECK enum status authority_attach(struct authority *authority, struct loop *loop, struct error *err);
/* A channel to gateway process number `gateway`: the supervisor's number for that one process, never
 * used twice while one with it lives (draining ones live). Words for people name it by its slot, which is
 * gateway % GATEWAY_SLOTS. Takes fd, also on failure. It is sent the roster at once. */
enum { GATEWAY_SLOTS = 256 };
MUST_CHECK enum status authority_add_gateway(struct authority *authority, unsigned gateway, int fd,
					     struct error *err);
/* An accepted command's connection. Takes fd, also on failure. It must say hello with the token within
 * 5 s; its process and user (SO_PEERCRED) go into the audit. */
MUST_CHECK enum status authority_add_cli(struct authority *authority, int fd, struct error *err);
/* What became of every request up to this number; `words` (borrowed) is the answer to each. */
void authority_reloaded(struct authority *authority, unsigned number, const json_t *words);
/* The supervisor says that this process is gone; harmless when it is known already. */
void authority_gateway_gone(struct authority *authority, unsigned gateway);

/* The read-only descriptor of the roster; stays the authority's. */
int authority_roster_fd(const struct authority *authority);
/* "" or one sentence a row that was not believed, for the log; the count. */
unsigned authority_rows_refused(const struct authority *authority);

/* For commands without a server: ask `name` with `words` (borrowed) as role CLI; committed when it
 * returns. *out is the caller's to json_decref. Not once attached to a loop. */
MUST_CHECK enum status authority_answer_now(struct authority *authority, const char *name, json_t *words,
					    json_t **out, struct error *err);

/* Load STATE/cli.token for a command's hello (hex text); the caller wipes it. */
enum { CLI_TOKEN_TEXT = 65 };
MUST_CHECK enum status authority_load_token(const char *state, char out[static CLI_TOKEN_TEXT],
					    struct error *err);

#endif
