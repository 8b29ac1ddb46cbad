package fs

// The file help: a page of text made from the table, so that it tells what there
// is. tree.go's init makes it.

import (
	"fmt"
	"runtime/debug"
	"strings"
)

var (
	helpText    string
	versionText = makeVersion()
)

const helpHead = `The network is a directory. To fetch a page:

	exec 3<>/net/tcp/dial/10.0.0.1:80
	printf 'GET / HTTP/1.0\r\n\r\n' >&3
	cat <&3

To do the same step by step, as on Plan 9:

	n=$(cat /net/tcp/clone)
	echo connect 10.0.0.1:80 >/net/tcp/$n/ctl
	cat /net/tcp/$n/status
	cat /net/tcp/$n/data
	echo close >/net/tcp/$n/ctl

To serve:

	exec 3<>/net/tcp/clone; read n <&3; echo announce 8080 >&3
	while call=$(cat /net/tcp/$n/listen); do
		echo hello >/net/tcp/$call/data; echo close >/net/tcp/$call/ctl
	done

An error is the errno of the failed command; its words are in N/err, or in log
for files without one. Addresses are HOST:PORT or HOST!PORT, and HOST may be a name:
cat dns.d/HOST looks it up. A read waits; bash's read -t does not time out here:
use timeout 5 head -c 1, or echo rtimeout 5000 >ctl.

`

// makeHelp prints the rows that have something to say.
func makeHelp() string {
	var b strings.Builder
	b.WriteString(helpHead)
	for i := range files {
		f := &files[i]
		if f.about == "" {
			continue
		}
		path := strings.Replace(f.path[1:], "PROTO", protoWord(f), 1)
		if f.kind == directory {
			path += "/"
		}
		fmt.Fprintf(&b, "%-22s %s\n", path, f.about)
	}
	return b.String()
}

// protoWord stands for PROTO in help: all protocols once, then the first.
func protoWord(f *file) string {
	if f.path == "/PROTO" {
		return "tcp/ udp/ icmp/ icmpv6"
	}
	return protos[tcp].name
}

func makeVersion() string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return "slashnet " + version + "\n"
}
