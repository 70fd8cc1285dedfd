/*
 * error - what went wrong: a status for the program, a sentence for people.
 *
 * Every function that can fail returns `enum status` and takes a
 * `struct error *` last. The text is built "outer: inner: cause" on the way
 * up by error_context. A NULL error is fine everywhere: the text is dropped.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum status {
	OK,      /* go on */
	AGAIN,   /* wait for the loop, then ask again */
	REFUSED, /* the other side (peer, person, file) is to blame */
	FAILED,  /* we or the machine are to blame */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(nth, first) __attribute__((format(printf, nth, first)))

struct error {
	char text[512]; /* always terminated; too long a text is cut */
};

/* Set the text; they return REFUSED and FAILED, so that `return error_refuse(...)` reads well. */
enum status error_refuse(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
enum status error_fail(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same as error_fail with ": " and the text of errno behind it. */
enum status error_fail_errno(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Put "context: " in front of what is there. */
void error_context(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* The one control-flow macro: needs a local `status` and a label `done`. */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		status = (call);                                                                   \
		if (status != OK)                                                                  \
			goto done;                                                                 \
	} while (0)

#endif
