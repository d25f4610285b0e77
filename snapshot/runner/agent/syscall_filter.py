"""The filter of system calls of a command, for what Landlock does not govern (seccomp(2)).

That is resource limits, priority and processors of other processes of the user (one that may open
no file soon ends, and one of the lowest priority starves), and connections that are not made by
`connect` on a TCP socket.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_LOAD: Final = 0x20
_IS: Final = 0x15
_HAS_BITS: Final = 0x45
_IS_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
"""Instructions of BPF (linux/filter.h): BPF_LD|W|ABS, BPF_JMP|JEQ|K, |JSET|K, |JGE|K, BPF_RET|K."""
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
"""Offsets in `struct seccomp_data`; each argument has 8 bytes, and ours are in the first 4."""
_ALLOW: Final = 0x7FFF0000
_ERROR: Final = 0x00050000

_PRIO_USER, _IOPRIO_WHO_USER = 2, 3
_MPTCP, _SMC_PROTOCOL, _SMC_FAMILY, _FAST_OPEN = 262, 256, 43, 0x20000000

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


class _Calls(NamedTuple):
    """The numbers of one architecture."""

    architecture: int
    prlimit: int
    setpriority: int
    ioprio_set: int
    sched_setscheduler: int
    sched_setattr: int
    sched_setaffinity: int
    socket: int
    sendto: int
    sendmsg: int
    sendmmsg: int
    io_uring_setup: int = 425
    has_socketcall: bool = False
    """It has one call for all of these, whose arguments are in memory that no filter reads."""
    has_second_numbers: bool = False
    """The same calls have other numbers for x32."""


# Each architecture, and the older one whose programs it runs too.
_X86_64: Final = _Calls(
    architecture=0xC000003E,
    prlimit=302,
    setpriority=141,
    ioprio_set=251,
    sched_setscheduler=144,
    sched_setattr=314,
    sched_setaffinity=203,
    socket=41,
    sendto=44,
    sendmsg=46,
    sendmmsg=307,
    has_second_numbers=True,
)
_I386: Final = _Calls(
    architecture=0x40000003,
    prlimit=340,
    setpriority=97,
    ioprio_set=289,
    sched_setscheduler=156,
    sched_setattr=351,
    sched_setaffinity=241,
    socket=359,
    sendto=369,
    sendmsg=370,
    sendmmsg=345,
    has_socketcall=True,
)
_AARCH64: Final = _Calls(
    architecture=0xC00000B7,
    prlimit=261,
    setpriority=140,
    ioprio_set=30,
    sched_setscheduler=119,
    sched_setattr=274,
    sched_setaffinity=122,
    socket=198,
    sendto=206,
    sendmsg=211,
    sendmmsg=269,
)
_ARM: Final = _Calls(
    architecture=0x40000028,
    prlimit=369,
    setpriority=97,
    ioprio_set=314,
    sched_setscheduler=156,
    sched_setattr=380,
    sched_setaffinity=241,
    socket=281,
    sendto=290,
    sendmsg=296,
    sendmmsg=374,
    has_socketcall=True,
)
_MACHINES: Final = {"x86_64": (_X86_64, _I386), "aarch64": (_AARCH64, _ARM)}
_SOCKETCALL: Final = 102
_X32: Final = 0x40000000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def is_available() -> bool:
    """True if this kernel takes filters (EFAULT for a missing one) and its calls are known."""
    call = ctypes.CDLL(None, use_errno=True).prctl
    has_filters = call(_PR_SET_SECCOMP, _MODE_FILTER, None, 0, 0) and ctypes.get_errno()
    return has_filters == errno.EFAULT and bool(program())


def program(machine: str | None = None) -> bytes:
    """The filter as an array of `struct sock_filter`; empty for a machine with unknown calls."""
    known = _MACHINES.get(machine or platform.machine(), ())
    instructions: list[Instruction] = []
    for calls in known:
        body = [*_refusals(calls), (_RETURN, 0, 0, _ALLOW)]
        instructions += [(_LOAD, 0, 0, _ARCHITECTURE_AT), (_IS, 0, len(body), calls.architecture)]
        instructions += body
    if known:
        instructions.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *one) for one in instructions)


def _refusals(calls: _Calls) -> Iterator[Instruction]:
    if calls.has_second_numbers:
        yield from ((_LOAD, 0, 0, _NUMBER_AT), (_IS_AT_LEAST, 0, 1, _X32), _refused(errno.ENOSYS))
    if calls.has_socketcall:
        yield from _if_call(_SOCKETCALL, [_refused(errno.ENOSYS)])
    # What io_uring sends is written to memory that no filter reads.
    yield from _if_call(calls.io_uring_setup, [_refused(errno.ENOSYS)])
    for number in (calls.prlimit, calls.sched_setscheduler, calls.sched_setattr):
        yield from _if_call(number, _only_own(0, errno.EPERM))
    # A refusal would let no thread begin that has processors of its own (`pthread_create`): the
    # call is answered as if it were done.
    yield from _if_call(calls.sched_setaffinity, _only_own(0, 0))
    for number, users in ((calls.setpriority, _PRIO_USER), (calls.ioprio_set, _IOPRIO_WHO_USER)):
        yield from _if_call(number, _only_own(1, errno.EPERM))
        yield from _if_argument(_IS, number, 0, users, errno.EPERM)
    yield from _if_argument(_IS, calls.socket, 0, _SMC_FAMILY, errno.EAFNOSUPPORT)
    for protocol in (_MPTCP, _SMC_PROTOCOL):
        yield from _if_argument(_IS, calls.socket, 2, protocol, errno.EPROTONOSUPPORT)
    for number, flags in ((calls.sendto, 3), (calls.sendmsg, 2), (calls.sendmmsg, 3)):
        yield from _if_argument(_HAS_BITS, number, flags, _FAST_OPEN, errno.EOPNOTSUPP)


def _only_own(argument: int, error: int) -> list[Instruction]:
    """The argument is the process: 0 is the one that calls."""
    return [_load(argument), (_IS, 1, 0, 0), _refused(error)]


def _if_argument(
    test: int, number: int, argument: int, value: int, error: int
) -> list[Instruction]:
    return _if_call(number, [_load(argument), (test, 0, 1, value), _refused(error)])


def _if_call(number: int, body: list[Instruction]) -> list[Instruction]:
    return [(_LOAD, 0, 0, _NUMBER_AT), (_IS, 0, len(body), number), *body]


def _load(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)


def _refused(error: int) -> Instruction:
    return (_RETURN, 0, 0, _ERROR | error)
