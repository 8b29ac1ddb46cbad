package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"
)

// pipe is a connection between two stacks, or of one with itself.
func pipe(dialer, server *Stack, addr string) (c1, c2 net.Conn, stop func(), err error) {
	l, err := server.Listen("tcp", addr)
	if err != nil {
		return nil, nil, nil, err
	}
	defer l.Close()
	if c1, err = dialer.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, nil, err
	}
	if c2, err = l.Accept(); err != nil {
		return nil, nil, nil, err
	}
	return c1, c2, func() { c1.Close(); c2.Close() }, nil
}

func TestConnOverPipe(t *testing.T) {
	a, b := pair(t)
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) { return pipe(a, b, "10.0.0.2:0") })
}

func TestConnOverLoopback(t *testing.T) {
	s := newHost(t, Config{})
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) { return pipe(s, s, "127.0.0.1:0") })
}

// connected is a connection from a to b.
func connectedPair(t testing.TB, a, b *Stack) (c1, c2 net.Conn) {
	t.Helper()
	c1, c2, stop, err := pipe(a, b, "10.0.0.2:0")
	must(t, err)
	t.Cleanup(stop)
	return c1, c2
}

func TestAddresses(t *testing.T) {
	a, b := pair(t)
	c1, c2 := connectedPair(t, a, b)
	if c1.LocalAddr().String() != c2.RemoteAddr().String() || c1.RemoteAddr().String() != c2.LocalAddr().String() {
		t.Errorf("%v to %v is for the peer %v to %v", c1.LocalAddr(), c1.RemoteAddr(), c2.LocalAddr(), c2.RemoteAddr())
	}
	if got, ok := c1.LocalAddr().(*net.TCPAddr); !ok || got.IP.String() != "10.0.0.1" || got.Port == 0 {
		t.Errorf("local address %T %v", c1.LocalAddr(), c1.LocalAddr())
	}
}

func TestHTTP(t *testing.T) {
	a, b := pair(t)
	l, err := b.Listen("tcp", ":80")
	must(t, err)
	body := strings.Repeat("0123456789abcdef", 64<<10)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d %v %s", r.URL.Path, len(sent), err, body)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	transport := &http.Transport{DialContext: a.DialContext}
	client := &http.Client{Transport: transport, Timeout: patience}
	for n := range 3 {
		resp, err := client.Post(fmt.Sprintf("http://10.0.0.2/%d", n), "text/plain", strings.NewReader(body))
		must(t, err)
		got, err := io.ReadAll(resp.Body)
		must(t, err)
		resp.Body.Close()
		if want := fmt.Sprintf("/%d %d <nil> %s", n, len(body), body); string(got) != want {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
	}
	transport.CloseIdleConnections()
	must(t, server.Shutdown(context.Background()))
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
}

// opError checks that err is a *net.OpError with an error inside.
func opError(t testing.TB, err error, op string, inside error) {
	t.Helper()
	var failure *net.OpError
	if !errors.As(err, &failure) || failure.Op != op || !errors.Is(err, inside) {
		t.Errorf("%#v (%v), want a %s error around %v", err, err, op, inside)
	}
}

func TestDialRefused(t *testing.T) {
	a, _ := pair(t)
	_, err := a.Dial("tcp", "10.0.0.2:9")
	opError(t, err, "dial", syscall.ECONNREFUSED)
	if err != nil && !strings.Contains(err.Error(), "dial tcp 10.0.0.2:9: ") {
		t.Errorf("%q does not say where", err)
	}
}

func TestBadAddresses(t *testing.T) {
	a, _ := pair(t)
	for _, test := range []struct {
		network, address string
		want             error
	}{
		{"tcp", "10.0.0.2", syscall.EINVAL},
		{"tcp", "10.0.0.2:99999", syscall.EINVAL},
		{"tcp", "10.0.0.2:80\nhangup", syscall.EINVAL},
		{"tcp", "", syscall.EINVAL},
		{"tcp", "192.0.2.1:80", syscall.ENETUNREACH},
		{"tcp", "no.such.host:80", syscall.EHOSTUNREACH},
		{"tcp6", "10.0.0.2:80", net.UnknownNetworkError("tcp6")},
		{"unix", "/tmp/x", net.UnknownNetworkError("unix")},
	} {
		_, err := a.Dial(test.network, test.address)
		opError(t, err, "dial", test.want)
	}
	for _, test := range []struct {
		network, address string
		want             error
	}{
		{"tcp", "10.0.0.2:80", syscall.EADDRNOTAVAIL},
		{"tcp", ":x y", syscall.EINVAL},
		{"tcp", ":80\n:81", syscall.EINVAL},
		{"ip", ":80", net.UnknownNetworkError("ip")},
	} {
		_, err := a.Listen(test.network, test.address)
		opError(t, err, "listen", test.want)
	}
	if left := a.Convs(6, -1, 100); len(left) != 0 {
		t.Errorf("conversations left behind: %+v", left)
	}
}

// With nobody at the address the neighbour cache gives up after three requests.
func TestDialNoNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t)
		began := time.Now()
		_, err := a.Dial("tcp", "10.0.0.77:80")
		opError(t, err, "dial", syscall.EHOSTUNREACH)
		if took := time.Since(began); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("it took %v, want about 3s", took)
		}
	})
}

