#include "stream/tls_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "stream/outbox.h"
#include "stream/socket.h"
#include "stream/tls_client.h"
#include "stream/tls_greeting.h"
#include "stream/tls_handshake.h"

enum {
	RECORD = 16384,           /* plain bytes of a full record, RFC 8446 5.1 */
	WRITE_ALLOWANCE = 262144, /* plain bytes a call */
	READ_ALLOWANCE = 524288,  /* bytes off the wire a call: a flood of records without data ends */
	HANDSHAKE_MOST = 65536,   /* bytes off the wire before anybody is known */
	BULK_BUFFER = 8 + 4 * OUTBOX_RECORD, /* whole records and their alignment: no rest to fetch */
	CLEAR_MOST = 16384,
	FIRST_BYTE = 0x16,        /* handshake, RFC 8446 5.1 */
};

enum phase { SHAKING, SECURED, CLOSED /* close_notify sent */ };

struct tls_stream {
	struct stream stream;
	SSL *ssl;
	struct outbox outbox;
	struct tls_handshake shake;   /* as a server */
	struct tls_greeting greeting; /* as a client, and then only */
	struct task flushing;
	char *clear; /* what came in place of TLS */
	uint32_t clear_size;
	uint32_t allowance; /* of the read call under way, bytes off the wire */
	uint8_t phase;
	bool begun;   /* the first byte was seen */
	bool is_client;
	bool bulk;    /* OpenSSL reads by 64 KB */
	bool stinted; /* the allowance ended a read, not the kernel */
};

static struct tls_stream *tls_of(const struct stream *stream)
{
	return (struct tls_stream *)(uintptr_t)stream;
}

/* Hot path: gathering costs a copy, sending one system call; so the end of the turn is soon enough
 * for whoever forgets to flush. */
static void run_flushing(struct task *task)
{
	(void)outbox_push(&OWNER_OF(task, struct tls_stream, flushing)->outbox);
}

static int bio_write(BIO *bio, const char *bytes, size_t size, size_t *took)
{
	struct tls_stream *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*took = 0;
	if (!outbox_add(&tls->outbox, bytes, size)) {
		if (!tls->stream.failure)
			(void)stream_fail(&tls->stream, STREAM_BROKEN, 0);
		return 0;
	}
	*took = size;
	loop_post(tls->stream.loop, &tls->flushing);
	return 1;
}

/* The bytes fed come first, then the kernel's; AGAIN when it is known to be empty. */
static enum status take_bytes(struct tls_stream *tls, char *into, size_t room, size_t *got)
{
	struct stream *stream = &tls->stream;
	bool short_read = false;
	enum status status;

	if (stream->fed) {
		size_t left = stream->fed_size - stream->fed_at;

		*got = left < room ? left : room;
		memcpy(into, stream->fed + stream->fed_at, *got);
		stream->fed_at += (uint32_t)*got;
		if (stream->fed_at == stream->fed_size) {
			free(stream->fed);
			stream->fed = NULL;
			stream->fed_at = stream->fed_size = 0;
		}
		return OK;
	}
	if (stream->drained)
		return AGAIN;
	status = socket_receive(stream->source.fd, into, room, got, &short_read);
	if (status == REFUSED)
		return stream_fail(stream, STREAM_GONE, (unsigned long)errno);
	if (status == OK && *got == 0)
		stream->ended = true;
	else if (status == AGAIN || (short_read && !stream->hung_up))
		stream->drained = true;
	return status;
}

/* A first byte that is no handshake's ends it: the bytes are kept for whoever answers in clear. */
static bool is_tls(struct tls_stream *tls, const char *bytes, size_t size)
{
	if (tls->begun || size == 0)
		return true;
	tls->begun = true;
	if (bytes[0] == FIRST_BYTE)
		return true;
	if (size > CLEAR_MOST)
		size = CLEAR_MOST;
	tls->clear = malloc(size);
	if (tls->clear) {
		memcpy(tls->clear, bytes, size);
		tls->clear_size = (uint32_t)size;
	}
	(void)stream_fail(&tls->stream, STREAM_IN_CLEAR, 0);
	return false;
}

