// Command peer is the other side of the cable in the tests: servers on the
// kernel's TCP, at the ports where Unix has always had them, and clients that do
// what a shell cannot. It uses nothing of slashnet, so as not to share its
// mistakes.
//
//	peer serve IP            all servers; writes "ready" to descriptor 3
//	peer COMMAND ARGS…       a client, see clients
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fatal(fmt.Errorf("usage: peer serve IP, or one of: %s", strings.Join(clientNames(), " ")))
	}
	name, args := os.Args[1], os.Args[2:]
	if name == "serve" && len(args) == 1 {
		fatal(listen(args[0]))
	}
	if client, ok := clients[name]; ok {
		fatal(client(args))
		return
	}
	fatal(fmt.Errorf("no client %q", name))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}
