/*
 * h2_parts - what transport_h2 is made of; for the files that it is written in: transport_h2.c (turns
 * and ends), h2_session.c (what comes, by nghttp2), h2_ceilings.c (how much of it), h2_head.c (request
 * heads), h2_up.c (request bodies), h2_answer.c (heads that go), h2_output.c (bytes that go),
 * h2_memory.c (nghttp2's allocations).
 *
 * A request's head is written down as HTTP/1.1 and read by the parser that reads HTTP/1.1: one set of
 * checks, one form, whatever the client spoke. A stream is born with its first HEADERS frame, has an
 * exchange from the end of its head on, and goes, with its exchange, in `tidy` after nghttp2 has closed
 * it. Nothing is freed inside a callback.
 *
 * What comes is read into the worker's buffer and shown from there, what one read has of a stream in one
 * piece; what is not taken at once moves to the body's spill of H2_SPILL bytes, which is as much as the
 * stream's window lets the client send. A large upload that is taken as it comes gets a window and a spill
 * of H2_WIDE bytes, for which there is a count of each connection and of the worker. A stream's credit
 * goes back when its bytes are consumed, in steps of some size; the connection's at once, while less than
 * H2_HELD_MOST bytes lie in spills: wide ones count as narrow ones there, being counted themselves. What goes is gathered in the worker's buffer, a record at a time; what
 * the stream does not take waits in `rest`, and nothing more is produced until it is gone.
 */
#ifndef HTTP_H2_PARTS_H
#define HTTP_H2_PARTS_H

#include <nghttp2/nghttp2.h>

#include "http/exchange.h"
#include "http/h1_parts.h"
#include "http/transport.h"

enum {
	H2_SPILL = 65536,
	H2_WIDE = 1 << 20,
	H2_WIDE_STEP = H2_WIDE / 8,   /* of its credit */
	H2_WIDE_MOST = 4,             /* streams of a connection */
	H2_WIDE_AFTER = H2_SPILL / 2, /* bytes of a request that tells its length; of others H2_WIDE */
	H2_CONNECTION_WINDOW = 2 << 20,
	H2_HELD_MOST = 1 << 20,
	H2_RECORD = 16384,           /* written in steps of this */
	H2_PAYLOAD_MOST = 16384 - 9, /* of a DATA frame: with its head it fills a record */
	H2_GATHERED_MOST = 3 * H2_RECORD,
	H2_REST_MOST = 5 * H2_RECORD,
	H2_OUTPUT_A_TURN = 262144,
	H2_BULK_FROM = 16384,        /* an answer's bytes that are sent inline and not at the turn's end */
	H2_QUEUE_MOST = 256,         /* frames that wait behind a client that takes none: then no reading */
	H2_NOTICE_TIME = 1000000,    /* 1 s: between the two GOAWAYs of a drain, unless the client's ack comes */
	H2_ACKS_MOST = 128,          /* of PING and SETTINGS, waiting */
	H2_CONTINUATIONS_MOST = 8,
	H2_SETTINGS_MOST = 32,
	H2_EARNED_MOST = 4096,
};

#define H2_SMALL_FRAMES_TEXT "HTTP/2: too many frames that carry nothing within a second"

enum h2_step {
	STREAM_HEAD,   /* its head is on its way */
	STREAM_FRESH,  /* head complete, the walk not begun: it begins when the read is digested */
	STREAM_OPEN,
	STREAM_CLOSED, /* by nghttp2; goes in tidy */
};

enum { PSEUDO_METHOD, PSEUDO_SCHEME, PSEUDO_AUTHORITY, PSEUDO_PATH, PSEUDO_PROTOCOL, PSEUDOS };

struct h2_stream {
	struct h2 *h2;
	struct exchange *exchange;  /* from FRESH on */
	struct head_block *block;   /* NULL after an upgrade */
	struct link in_streams;     /* owner: h2.streams */
	struct link in_list;        /* h2.fresh or h2.over */
	int32_t id;
	uint32_t size;              /* of the head written into block->bytes */
	uint32_t cookie_at, cookie_end; /* the joined Cookie line; 0: none */
	uint8_t step;               /* enum h2_step */
	uint8_t bad;                /* enum bad_request + 1: the head is refused */
	bool has_line, has_host, has_length, is_head_method;
	bool is_websocket;          /* an extended CONNECT */
	bool is_tunnel;
	bool has_ended;             /* the client's side: END_STREAM has come */
	bool is_cancelled;          /* the client's RST_STREAM has come */
	bool is_counted;            /* as one that the client made us reset */
	bool is_reset;              /* ours is on its way: `why` holds */
	bool is_deferred;           /* nghttp2 waits to be told of bytes */
	bool is_wide;               /* window and spill are of H2_WIDE; one of h2.wide and host->wide_streams */
	bool is_discarding;         /* what still comes of the request nobody wants */
	bool owes_continue;
	bool waits;                 /* on the client, when last scanned */
	enum ending why;
	uint64_t left;              /* of an answer with a length; else UINT64_MAX */
	uint64_t discarded;
	int64_t cut_at;             /* mono: it has its answer, and no more of its request is let in; 0: not yet */
	uint32_t uncredited;        /* bytes that came and were not given back to the window */
	uint32_t held;              /* of h2.held */
	uint32_t moved;             /* since `progress` */
	int64_t since, progress;    /* mono: birth; the last that enough bytes moved */
	char *early;                /* a spill: what a WebSocket's client sent before its 200 */
	uint32_t early_size;
	char *trailers, *down_trailers; /* spills: of the request; of the answer */
	uint32_t trailers_size, down_trailers_size;
};

