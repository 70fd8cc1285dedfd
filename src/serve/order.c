#include "serve/order.h"

#include <unistd.h>

#include "event/passing.h"

enum status order_send(int socket, struct order order, int fd)
{
	size_t took;
	enum status status = passing_send(socket, span_make(&order, sizeof order), fd, &took);

	/* Eight bytes go whole or not at all; a full socket is a peer that stands still. */
	return status == OK && took == sizeof order ? OK : REFUSED;
}

enum status order_receive(int socket, struct order *order, int *fd)
{
	size_t got;
	enum status status = passing_receive(socket, order, sizeof *order, &got, fd);

	if (status != OK)
		return status;
	if (got == sizeof *order)
		return OK;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return REFUSED;
}