// Nobody answers at all: time ends the attempt, after three minutes or more (RFC
// 9293 §3.8.3). If a router has said why, that is the reason given.
func TestDialTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t)
		must(t, a.WriteARP("add 10.0.0.77 020000000077"))
		began := time.Now()
		_, err := a.Dial("tcp", "10.0.0.77:80")
		opError(t, err, "dial", syscall.ETIMEDOUT)
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() || time.Since(began) < 3*time.Minute {
			t.Errorf("%v after %v, want a time-out", err, time.Since(began))
		}

		a, _, _ = routed(t, 0)
		began = time.Now()
		_, err = a.Dial("tcp", "10.0.2.77:80")
		opError(t, err, "dial", syscall.EHOSTUNREACH)
		if time.Since(began) < 3*time.Minute || !strings.HasSuffix(err.Error(), "host unreachable: says 10.0.1.254") {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestDialContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := a.DialContext(ctx, "tcp", "10.0.0.77:80")
		opError(t, err, "dial", context.DeadlineExceeded)
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() || time.Since(began) != time.Second {
			t.Errorf("%v after %v, want a time-out after 1s", err, time.Since(began))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		_, err = a.DialContext(ctx, "tcp", "10.0.0.77:80")
		opError(t, err, "dial", context.Canceled)
		_, err = a.DialContext(ctx, "tcp", "10.0.0.2:80")
		opError(t, err, "dial", context.Canceled)
		if left := a.Convs(6, -1, 100); len(left) != 0 {
			t.Errorf("conversations left behind: %+v", left)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		c1, c2 := connectedPair(t, a, b)
		var one [1]byte
		expect := func(what string, want time.Duration, read func() error) {
			t.Helper()
			began := time.Now()
			err := read()
			opError(t, err, "read", os.ErrDeadlineExceeded)
			if took := time.Since(began); took != want {
				t.Errorf("%s: it took %v, want %v", what, took, want)
			}
		}
		reading := func() error { _, err := c1.Read(one[:]); return err }

		c1.SetReadDeadline(time.Now().Add(time.Minute))
		expect("set before", time.Minute, reading)
		expect("still past", 0, reading)
		c1.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { c1.SetReadDeadline(time.Now().Add(time.Second)) })
		expect("set while reading", 2*time.Second, reading)
		c1.SetReadDeadline(time.Now().Add(time.Second))
		time.AfterFunc(time.Millisecond, func() { c1.SetReadDeadline(time.Now().Add(time.Hour)) })
		expect("put off while reading", time.Hour+time.Millisecond, reading)
		time.AfterFunc(time.Second, func() { c1.SetReadDeadline(time.Unix(1, 0)) })
		c1.SetReadDeadline(time.Time{})
		expect("past while reading", time.Second, reading)

		// Bytes that are there do not help against a deadline that has passed.
		c2.Write([]byte("x"))
		synctest.Wait()
		expect("with bytes", 0, reading)
		c1.SetDeadline(time.Time{})
		if n, err := c1.Read(one[:]); n != 1 || err != nil {
			t.Errorf("Read: %d, %v, want the byte", n, err)
		}
		if _, err := c1.Write(make([]byte, 10)); err != nil {
			t.Errorf("Write: %v", err)
		}

		// A writer whom nobody reads gets a time-out and what was taken.
		c1.SetWriteDeadline(time.Now().Add(time.Second))
		big := make([]byte, 64<<20)
		n, err := c1.Write(big)
		opError(t, err, "write", os.ErrDeadlineExceeded)
		if n == 0 || n == len(big) {
			t.Errorf("%d of %d bytes written", n, len(big))
		}
	})
}

func TestCloseUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		c1, _ := connectedPair(t, a, b)
		l, err := a.Listen("tcp", ":0")
		must(t, err)
		p, err := a.ListenPacket("udp", ":0")
		must(t, err)
		errs := make(chan error, 8)
		go func() { _, err := c1.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := c1.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := c1.Write(make([]byte, 64<<20)); errs <- err }()
		go func() { _, err := l.Accept(); errs <- err }()
		go func() { _, _, err := p.ReadFrom(make([]byte, 1)); errs <- err }()
		synctest.Wait()
		if len(errs) != 0 {
			t.Fatal("not all wait")
		}
		for _, c := range []io.Closer{c1, l, p} {
			must(t, c.Close())
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second Close: %v", err)
			}
		}
		for range 5 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v, want net.ErrClosed", err)
			}
		}
		if err := c1.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline after Close: %v", err)
		}
		if err := c1.(*tcpConn).SetNoDelay(true); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetNoDelay after Close: %v", err)
		}
	})
}

// Closing sends what was written and then the end.
func TestHalfClose(t *testing.T) {
	a, b := pair(t)
	c1, c2 := connectedPair(t, a, b)
	c1.SetDeadline(time.Now().Add(patience))
	c2.SetDeadline(time.Now().Add(patience))
	sent := strings.Repeat("slash", 100_000)
	go func() {
		io.WriteString(c1, sent)
		c1.(*tcpConn).CloseWrite()
	}()
	got, err := io.ReadAll(c2)
	if err != nil || string(got) != sent {
		t.Fatalf("read %d bytes of %d: %v", len(got), len(sent), err)
	}
	if _, err := c1.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write after CloseWrite: %v, want EPIPE", err)
	}
	go func() {
		io.WriteString(c2, "answer")
		c2.Close()
	}()
	if got, err := io.ReadAll(c1); err != nil || string(got) != "answer" {
		t.Errorf("%q, %v", got, err)
	}
	must(t, c1.(*tcpConn).CloseRead())
	if n, err := c1.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read after CloseRead: %d, %v", n, err)
	}
}

func TestSettings(t *testing.T) {
	a, b := pair(t)
	c1, _ := connectedPair(t, a, b)
	c := c1.(*tcpConn)
	must(t, c.SetNoDelay(true))
	must(t, c.SetKeepAlive(true))
	must(t, c.SetKeepAlivePeriod(7*time.Second))
	must(t, c.SetLinger(3))
	a.lock()
	o := c.conv.opts
	a.unlock()
	if !o.noDelay || !o.keepAlive || o.keepIdle != 7*time.Second || o.keepIntvl != 7*time.Second || !o.lingerOn || o.linger != 3*time.Second {
		t.Errorf("%+v", o)
	}
	must(t, c.SetLinger(-1))
	must(t, c.SetNoDelay(false))
	must(t, c.SetKeepAlive(false))
	a.lock()
	o = c.conv.opts
	a.unlock()
	if o.noDelay || o.keepAlive || o.lingerOn {
		t.Errorf("%+v", o)
	}
}

func TestReset(t *testing.T) {
	a, b := pair(t)
	c1, c2 := connectedPair(t, a, b)
	must(t, c2.(*tcpConn).SetLinger(0))
	must(t, c2.Close())
	c1.SetDeadline(time.Now().Add(patience))
	_, err := c1.Read(make([]byte, 1))
	opError(t, err, "read", syscall.ECONNRESET)
}

