package main

// slashnet view: networks of their own, by mkdir, rmdir and the file ctl of
// view/NAME.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

var viewCommand = command{
	name:    "view",
	args:    "add NAME [LINE...] | ls | rm NAME",
	summary: "networks of their own, for containers",
	help: `
A view is an independent stack, whose tree is the directory view/NAME/net: bind it
on a container's /net. add makes one and writes each LINE to its ctl; if a line is
refused, the view is taken away again. rm ends one, with all its connections.
mkdir switch/lan and mkdir link/wire, in the tree, make what a nic is plugged into;
reading view/NAME/ctl gives the lines that make the view again.

  slashnet view add web 'uplink routed 10.7.0.2/24' 'limit conversations 100' 'limit rate 10m'
  slashnet view add db 'uplink switch 10.114.0.3/24 10.114.0.1' 'ndb: dns=10.114.0.1'
  docker run --rm -it --init --network none -v /net/view/web/net:/net busybox
  slashnet view add lab 'nic switch:lan 10.1.0.2/24' 'nic link:wire 10.2.0.1/24' 'ctl: ip.forward on'
  slashnet view ls
  slashnet view rm web
`,
	run: func(_ *pflag.FlagSet, args []string) error {
		switch {
		case len(args) >= 2 && args[0] == "add":
			return addView(args[1], args[2:])
		case len(args) == 1 && args[0] == "ls":
			return listViews()
		case len(args) == 2 && args[0] == "rm":
			dir, err := viewDir(args[1])
			if err != nil {
				return err
			}
			return os.Remove(dir)
		}
		return usageError("want add NAME [LINE...], ls or rm NAME")
	},
}

// viewDir is the directory of a view, be it there or not.
func viewDir(name string) (string, error) {
	r, err := root()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(r, "view")); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is the tree of a view, and has none itself", r)
	}
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return "", usageError(fmt.Sprintf("%q: want the name of a view, without slashes", name))
	}
	return filepath.Join(r, "view", name), nil
}

func addView(name string, lines []string) error {
	dir, err := viewDir(name)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, line := range lines {
		if err := os.WriteFile(filepath.Join(dir, "ctl"), []byte(line), 0); err != nil {
			err = errors.New(lastWords(dir, line, err))
			return errors.Join(err, os.Remove(dir))
		}
	}
	fmt.Println(filepath.Join(dir, "net"))
	return nil
}

// lastWords is what the view's log says of a line that was refused.
func lastWords(dir, line string, err error) string {
	log, _ := readText(filepath.Join(dir, "log"))
	if _, words, ok := strings.Cut(log[strings.LastIndex(log, "\n")+1:], "/ctl: "); ok {
		return words
	}
	return fmt.Sprintf("%s: %v", line, err)
}

func listViews() error {
	dir, err := viewDir("-")
	if err != nil {
		return err
	}
	views, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "VIEW\tCONVERSATIONS\tUPLINK\tNICS")
	for _, v := range views {
		at := filepath.Join(filepath.Dir(dir), v.Name())
		ctl, err := readText(filepath.Join(at, "ctl"))
		if err != nil {
			continue // it has just gone
		}
		stats, _ := readText(filepath.Join(at, "stats"))
		var nics []string
		for line := range strings.Lines(ctl) {
			if spec, ok := strings.CutPrefix(line, "nic "); ok {
				nics = append(nics, strings.TrimSpace(spec))
			}
		}
		uplink, _, _ := strings.Cut(strings.TrimPrefix(ctl, "uplink "), "\n")
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.Name(), value(stats, "conversations"), uplink, strings.Join(nics, ", "))
	}
	return table.Flush()
}

// value finds a line `name: value` of a file of counters.
func value(text, name string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	return "?"
}
