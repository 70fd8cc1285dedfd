/* trailers - a request's trailer section, filtered for the upstream; for the transports. */
#ifndef HTTP_TRAILERS_H
#define HTTP_TRAILERS_H

#include <stdbool.h>

#include "base/span.h"

struct exchange;
struct field;

/* `section` lies in the caller's memory and ends with an empty line, unless it is empty. Filtered in
 * place, into exchange->up_trailers: what frames, identifies or routes is left out, and what the host
 * does not keep. Not well-formed: nothing of it is kept. */
void trailers_keep(struct exchange *exchange, char *memory, struct span section);
/* Those kept once more, when it is known what the way on leaves out. Twice is harmless. */
void trailers_sift(struct exchange *exchange, bool (*keeps)(void *arg, const struct field *), void *arg);

#endif