/* Counts within a second. */
struct h2_meter {
	int64_t second;
	uint32_t resets, frames;
	uint32_t earned; /* small frames that our DATA lets a client send */
};

/* Frame heads, seen before nghttp2 sees them. */
struct h2_scan {
	uint32_t skip;
	uint8_t have, head[9];
};

struct h2 {
	struct transport base; /* first */
	nghttp2_session *session;
	struct link streams, fresh, over;
	nghttp2_rcbuf *pseudo[PSEUDOS]; /* of the head that is being read */
	struct h2_scan scan;
	struct h2_meter meter;
	char *rest;             /* a slab of host->rests: what the stream did not take */
	uint32_t rest_from, rest_to;
	uint32_t held;          /* bytes in spills */
	uint32_t uncredited;    /* of the connection's window */
	uint32_t budget;        /* bytes that this turn may still produce */
	uint32_t read_size;
	uint32_t data_left;     /* of the DATA frame that is being read */
	struct h2_stream *coming; /* whose bytes `come` are, of the read that is being digested; NULL: nobody's */
	struct span come;         /* in host->receive */
	unsigned wide;            /* streams */
	uint32_t fault;         /* an NGHTTP2_ error code: the connection ends with it; 0: none */
	const char *fault_text;
	int64_t idle_since, scan_at, notice_until, wrote_at;
	bool is_blocked, is_inside, is_choked, drains, is_last_said, is_ending, is_closing;
};

static inline struct h2 *h2_of(struct transport *transport)
{
	return (struct h2 *)(void *)transport;
}

/* -- transport_h2.c -- */
/* Bytes of it went one way or the other. */
static inline void h2_moved(struct h2_stream *stream, size_t count)
{
	stream->moved += (uint32_t)count;
}
/* RST_STREAM; its exchange ends with `why` when nghttp2 has closed it. Twice is harmless. */
void h2_reset(struct h2_stream *stream, uint32_t code, enum ending why);
/* nghttp2 has closed it. */
void h2_stream_closed(struct h2_stream *stream);
/* The answer's END_STREAM has been gathered. */
void h2_answer_over(struct h2_stream *stream);
/* The request of a fresh stream begins its walk. */
void h2_begin(struct h2_stream *stream);
/* What came cannot be made sense of, or in time: say so, or cut. */
void h2_answer_bad_request(struct h2_stream *stream, enum bad_request why);
/* GOAWAY with that code, and an end; text for the log, a literal. */
void h2_fail(struct h2 *h2, uint32_t code, const char *text);
/* The answer is whole, or all but: the client may send no more, and is cut if it does not end by itself. */
void h2_stop(struct h2_stream *stream);
void h2_set_deadline(struct h2 *h2);

/* -- h2_session.c -- */
MUST_CHECK enum status h2_session_new(struct h2 *h2);
void h2_read(struct h2 *h2);
/* Of that id; NULL: none of ours. */
struct h2_stream *h2_find(struct h2 *h2, int32_t id);
/* A stream's memory; its exchange must be gone. */
void h2_stream_free(struct h2_stream *stream);

/* -- h2_ceilings.c -- */
/* Looks at the frame heads in `bytes`; *allowed of them may be read on. False: a ceiling is reached. */
bool h2_scan_frames(struct h2 *h2, struct span bytes, size_t *allowed);
/* One more stream was reset, by whomever. */
void h2_count_reset(struct h2 *h2);
/* We sent DATA: its receiver may say so in small frames. */
void h2_earn(struct h2 *h2);

/* -- h2_head.c -- */
void h2_head_field(struct h2_stream *stream, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
/* The head is there: exchange->request and target, or stream->bad. */
void h2_head_end(struct h2_stream *stream, bool is_all);
void h2_forget_pseudo(struct h2 *h2);

/* -- h2_up.c -- */
void h2_up_start(struct h2_stream *stream);
/* They lie in host->receive. Shown by h2_up_show, or at once if they are the `last`. */
void h2_up_bytes(struct h2_stream *stream, struct span bytes, bool last);
/* What has come is shown: before anything else is made of the stream, and at the end of each read. */
void h2_up_show(struct h2 *h2);
void h2_up_end(struct h2_stream *stream);
void h2_up_trailer(struct h2_stream *stream, struct span name, struct span value);
void h2_up_discard(struct h2_stream *stream);
/* Gives back what was consumed: to the stream's window, to the connection's. */
void h2_credit(struct h2_stream *stream);
void h2_credit_connection(struct h2 *h2);
/* Its window is no longer wide, or no matter. */
void h2_up_narrow(struct h2_stream *stream);
/* The raw stream of a tunnel, with what came early. */
void h2_up_tunnel(struct h2_stream *stream);

/* -- h2_answer.c -- */
void h2_send_head(struct exchange *exchange, const struct head *answer, bool no_body);
void h2_send_interim(struct exchange *exchange, const struct head *answer);
void h2_send_trailers(struct exchange *exchange, const struct field *fields, size_t count);
void h2_send_tunnel_head(struct exchange *exchange, const struct head *answer);
void h2_send_continue(struct h2_stream *stream);
/* From the data source: its trailers follow. False: it has none. */
bool h2_submit_trailers(struct h2_stream *stream);

/* -- h2_output.c -- */
/* Produce and write, at most H2_OUTPUT_A_TURN between two ends of turns. Not from inside nghttp2. */
void h2_pump(struct h2 *h2);
/* `down`'s on_bytes: a stream. */
void h2_on_down(void *stream);
nghttp2_data_provider h2_provider(struct h2_stream *stream);
int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
		 nghttp2_data_source *source, void *user_data);
bool h2_has_output(const struct h2 *h2);

/* -- h2_memory.c -- */
nghttp2_mem *h2_memory(void);

#endif
