package test

// A bad cable between the kernel, near, and a far end, which is another kernel or
// slashnet: what strangers make of us is compared with what they make of each
// other, under the same weather.

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"slashnet/test/netns"
)

// A far end has netns.Addr, and programs run at it. The near end has
// netns.HostAddr.
type far struct {
	near *netns.Net
	at   *netns.Net // whose programs are those of the far end
	us   bool       // they use files; else sockets
	set  func(impairment string)
}

// ports of peer that take part in a race, by what the other does.
var ports = map[string]int{"send": 7006, "fetch": 19}

// ourEnd is a far end that is slashnet's.
func ourEnd(t *testing.T) *far {
	t.Helper()
	n := netns.Start(t)
	forgetful(n)
	f := &far{near: n, at: n, us: true}
	f.set = func(impairment string) { n.Shell("dash", "echo impair "+impairment+" >ipifc/1/ctl") }
	return f
}

// kernelEnd is a far end that is another kernel's.
func kernelEnd(t *testing.T) *far {
	t.Helper()
	f := &far{near: netns.New(t), at: netns.New(t)}
	socket := filepath.Join(f.near.Dir, "bridge")
	f.near.Serve(netns.Binary(t, "./test/bridge"), socket)
	f.near.Run("ip", "link", "set", "b0", "netns", f.at.Name)
	for _, end := range []struct {
		n          *netns.Net
		link, addr string
	}{{f.near, "a0", netns.HostAddr}, {f.at, "b0", netns.Addr}} {
		forgetful(end.n)
		end.n.Run("ip", "address", "add", end.addr+"/24", "dev", end.link)
		end.n.Run("ip", "link", "set", end.link, "up")
	}
	f.set = func(impairment string) {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintln(c, impairment)
		if answer, err := bufio.NewReader(c).ReadString('\n'); answer != "ok\n" {
			t.Fatalf("impair %s: %q, %v", impairment, answer, err)
		}
	}
	return f
}

// forgetful makes a kernel forget what it learned of a path: else it would run the
// second race otherwise than the first.
func forgetful(n *netns.Net) { n.Run("sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1") }

// call is where a program at the far end reaches a port of the near one: a path, or
// HOST:PORT.
func (f *far) call(port int) string {
	addr := fmt.Sprintf("%s:%d", netns.HostAddr, port)
	if f.us {
		return filepath.Join(f.at.Root, "tcp/dial", addr)
	}
	return addr
}

// whose is the name of the far end.
func (f *far) whose() string {
	if f.us {
		return "slashnet"
	}
	return "kernel"
}