static int bio_read(BIO *bio, char *into, size_t room, size_t *got)
{
	struct tls_stream *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*got = 0;
	if (tls->stream.ended || tls->stream.failure)
		return 0;
	if (tls->allowance == 0) {
		tls->stinted = true;
		BIO_set_retry_read(bio);
		return 0;
	}
	switch (take_bytes(tls, into, room, got)) {
	case OK:
		break;
	case AGAIN:
		BIO_set_retry_read(bio);
		return 0;
	default:
		return 0;
	}
	if (*got == 0 || !is_tls(tls, into, *got))
		return 0;
	tls->allowance -= *got < tls->allowance ? (uint32_t)*got : tls->allowance;
	return 1;
}

static long bio_control(BIO *bio, int what, long number, void *pointer)
{
	const struct tls_stream *tls = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return tls->stream.ended;
	default:
		return 0;
	}
}

static const BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *method;

	if (method)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "chatelaine");
	if (method) {
		(void)BIO_meth_set_read_ex(method, bio_read);
		(void)BIO_meth_set_write_ex(method, bio_write);
		(void)BIO_meth_set_ctrl(method, bio_control);
	}
	return method;
}

/* Why an SSL call did not go well. The error queue is empty before each call: whoever finds
 * something in it empties it. */
static enum status judge(struct tls_stream *tls, int result)
{
	struct stream *stream = &tls->stream;
	int what = SSL_get_error(tls->ssl, result);
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);

	if (code)
		ERR_clear_error();
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) {
		if (tls->stinted) {
			tls->stinted = false;
			stream_again(stream);
		}
		return AGAIN;
	}
	if (stream->failure)
		return stream_fail(stream, stream->failure, 0);
	if (what == SSL_ERROR_ZERO_RETURN)
		return OK;
	if (tls->greeting.distrust)
		return stream_fail(stream, STREAM_UNTRUSTED, (unsigned long)tls->greeting.distrust);
	if (stream->ended)
		return stream_fail(stream, STREAM_CUT, code);
	if (code && (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
		     reason == SSL_R_CERTIFICATE_VERIFY_FAILED))
		return stream_fail(stream, STREAM_TURNED_AWAY, code);
	if (code && reason == ERR_R_MALLOC_FAILURE)
		return stream_fail(stream, STREAM_BROKEN, code);
	return stream_fail(stream, STREAM_GARBLED, code);
}

static enum status refuse(struct tls_stream *tls)
{
	(void)outbox_push(&tls->outbox);
	return stream_fail(&tls->stream, tls->stream.failure, 0);
}

/* One ticket, for those who proved a certificate. A resumed session gets one too, because browsers
 * use each but once; it goes on with the time of its full handshake. */
static void give_ticket(struct tls_stream *tls)
{
	int64_t until = tls_handshake_resumable(&tls->shake, tls->ssl);

	if (!until)
		return;
	/* The lifetime that the ticket tells, RFC 8446 4.6.1. */
	SSL_SESSION_set_timeout(SSL_get_session(tls->ssl), (long)(until - clock_seconds()));
	tls->shake.ticketing = true;
	if (SSL_new_session_ticket(tls->ssl) != 1 || SSL_do_handshake(tls->ssl) != 1)
		ERR_clear_error();
	tls->shake.ticketing = false;
}

static enum status tls_secure(struct stream *stream)
{
	struct tls_stream *tls = tls_of(stream);
	enum status status;
	int result;

