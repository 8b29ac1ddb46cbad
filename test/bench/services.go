package main

// What a station answers. A connection to servicePort begins with a request of
// nine bytes; one to closePort is accepted and closed.

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

const (
	servicePort = "7000"
	closePort   = "7001"
)

// The first byte of a request; the other eight are a number.
const (
	discard = 'd' // that many bytes are taken, then their number is sent back
	source  = 's' // that many bytes are sent
	echo    = 'e' // messages of that size are sent back
	hold    = 'h' // nothing happens
)

const requestLen = 9

// piece is how much is read or written at once, as by cat and cp. The kernel is
// at its best with 128 to 256 KiB, a fifth slower with 64 KiB or 1 MiB.
const piece = 128 << 10

func request(op byte, n int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{op}, uint64(n))
}

// serve answers on both ports of addr until the process ends.
func serve(on network, addr string) error {
	for port, answer := range map[string]func(net.Conn){
		servicePort: func(c net.Conn) { answer(c) },
		closePort:   func(net.Conn) {},
	} {
		l, err := on.Listen("tcp", net.JoinHostPort(addr, port))
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					answer(c)
				}()
			}
		}()
	}
	return nil
}

// answer is one connection. Its client notices whatever goes wrong.
func answer(c net.Conn) error {
	head := make([]byte, requestLen)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint64(head[1:]))
	switch head[0] {
	case discard:
		got, err := take(c, n)
		if err != nil {
			return err
		}
		_, err = c.Write(request(discard, got))
		return err
	case source:
		return give(c, n)
	case echo:
		message := make([]byte, n)
		for {
			if _, err := io.ReadFull(c, message); err != nil {
				return err
			}
			if _, err := c.Write(message); err != nil {
				return err
			}
		}
	case hold:
		_, err := c.Read(head)
		return err
	}
	return fmt.Errorf("no service %q", head[0])
}

// take reads n bytes, or to the end, and counts them.
func take(r io.Reader, n int64) (got int64, err error) {
	b := make([]byte, min(n, piece))
	for got < n && err == nil {
		var m int
		m, err = r.Read(b)
		got += int64(m)
	}
	if err == io.EOF {
		err = nil
	}
	return got, err
}

// give writes n bytes.
func give(w io.Writer, n int64) error {
	b := make([]byte, min(n, piece))
	for n > 0 {
		m, err := w.Write(b[:min(n, int64(len(b)))])
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}

// acknowledged reads the answer of discard and compares.
func acknowledged(r io.Reader, want int64) error {
	b := make([]byte, requestLen)
	if _, err := io.ReadFull(r, b); err != nil {
		return fmt.Errorf("waiting for the peer's count: %w", err)
	}
	if got := int64(binary.BigEndian.Uint64(b[1:])); got != want {
		return fmt.Errorf("%d bytes were sent, the peer has counted %d", want, got)
	}
	return nil
}
