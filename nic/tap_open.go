package nic

// How a TAP comes to be: OpenTAP, which `slashnet up` and the bind of an
// interface call. songgao/water makes the device and is the plain path; the
// offload path gives water's descriptor up and attaches one of its own, because
// water cannot ask for virtio-net headers.

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/songgao/water"
	"golang.org/x/sys/unix"

	"slashnet/stack/neterr"
	"slashnet/wire"
)

// maxTAPMTU is the kernel's limit for a TAP: a frame of 65535 bytes.
const maxTAPMTU = 65535 - wire.EthernetLen

// OpenTAP attaches to the TAP device o.Name, which is made if there is none.
// A device that was there before, and that nobody uses, stays when it is closed.
func OpenTAP(o Options) (*TAP, error) {
	if err := checkDeviceName(o.Name); err != nil {
		return nil, err
	}
	t := &TAP{}
	if err := t.assume(o, "", maxTAPMTU); err != nil {
		return nil, err
	}
	existed := false
	if o.Name != "" {
		_, err := net.InterfaceByName(o.Name)
		existed = err == nil
	}
	if err := t.open(o, existed); err != nil {
		return nil, openError(o.Name, existed, err)
	}
	t.errDown = neterr.LinkDown.With("the kernel's end of %s is down: ip link set %s up", t.name, t.name)
	t.errGone = neterr.NoInterface.With("the kernel's end of %s was deleted", t.name)
	for i := range t.batch {
		t.batch[i] = &t.frames[i]
	}
	return t, nil
}

// open makes the device and leaves it open in t.
func (t *TAP) open(o Options, existed bool) error {
	keep := o.Persist || existed
	config := water.Config{DeviceType: water.TAP}
	config.Name = o.Name
	// The offload path closes this descriptor and attaches anew: the device has to
	// live through that. Without Persist water clears the flag, which would end an
	// administrator's device.
	config.Persist = keep || !o.Plain
	if o.Owner != nil {
		config.Permissions = &water.DevicePermissions{Owner: uint(o.Owner.UID), Group: uint(o.Owner.GID)}
	}
	// water opens without O_CLOEXEC; nobody may fork until that is mended.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	// And it leaves the descriptor open when the kernel refuses: ask first.
	if err := probe(o.Name); err != nil {
		return err
	}
	device, err := water.New(config)
	if err != nil {
		return err
	}
	t.name = device.Name()
	if o.Plain {
		return t.adopt(device.ReadWriteCloser.(descriptor), t.preparePlain)
	}
	if err := device.Close(); err != nil {
		return err
	}
	file, err := attachOffload(t.name, keep)
	if err != nil {
		return err
	}
	t.header = vnetLen
	return t.adopt(file, func(fd int) error { return nil })
}

// probe attaches to a device and lets go of it at once. Whatever persists is as
// it was.
func probe(name string) error {
	fd, err := attach(name, unix.IFF_TAP|unix.IFF_NO_PI)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// attach opens a descriptor of a TAP device.
func attach(name string, flags uint16) (fd int, err error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	request.SetUint16(flags)
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

type descriptor interface {
	io.Closer
	syscall.Conn
}

// adopt makes d the descriptor of t, after prepare.
func (t *TAP) adopt(d descriptor, prepare func(fd int) error) error {
	conn, err := d.SyscallConn()
	if err == nil {
		var inner error
		err = conn.Control(func(fd uintptr) {
			t.fd = int(fd)
			inner = prepare(t.fd)
		})
		err = errors.Join(err, inner)
	}
	if err != nil {
		d.Close()
		return err
	}
	t.device, t.conn = d, conn
	return nil
}

// preparePlain mends what water leaves undone.
func (t *TAP) preparePlain(fd int) error {
	unix.CloseOnExec(fd)
	// A device that existed may still have the offloads of its last user, and
	// would give us frames that only make sense with a virtio-net header.
	return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0)
}

func checkDeviceName(name string) error {
	// The rules of Linux for the names of interfaces, and no pattern such as tap%d.
	if len(name) >= unix.IFNAMSIZ || name == "." || name == ".." || strings.ContainsAny(name, "/:% \t\n\v\f\r\x00") {
		return neterr.BadArg.With("device name %q: want at most %d characters, no blank, slash, colon or percent sign", name, unix.IFNAMSIZ-1)
	}
	return nil
}

// openError puts the kernel's number into words.
func openError(name string, existed bool, err error) error {
	if name == "" {
		name = "(any name)"
	}
	switch {
	case errors.Is(err, unix.EBUSY):
		return neterr.Busy.With("TAP %s is in use by another process: end that one, or choose another name", name)
	case errors.Is(err, unix.EINVAL) && existed:
		return neterr.Exists.With("interface %s is not a TAP device with one queue: choose another name", name)
	case errors.Is(err, unix.EPERM):
		return neterr.NotOwner.With("TAP %s needs CAP_NET_ADMIN; or let an administrator make it: ip tuntap add %s mode tap user %d", name, name, os.Getuid())
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return neterr.NotFound.With("no /dev/net/tun: modprobe tun, or pass the device into the container")
	case errors.Is(err, unix.EACCES):
		return neterr.Permission.With("/dev/net/tun may not be opened for reading and writing")
	}
	return neterr.BadArg.With("TAP %s: %v", name, err)
}
