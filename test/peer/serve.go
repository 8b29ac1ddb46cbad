package main

// The servers. main calls listen; each connection has a goroutine that ends with
// it, and all of them end with the process.

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// servers by port: RFC 862 to 864 for the first ones, our own from 7000.
var servers = map[int]func(*net.TCPConn) error{
	7:    echo,
	9:    discard,
	13:   daytime,
	19:   source,
	80:   web,
	7001: slowReader,
	7002: slowWriter,
	7003: reset,
	7004: silent,
	7005: oneLine,
	7006: func(c *net.TCPConn) error { return sink(c) },
}

func listen(ip string) error {
	for port, serve := range servers {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		go accept(l, serve)
	}
	udp, err := net.ListenPacket("udp", net.JoinHostPort(ip, "7"))
	if err != nil {
		return err
	}
	go echoPackets(udp)
	ready := os.NewFile(3, "ready")
	if _, err := ready.WriteString("ready\n"); err != nil {
		return err
	}
	ready.Close()
	select {}
}

func accept(l net.Listener, serve func(*net.TCPConn) error) {
	for {
		c, err := l.Accept()
		if err != nil {
			fatal(err)
		}
		go func() {
			defer c.Close()
			if err := serve(c.(*net.TCPConn)); err != nil {
				fmt.Fprintln(os.Stderr, "peer:", c.LocalAddr(), err)
			}
		}()
	}
}

// echo sends back what comes; its end follows the caller's.
func echo(c *net.TCPConn) error {
	if _, err := io.Copy(c, c); err != nil {
		return err
	}
	return c.CloseWrite()
}

// discard reads to the end and answers with the number of bytes and their hash.
func discard(c *net.TCPConn) error {
	h := sha256.New()
	n, err := io.Copy(h, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "%d %x\n", n, h.Sum(nil))
	return err
}

func daytime(c *net.TCPConn) error {
	_, err := fmt.Fprintln(c, time.Now().UTC().Format(time.RFC1123))
	return err
}

// source is asked for a number of bytes in a line, and sends that many.
func source(c *net.TCPConn) error {
	if err := cubic(c); err != nil {
		return err
	}
	return give(c)
}

// text is an endless text of numbered lines: what is missing or twice shows.
type text struct {
	line int
	rest []byte
}

func (t *text) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(t.rest) == 0 {
			t.line++
			t.rest = fmt.Appendf(t.rest[:0], "%08d the quick brown fox jumps over the lazy dog\n", t.line)
		}
		k := copy(p[n:], t.rest)
		t.rest = t.rest[k:]
		n += k
	}
	return n, nil
}

// page is what the web server answers to everything.
const page = "hello from the kernel's side\n"

// web is HTTP/1.0 in as few lines as a page needs.
func web(c *net.TCPConn) error {
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	_, err := fmt.Fprintf(c, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(page), page)
	return err
}

// slowReader reads four kilobytes in ten milliseconds: its window closes.
func slowReader(c *net.TCPConn) error {
	c.SetReadBuffer(16 << 10)
	h := sha256.New()
	var n int64
	for {
		k, err := io.CopyN(h, c, 4<<10)
		n += k
		if err == io.EOF {
			_, err = fmt.Fprintf(c, "%d %x\n", n, h.Sum(nil))
			return err
		}
		if err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond) // being slow is the service
	}
}

// slowWriter sends a line of numbered text every ten milliseconds, fifty times.
func slowWriter(c *net.TCPConn) error {
	for i := range 50 {
		if _, err := fmt.Fprintf(c, "line %d\n", i+1); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond) // being slow is the service
	}
	return nil
}

// reset answers the first byte with an RST.
func reset(c *net.TCPConn) error {
	if _, err := c.Read(make([]byte, 1)); err != nil {
		return err
	}
	return c.SetLinger(0)
}

// silent says nothing and keeps the connection until its peer ends it.
func silent(c *net.TCPConn) error {
	_, err := io.Copy(io.Discard, c)
	return err
}

// oneLine reads a line, answers with it, and ends though more may come.
func oneLine(c *net.TCPConn) error {
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = io.WriteString(c, line)
	return err
}

func echoPackets(c net.PacketConn) {
	b := make([]byte, 65536)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			fatal(err)
		}
		c.WriteTo(b[:n], from)
	}
}