	if (stream->failure)
		return stream_fail(stream, stream->failure, 0);
	if (tls->phase != SHAKING)
		return OK;
	result = SSL_do_handshake(tls->ssl);
	if (result != 1) {
		status = judge(tls, result);
		if (status == AGAIN && tls->allowance == 0)
			status = stream_fail(stream, STREAM_GARBLED, 0);
		if (status == OK) /* close_notify in the middle of it */
			status = stream_fail(stream, STREAM_CUT, 0);
		(void)outbox_push(&tls->outbox);
		return status;
	}
	status = tls->is_client ? tls_greeting_settle(&tls->greeting, tls->ssl)
				: tls_handshake_settle(&tls->shake, tls->ssl);
	if (status != OK) {
		(void)stream_fail(stream, STREAM_GARBLED, 0);
		return refuse(tls);
	}
	tls->phase = SECURED;
	if (!tls->is_client)
		give_ticket(tls);
	/* OpenSSL lets the handshake's buffers go only with the first record of data. */
	(void)SSL_free_buffers(tls->ssl);
	return outbox_push(&tls->outbox) == REFUSED ? refuse(tls) : OK;
}

/* Larger reads while a client uploads, and only then: the buffer is held between records. */
static void fit_buffer(struct tls_stream *tls, size_t room, size_t got)
{
	bool bulk = got == room && room >= BULK_BUFFER / 2;

	if (bulk == tls->bulk)
		return;
	tls->bulk = bulk;
	SSL_set_default_read_buffer_len(tls->ssl, bulk ? BULK_BUFFER : 0);
}

static bool may_give(const struct tls_stream *tls)
{
	return !tls->stream.drained || tls->stream.fed || tls->stream.ended || SSL_has_pending(tls->ssl) ||
	       SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN;
}

static enum status tls_read(struct stream *stream, void *into, size_t room, size_t *got)
{
	struct tls_stream *tls = tls_of(stream);
	size_t total = 0, one;

	if (stream->failure)
		return stream_fail(stream, stream->failure, 0);
	if (tls->phase == SHAKING)
		return AGAIN;
	tls->allowance = READ_ALLOWANCE;
	while (total < room && may_give(tls)) {
		int result = SSL_read_ex(tls->ssl, (char *)into + total, room - total, &one);

		if (result != 1) {
			/* What was read goes first; the end, or the failure, is told by the next call. */
			enum status status = judge(tls, result);

			if (total)
				break;
			*got = 0;
			return status;
		}
		total += one;
	}
	if (!total)
		return AGAIN;
	fit_buffer(tls, room, total);
	*got = total;
	return OK;
}

static bool tls_has_pending(const struct stream *stream)
{
	const struct tls_stream *tls = tls_of(stream);

	return stream->failure || may_give(tls);
}

struct cursor {
	const struct iovec *piece;
	int left; /* pieces, this one included */
	size_t at; /* in this one */
};

static void skip(struct cursor *cursor, size_t count)
{
	while (cursor->left && cursor->piece->iov_len - cursor->at <= count) {
		count -= cursor->piece->iov_len - cursor->at;
		cursor->piece++;
		cursor->left--;
		cursor->at = 0;
	}
	cursor->at += count;
}

/* What to give OpenSSL next: whole records of a long piece as they lie; else the pieces copied
 * together, so that a head and the body behind it share a record. */
static struct span next_chunk(struct cursor from)
{
	static char together[RECORD];
	size_t size = 0;

	if (from.left && from.piece->iov_len - from.at >= RECORD) {
		size = (from.piece->iov_len - from.at) / RECORD * RECORD;
		return span_make((const char *)from.piece->iov_base + from.at,
				 size > OUTBOX_HIGH_WATER ? OUTBOX_HIGH_WATER : size);
	}
	if (from.left == 1)
		return span_make((const char *)from.piece->iov_base + from.at, from.piece->iov_len - from.at);
	while (from.left && size < RECORD) {
		size_t part = from.piece->iov_len - from.at;

		if (part > RECORD - size)
			part = RECORD - size;
		if (part)
			memcpy(together + size, (const char *)from.piece->iov_base + from.at, part);
		size += part;
		skip(&from, part);
	}
	return span_make(together, size);
}

