// Command slashnet runs a TCP/IP stack and serves it as a tree of files (up);
// its other subcommands are thin clients of that tree, and use nothing of the
// daemon but its files. Left out on purpose: logic. What a subcommand does
// beyond flags, logging and signals belongs in stack or fs.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"
)

// A command is a subcommand: one row, one short file.
type command struct {
	name    string
	args    string // as in the usage line
	summary string
	help    string
	run     func(flags *pflag.FlagSet, args []string) error
	flags   func(flags *pflag.FlagSet)
}

var commands = []*command{&up, &dial, &serve, &ls, &why, &ping, &viewCommand}

// A usageError is the caller's mistake: exit code 2.
type usageError string

func (e usageError) Error() string { return string(e) }

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code: 0, 1 for a failure, 2 for a mistake in the usage.
func run(args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage())
		return 2
	}
	name, args := args[0], args[1:]
	switch name {
	case "--version", "version":
		fmt.Println("slashnet", version())
		return 0
	case "--help", "-h", "help":
		if len(args) == 0 {
			fmt.Print(usage())
			return 0
		}
		name, args = args[0], []string{"--help"}
	}
	for _, c := range commands {
		if c.name == name {
			return c.main(args)
		}
	}
	fmt.Fprintf(os.Stderr, "slashnet: no command %q; there are: %s\n", name, strings.Join(names(), " "))
	return 2
}

func (c *command) main(args []string) int {
	flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetInterspersed(false)
	flags.Usage = func() {}
	if c.flags != nil {
		c.flags(flags)
	}
	err := flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Print(c.usage(flags))
		return 0
	}
	if err != nil {
		err = usageError(err.Error())
	} else {
		err = c.run(flags, flags.Args())
	}
	if err == nil {
		return 0
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		fmt.Fprintf(os.Stderr, "slashnet %s: %v (slashnet %s --help says more)\n", c.name, err, c.name)
		return 2
	}
	fmt.Fprintf(os.Stderr, "slashnet %s: %v\n", c.name, err)
	return 1
}

func names() []string {
	var all []string
	for _, c := range commands {
		all = append(all, c.name)
	}
	return all
}

func usage() string {
	var b strings.Builder
	b.WriteString(`slashnet: the network is a directory

`)
	for _, c := range commands {
		fmt.Fprintf(&b, "  slashnet %-34s %s\n", c.name+" "+c.args, c.summary)
	}
	b.WriteString(`  slashnet help COMMAND                       more about one
  slashnet --version

Start with "slashnet up" as root; then, in any shell:

  cat /net/help
  exec 3<>/net/tcp/dial/10.114.0.1:80     connect; descriptor 3 is the stream

The commands but up use the tree at $SLASHNET_ROOT, else at /net, else at
$XDG_RUNTIME_DIR/net. Exit code: 0, 1 for a failure, 2 for a wrong command line.
`)
	return b.String()
}

func (c *command) usage(flags *pflag.FlagSet) string {
	s := fmt.Sprintf("Usage: slashnet %s [flags] %s\n\n%s", c.name, c.args, strings.TrimLeft(c.help, "\n"))
	if flags.HasFlags() {
		s += "\nFlags:\n" + flags.FlagUsages()
	}
	return s
}

// version is that of the module, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return info.Main.Version + " " + s.Value
		}
	}
	return info.Main.Version
}