func TestUDPConn(t *testing.T) {
	a, b := pair(t)
	l, err := b.Listen("udp", "10.0.0.2:7")
	must(t, err)
	defer l.Close()
	go func() { // ends with its stack
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		b := make([]byte, 1<<16)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			c.Write(b[:n])
		}
	}()
	c, err := a.Dial("udp", l.Addr().String())
	must(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, ok := c.RemoteAddr().(*net.UDPAddr); !ok {
		t.Errorf("remote address %T", c.RemoteAddr())
	}
	for _, size := range []int{1, 100, 1472, 9000, 65507} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i * size)
		}
		got := make([]byte, 1<<16)
		if n, err := c.Write(want); n != size || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		n, err := c.Read(got)
		if err != nil || string(got[:n]) != string(want) {
			t.Fatalf("%d bytes of %d came back: %v", n, size, err)
		}
	}
	_, err = c.Write(make([]byte, 65508))
	opError(t, err, "write", syscall.EMSGSIZE)
}

func TestUDPPortUnreachable(t *testing.T) {
	a, _ := pair(t)
	c, err := a.Dial("udp", "10.0.0.2:9")
	must(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	c.Write([]byte("anybody?"))
	_, err = c.Read(make([]byte, 1))
	opError(t, err, "read", syscall.ECONNREFUSED)
}

func TestListenPacket(t *testing.T) {
	a, b := pair(t)
	server, err := b.ListenPacket("udp", ":5000")
	must(t, err)
	defer server.Close()
	client, err := a.ListenPacket("udp4", "10.0.0.1:0")
	must(t, err)
	defer client.Close()
	server.SetDeadline(time.Now().Add(patience))
	client.SetDeadline(time.Now().Add(patience))
	to := &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 5000}
	for _, text := range []string{"hello", "", strings.Repeat("long", 10_000)} {
		if n, err := client.WriteTo([]byte(text), to); n != len(text) || err != nil {
			t.Fatalf("WriteTo: %d, %v", n, err)
		}
		b := make([]byte, 1<<16)
		n, from, err := server.ReadFrom(b)
		if err != nil || string(b[:n]) != text || from.String() != client.LocalAddr().String() {
			t.Fatalf("%d bytes from %v, %v; want %d from %v", n, from, err, len(text), client.LocalAddr())
		}
		if _, err := server.WriteTo(b[:n], from); err != nil {
			t.Fatal(err)
		}
		if n, from, err = client.ReadFrom(b[:3]); err != nil || n != min(3, len(text)) || from.String() != to.String() {
			t.Fatalf("%d bytes from %v, %v", n, from, err)
		}
	}
	_, err = client.WriteTo(nil, &net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1})
	opError(t, err, "write", syscall.ENETUNREACH)
	_, err = client.WriteTo(nil, &net.TCPAddr{})
	opError(t, err, "write", syscall.EINVAL)
	_, err = a.ListenPacket("tcp", ":1")
	opError(t, err, "listen", net.UnknownNetworkError("tcp"))
}

// A byte there and back does not allocate, neither in the API nor in the stacks,
// once all pools are warm.
func TestReadWriteAllocations(t *testing.T) {
	a, b := pair(t)
	c1, c2 := connectedPair(t, a, b)
	var one [1]byte
	go func() {
		var b [1]byte
		for {
			if _, err := c2.Read(b[:]); err != nil {
				return
			}
			if _, err := c2.Write(b[:]); err != nil {
				return
			}
		}
	}()
	turn := func() {
		if _, err := c1.Write(one[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := c1.Read(one[:]); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		turn()
	}
	if n := testing.AllocsPerRun(1000, turn); n > forgotten {
		t.Errorf("%v allocations a turn, want none", n)
	}
}

// The peers of a stack that closes are told, and so are those who wait.
func TestStackCloses(t *testing.T) {
	a, b := pair(t)
	c1, c2 := connectedPair(t, a, b)
	c1.SetDeadline(time.Now().Add(patience))
	read := make(chan error, 1)
	go func() { _, err := c2.Read(make([]byte, 1)); read <- err }()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	b.Close(ctx)
	if _, err := c1.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer reads %v", err)
	}
	if err := <-read; err == nil {
		t.Error("a read of a closed stack succeeded")
	}
	_, err := b.Dial("tcp", "10.0.0.1:1")
	opError(t, err, "dial", syscall.ESHUTDOWN)
}
