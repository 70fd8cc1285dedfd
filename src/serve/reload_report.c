#include "serve/reload_report.h"

#include <sys/mman.h>
#include <unistd.h>

int reload_report_pack(const struct reload_report *report)
{
	int fd = memfd_create("report", MFD_CLOEXEC);

	if (fd >= 0 && pwrite(fd, report, sizeof *report, 0) != (ssize_t)sizeof *report) {
		close(fd);
		return -1;
	}
	return fd;
}

enum status reload_report_unpack(int fd, struct reload_report *out, struct error *err)
{
	if (pread(fd, out, sizeof *out, 0) != (ssize_t)sizeof *out || out->size != sizeof *out ||
	    out->outcome >= RELOAD_OUTCOMES)
		return error_refuse(err, "the supervisor's report cannot be read; see the log");
	out->text[sizeof out->text - 1] = 0;
	return OK;
}
