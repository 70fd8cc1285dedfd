"""Acts from inside another process: stops it by ptrace(2) and lets it make system calls of our choosing, as whoever
took it over could, under its own user, Landlock and seccomp. x86-64 and root only; `with Inside(pid) as it: it.open(..)`.

A refused call comes back as a negative errno, as the kernel gives it."""
import ctypes
import errno
import os
import platform
import signal
import struct

CAN = platform.machine() == "x86_64" and os.geteuid() == 0

READ, WRITE, OPEN, CLOSE, MMAP, MPROTECT, MUNMAP = 0, 1, 2, 3, 9, 10, 11
PTRACE, MEMFD_CREATE, PROCESS_VM_WRITEV, TGKILL, TKILL, KILL = 101, 319, 311, 234, 200, 62
SOCKET, CONNECT, SHUTDOWN, BIND, SOCKETPAIR, SENDMSG, RECVMSG, CLONE, FORK, EXECVE = 41, 42, 48, 49, 53, 46, 47, 56, 57, 59
FCNTL, DUP, SETUID, OPENAT, EXECVEAT, IO_URING_SETUP, PIDFD_OPEN, UNSHARE, MOUNT = 72, 32, 105, 257, 322, 425, 434, 272, 165
GETPID, UNLINK, RENAME, MKDIR, STAT, LISTXATTR, OPEN_BY_HANDLE_AT, USERFAULTFD, BPF, KEYCTL = 39, 87, 82, 83, 4, 194, 304, 323, 321, 250
READLINK, CHMOD, PRCTL, MEMFD_SECRET, SHMGET, PERF_EVENT_OPEN = 89, 90, 157, 447, 29, 298
AT_FDCWD = -100 & 0xFFFFFFFFFFFFFFFF
PROT_READ, PROT_WRITE, PROT_EXEC, MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS = 1, 2, 4, 1, 2, 0x20

_ATTACH, _DETACH, _GETREGS, _SETREGS, _SINGLESTEP = 16, 17, 12, 13, 9
_NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
          "ds es fs gs").split()


class _Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in _NAMES]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, pid, data=None):
    if _libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request} of {pid}")


class Inside:
    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        _ptrace(_ATTACH, self.pid)
        self._stopped()
        self.saved = _Registers()
        _ptrace(_GETREGS, self.pid, ctypes.byref(self.saved))
        self.memory = open(f"/proc/{self.pid}/mem", "r+b", buffering=0)
        self.instruction = self._find_instruction()
        self.scratch = None
        self.scratch = self.call(MMAP, 0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        assert self.scratch > 0, "no memory inside"
        return self

    def __exit__(self, *_):
        try:
            self.call(MUNMAP, self.scratch, 1 << 20)
            _ptrace(_SETREGS, self.pid, ctypes.byref(self.saved))
            _ptrace(_DETACH, self.pid)
        except ProcessLookupError:
            # SIGKILL reaches a stopped process too; its parent hears of it once its tracer has.
            try:
                os.waitpid(self.pid, 0x40000000)
            except ChildProcessError:
                pass
        self.memory.close()

    def _stopped(self):
        _, status = os.waitpid(self.pid, 0x40000000)  # __WALL
        if not os.WIFSTOPPED(status):
            raise ProcessLookupError(errno.ESRCH, f"{self.pid} ended: {status:#x}")
        return os.WSTOPSIG(status)

    def _find_instruction(self):
        """A `syscall` instruction in libc's code."""
        for start, end, rights, name, _ in mappings(self.pid):
            if "x" in rights and "libc" in name:
                self.memory.seek(start)
                code = self.memory.read(end - start)
                return start + code.index(b"\x0f\x05")
        raise AssertionError("no libc in it")

    def put(self, data, at=0):
        """Bytes into its scratch memory; their address."""
        self.memory.seek(self.scratch + at)
        self.memory.write(data)
        return self.scratch + at

    def get(self, address, size):
        self.memory.seek(address)
        return self.memory.read(size)

    def call(self, number, *arguments):
        """The system call's result; a str or bytes argument becomes a pointer to it (a string ends by NUL)."""
        regs = _Registers.from_buffer_copy(self.saved)
        at = 65536
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments):
            if isinstance(value, str):
                value = value.encode() + b"\0"
            if isinstance(value, bytes):
                value, at = self.put(value, at), at + len(value) + 16
            setattr(regs, name, value & 0xFFFFFFFFFFFFFFFF)
        regs.rax, regs.orig_rax, regs.rip = number, 0xFFFFFFFFFFFFFFFF, self.instruction
        _ptrace(_SETREGS, self.pid, ctypes.byref(regs))
        _ptrace(_SINGLESTEP, self.pid)
        stop = self._stopped()
        assert stop == signal.SIGTRAP, f"stopped by signal {stop}"
        _ptrace(_GETREGS, self.pid, ctypes.byref(regs))
        return ctypes.c_longlong(regs.rax).value

    def send(self, fd, data, *descriptors):
        """sendmsg with descriptors beside the bytes."""
        control = b""
        if descriptors:
            control = struct.pack("=QII", 16 + 4 * len(descriptors), 1, 1) + struct.pack(f"={len(descriptors)}I", *descriptors)
            control += b"\0" * (-len(control) % 8)
        vector = self.put(struct.pack("=QQ", self.put(data, 131072), len(data)), 8192)
        room = self.put(control, 12288) if control else 0
        head = struct.pack("=QQQQQQQ", 0, 0, vector, 1, room, len(control), 0)
        return self.call(SENDMSG, fd, self.put(head, 16384), 0x4000)

    def receive(self, fd):
        """recvmsg: bytes (or a negative errno) and the descriptor that came, as the process numbers it, or None."""
        vector = self.put(struct.pack("=QQ", self.scratch + 262144, 262144), 8192)
        self.put(b"\0" * 64, 12288)
        head = struct.pack("=QQQQQQQ", 0, 0, vector, 1, self.scratch + 12288, 64, 0)
        got = self.call(RECVMSG, fd, self.put(head, 16384), 0x40)
        if got <= 0:
            return got, None
        size, = struct.unpack("=Q", self.get(self.scratch + 12288, 8))
        came = struct.unpack("=I", self.get(self.scratch + 12288 + 16, 4))[0] if size >= 20 else None
        return self.get(self.scratch + 262144, got), came


def mappings(pid):
    """(start, end, rights, name, inode) of each of a process's mappings."""
    found = []
    with open(f"/proc/{pid}/maps") as lines:
        for line in lines:
            words = line.split(None, 5)
            start, end = (int(n, 16) for n in words[0].split("-"))
            found.append((start, end, words[1], words[5].strip() if len(words) > 5 else "", int(words[4])))
    return found


def descriptors(pid):
    """fd number -> what it is, as /proc says."""
    folder = f"/proc/{pid}/fd"
    found = {}
    for name in os.listdir(folder):
        try:
            found[int(name)] = os.readlink(f"{folder}/{name}")
        except OSError:
            pass
    return found


def status_of(pid):
    """/proc/PID/status as a dict of strings."""
    with open(f"/proc/{pid}/status") as lines:
        return {line.split(":", 1)[0]: line.split(":", 1)[1].strip() for line in lines}