static enum status tls_write(struct stream *stream, const struct iovec *pieces, int count, size_t *taken)
{
	struct tls_stream *tls = tls_of(stream);
	struct cursor cursor = {.piece = pieces, .left = count};
	size_t total = 0, one;

	if (stream->failure)
		return stream_fail(stream, stream->failure, 0);
	if (tls->phase != SECURED)
		return AGAIN;
	skip(&cursor, 0);
	while (cursor.left && total < WRITE_ALLOWANCE && outbox_rest(&tls->outbox) < OUTBOX_HIGH_WATER) {
		struct span chunk = next_chunk(cursor);
		int result = SSL_write_ex(tls->ssl, chunk.at, chunk.size, &one);

		if (result != 1) {
			enum status status = judge(tls, result);

			if (total)
				break;
			return status;
		}
		total += one;
		skip(&cursor, one);
	}
	if (!total && cursor.left)
		return AGAIN;
	*taken = total;
	return OK;
}

static enum status tls_flush(struct stream *stream)
{
	struct tls_stream *tls = tls_of(stream);

	task_cancel(&tls->flushing);
	return outbox_push(&tls->outbox);
}

static enum status tls_finish(struct stream *stream)
{
	struct tls_stream *tls = tls_of(stream);

	if (tls->phase == SECURED && !stream->failure) {
		tls->phase = CLOSED;
		if (SSL_shutdown(tls->ssl) < 0)
			ERR_clear_error();
	}
	if (tls_flush(stream) == AGAIN)
		return AGAIN;
	/* Nothing waits in the kernel, the peer said its end: closing cannot turn into a reset. */
	if (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN && stream->drained)
		return OK;
	return stream_linger(stream);
}

/* No FIN: it would overtake what the kernel has not taken yet. */
static void tls_end_writing(struct stream *stream)
{
	struct tls_stream *tls = tls_of(stream);

	if (tls->phase != SECURED || stream->failure)
		return;
	tls->phase = CLOSED;
	if (SSL_shutdown(tls->ssl) < 0)
		ERR_clear_error();
	(void)tls_flush(stream);
}

static void tls_on_edge(struct stream *stream)
{
	struct tls_stream *tls = tls_of(stream);

	if (outbox_rest(&tls->outbox) && !stream->blocked)
		(void)outbox_push(&tls->outbox);
}

static void tls_release(struct stream *stream)
{
	struct tls_stream *tls = tls_of(stream);

	task_cancel(&tls->flushing);
	outbox_release(&tls->outbox);
	/* Else OpenSSL takes the session for spoilt when the server ended without a word. */
	if (tls->is_client && tls->phase != SHAKING)
		SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(tls->ssl);
	if (!tls->is_client)
		tls_handshake_release(&tls->shake);
	free(tls->clear);
	free(tls);
}

static struct span tls_protocol(const struct stream *stream)
{
	const unsigned char *protocol = NULL;
	unsigned size = 0;

	SSL_get0_alpn_selected(tls_of(stream)->ssl, &protocol, &size);
	return span_make(protocol, size);
}

static const struct stream_ops tls_ops = {
	.name = "tls",
	.read = tls_read,
	.write = tls_write,
	.flush = tls_flush,
	.finish = tls_finish,
	.end_writing = tls_end_writing,
	.has_pending = tls_has_pending,
	.secure = tls_secure,
	.protocol = tls_protocol,
	.on_edge = tls_on_edge,
	.release = tls_release,
};

/* `tls` has its `ssl`, or none for want of memory; on failure it goes. */
static enum status equip(struct tls_stream *tls, int fd, struct error *err)
{
	BIO *bio = tls->ssl && bio_method() ? BIO_new(bio_method()) : NULL;

	if (!bio) {
		ERR_clear_error();
		SSL_free(tls->ssl);
		free(tls);
		return error_fail(err, "no memory for a TLS stream");
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	stream_init(&tls->stream, &tls_ops, fd);
	outbox_init(&tls->outbox, &tls->stream);
	task_init(&tls->flushing, run_flushing);
	tls->allowance = HANDSHAKE_MOST;
	return OK;
}

enum status tls_stream_new(int fd, struct tls_context *context, struct stream **out, struct error *err)
{
	struct tls_stream *tls = calloc(1, sizeof *tls);

