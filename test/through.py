# through.py FAR NEAR BEYOND TO NOWHERE sends datagrams to TO, behind a router whose
# addresses are NEAR, on this side, and BEYOND; FAR is the namespace behind it, NOWHERE
# an address that it has no route to. It prints, for each, what arrived there and what
# errors came back. router_test.go compares what two routers do.
import ctypes, os, select, socket, struct, sys

far, near, beyond, to, nowhere = sys.argv[1:]
CLONE_NEWNET = 0x40000000
PROTO = 253  # for experiments (RFC 3692)
DATA = bytes(range(256)) * 6
ECHO = struct.pack(">BBHHH", 8, 0, 0xF7FD, 1, 1)

# Sockets stay in the namespace that they were made in.
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
errors = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
ns = os.open("/run/netns/" + far, os.O_RDONLY)
if ctypes.CDLL(None, use_errno=True).setns(ns, CLONE_NEWNET):
    raise OSError(ctypes.get_errno(), "setns")
behind = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))

names = {socket.inet_aton(near): "near", socket.inet_aton(beyond): "beyond"}


def options(b):
    """The options, with the router's addresses by name."""
    text = b.hex()
    for address, name in names.items():
        text = text.replace(address.hex(), "<" + name + ">")
    return text or "-"


def header(b):
    n = (b[0] & 15) * 4
    length, ident, frag = struct.unpack(">HHH", b[2:8])
    return n, length, ident, frag


def ready(sock, seconds):
    return select.select([sock], [], [], seconds)[0]


def packet(dst, proto, payload, df=False, ttl=64, tos=0, opts=b"", frag=0):
    n = 20 + len(opts)
    b = struct.pack(">BBHHHBBH4s4s", 0x40 | n // 4, tos, n + len(payload), 1, frag | (0x4000 if df else 0), ttl, proto, 0, bytes(4), socket.inet_aton(dst))
    return b + opts + payload


def send(name, size, dst=to, **fields):
    """Sends one, then an echo: what was to come has come before its answer."""
    raw.sendto(packet(dst, PROTO, DATA[:size], **fields), (dst, 0))
    raw.sendto(packet(to, 1, ECHO), (to, 0))
    print(name)
    told = []
    while True:
        if not ready(errors, 5):
            sys.exit("no answer to an echo through the router, after: " + name)
        b = errors.recv(65535)
        if b[(b[0] & 15) * 4] == 0:
            break
        told.append(b)
    while ready(behind, 0):
        b = behind.recv(65535)
        n, length, ident, frag = header(b)
        if b[9] != PROTO:
            continue
        data = b[n:length]
        at = (frag & 0x1FFF) * 8
        right = data == DATA[at - start : at - start + len(data)]
        print("  behind: ttl %d tos %#x df %d more %d at %d, %d bytes%s, options %s" % (b[8], b[1], frag >> 14 & 1, frag >> 13 & 1, at, len(data), "" if right else " WRONG", options(b[20:n])))
    for b in told:
        n, length, ident, frag = header(b)
        kind, code, _, rest = struct.unpack(">BBHI", b[n : n + 8])
        if (kind, code) == (3, 2):
            continue  # of the far end, which does not know the protocol
        print("  error: %d/%d %#x from %s, tos %#x, ttl %d, %d bytes" % (kind, code, rest, names.get(b[12:16], "another"), b[1], b[8], length))


RECORD = bytes([7, 11, 4] + [0] * 8 + [0])
COPIED, NOT = bytes([0x9E, 4, 1, 2]), bytes([0x5E, 4, 3, 4])
# Two things the kernel does otherwise, and are not asked for: later fragments have
# padding where options were that are not copied; errors have the type of service of
# what they are about, where RFC 1349 section 4.1 wants none.
start = 0
send("small", 100)
send("type of service", 100, tos=0xB8)
send("too long, may be cut up", 1400)
send("too long by one", 581)
send("as long as may be", 580)
send("too long, may not be cut up", 1400, df=True)
# Few errors: the kernel sends six at once, and no more than one a second then.
send("no route", 100, dst=nowhere)
send("its last hop, long", 1400, ttl=1)
send("record route", 100, opts=RECORD)
send("record route, full", 100, opts=bytes([7, 7, 8, 1, 2, 3, 4, 0]))
send("unknown options", 100, opts=COPIED + NOT)
send("unknown options, cut up", 1400, opts=COPIED)
send("source route", 100, opts=bytes([131, 7, 4, 1, 2, 3, 4, 0]))
send("a first fragment, cut up", 1400, frag=0x2000)
start = 800
send("a fragment, cut up", 1400, frag=0x2000 | 100)
send("a last fragment, cut up", 1400, frag=100)
send("a fragment's last hop", 100, frag=100, ttl=1)
