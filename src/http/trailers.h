/* trailers - a request's trailer section, filtered for the upstream; for the transports. */
#ifndef HTTP_TRAILERS_H
#define HTTP_TRAILERS_H

#include "base/span.h"

struct exchange;

/* `section` lies in the caller's memory and ends with an empty line, unless it is empty. Filtered in
 * place, into exchange->up_trailers: what frames, identifies or routes is left out, and what the host
 * does not keep. Not well-formed: nothing of it is kept. */
void trailers_keep(struct exchange *exchange, char *memory, struct span section);

#endif