	if (!tls)
		return error_fail(err, "no memory for a TLS stream");
	tls->ssl = SSL_new(context->base);
	if (equip(tls, fd, err) != OK)
		return FAILED;
	SSL_set_app_data(tls->ssl, &tls->shake);
	SSL_set_accept_state(tls->ssl);
	tls->shake.context = tls_context_share(context);
	*out = &tls->stream;
	return OK;
}

enum status tls_stream_connect(int fd, struct tls_client *client, struct stream **out, struct error *err)
{
	struct tls_stream *tls = calloc(1, sizeof *tls);

	if (!tls)
		return error_fail(err, "no memory for a TLS stream");
	tls->ssl = tls_greeting_begin(&tls->greeting, client);
	if (equip(tls, fd, err) != OK)
		return FAILED;
	tls->is_client = tls->begun = true;
	*out = &tls->stream;
	return OK;
}

void tls_stream_server(const struct stream *stream, struct tls_server_facts *out)
{
	const struct tls_stream *tls = tls_of(stream);

	*out = (struct tls_server_facts){.resumed = SSL_session_reused(tls->ssl),
					 .version = SSL_get_version(tls->ssl),
					 .cipher = SSL_get_cipher_name(tls->ssl)};
}

void tls_stream_peer(const struct stream *stream, struct tls_peer *out)
{
	const struct tls_stream *tls = tls_of(stream);
	const struct tls_handshake *shake = &tls->shake;
	const unsigned char *protocol = NULL;
	unsigned protocol_size = 0;

	*out = (struct tls_peer){.standing = TLS_CERTIFICATE_UNKNOWN, .site = TLS_SITE_UNKNOWN_NAME};
	if (!shake->settled)
		return;
	SSL_get0_alpn_selected(tls->ssl, &protocol, &protocol_size);
	out->has_certificate = shake->shown;
	out->resumed = shake->resumed;
	out->standing = shake->shown ? shake->standing : TLS_CERTIFICATE_UNKNOWN;
	memcpy(out->fingerprint, shake->fingerprint, sizeof out->fingerprint);
	out->der = span_make(shake->der, shake->der_size);
	out->foreign = shake->foreign;
	out->server_name = shake->name;
	out->site = shake->place->number;
	out->protocol = span_make(protocol, protocol_size);
	out->version = SSL_get_version(tls->ssl);
	out->cipher = SSL_get_cipher_name(tls->ssl);
}

bool tls_stream_shown(const struct stream *stream, enum tls_standing *standing)
{
	const struct tls_handshake *shake = &tls_of(stream)->shake;

	*standing = (enum tls_standing)shake->standing;
	return shake->shown;
}

struct tls_context *tls_stream_context(const struct stream *stream)
{
	return tls_of(stream)->shake.context;
}

void tls_stream_forget_certificate(struct stream *stream)
{
	struct tls_handshake *shake = &tls_of(stream)->shake;

	OPENSSL_free(shake->der);
	shake->der = NULL;
	shake->der_size = 0;
}

struct span tls_stream_clear_bytes(const struct stream *stream)
{
	const struct tls_stream *tls = tls_of(stream);

	return span_make(tls->clear, tls->clear_size);
}

enum status tls_stream_answer_clear(struct stream *stream, struct span answer)
{
	struct iovec piece = {.iov_base = (void *)(uintptr_t)answer.at, .iov_len = answer.size};
	size_t took = 0;
	bool full = false;

	if (stream->failure != STREAM_IN_CLEAR || stream->fin_sent)
		return REFUSED;
	if (socket_send(stream->source.fd, &piece, 1, &took, &full) != OK)
		return REFUSED;
	return took == answer.size ? OK : REFUSED;
}
