package main

// slashnet ls: the conversations as one table, from their status, local and
// remote files.

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

var lsProtos []string

var ls = command{
	name:    "ls",
	args:    "[STATE...]",
	summary: "the conversations, one table",
	help: `
Lists conversations: protocol and number (the directory under the tree), state,
bytes unread and unsent, both addresses, owner. With STATE, only those in one of
the states: Closed Listen Syn_sent Syn_received Established Finwait1 Finwait2
Close_wait Closing Last_ack Time_wait; capitals and underscores do not matter.

  slashnet ls established close-wait
`,
	flags: func(flags *pflag.FlagSet) {
		flags.StringSliceVarP(&lsProtos, "proto", "p", []string{"tcp", "udp", "icmp"}, "only these protocols")
	},
	run: func(_ *pflag.FlagSet, states []string) error {
		r, err := root()
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "CONV\tSTATE\tUNREAD\tUNSENT\tLOCAL\tREMOTE\tOWNER")
		for _, proto := range lsProtos {
			nums, err := conversations(filepath.Join(r, proto))
			if err != nil {
				return err
			}
			for _, num := range nums {
				row, err := row(r, proto, num)
				// One that has just gone has no row.
				if err == nil && (len(states) == 0 || slices.ContainsFunc(states, row.in)) {
					fmt.Fprintln(table, row)
				}
			}
		}
		return table.Flush()
	},
}

// conversations lists the numbers in a protocol's directory, in order.
func conversations(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var nums []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			nums = append(nums, n)
		}
	}
	slices.Sort(nums)
	return nums, nil
}

// lsRow is a line of the table.
type lsRow struct{ conv, state, unread, unsent, local, remote, owner string }

func (r lsRow) String() string {
	return strings.Join([]string{r.conv, r.state, r.unread, r.unsent, r.local, r.remote, r.owner}, "\t")
}

// in reports whether the conversation is in a state, however that is spelled.
func (r lsRow) in(state string) bool {
	plain := strings.NewReplacer("_", "", "-", "", " ", "").Replace
	return strings.EqualFold(plain(r.state), plain(state))
}

func row(root, proto string, num int) (lsRow, error) {
	dir := filepath.Join(root, proto, strconv.Itoa(num))
	r := lsRow{conv: fmt.Sprintf("%s/%d", proto, num), unread: "0", unsent: "0"}
	status, err := readText(filepath.Join(dir, "status"))
	if err != nil {
		return r, err
	}
	line, _, _ := strings.Cut(status, "\n")
	words := strings.Fields(line)
	if len(words) == 0 {
		return r, fmt.Errorf("%s/status is empty", dir)
	}
	r.state = words[0]
	for i := 1; i+1 < len(words); i += 2 {
		switch words[i] {
		case "qin":
			r.unread = words[i+1]
		case "qout":
			r.unsent = words[i+1]
		}
	}
	if r.local, err = readText(filepath.Join(dir, "local")); err != nil {
		return r, err
	}
	if r.remote, err = readText(filepath.Join(dir, "remote")); err != nil {
		return r, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return r, err
	}
	r.owner = ownerName(info)
	return r, nil
}

// ownerName is the name of a file's owner, or the number of one without.
func ownerName(info os.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "?"
	}
	uid := strconv.Itoa(int(st.Uid))
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}
