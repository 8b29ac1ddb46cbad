package main

// slashnet ls: the conversations as one table, from the files all.json.

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

var lsOptions struct {
	protos        []string
	local, remote string
	user          string
	json          bool
}

var ls = command{
	name:    "ls",
	args:    "[STATE...]",
	summary: "the conversations, one table",
	help: `
Lists conversations: protocol and number (the directory under the tree), state,
bytes unread and unsent, both addresses, owner. With STATE, only those in one of
the states: Closed Listen Syn_sent Syn_received Established Finwait1 Finwait2
Close_wait Closing Last_ack Time_wait, Open and Datagram for udp and icmp;
capitals and underscores do not matter. An END is an address, a port, or both.

  slashnet ls established close-wait
  slashnet ls --local :80 --user nobody
  slashnet ls -p tcp --remote 10.0.0.1:443 --json | jq '.[].why'
`,
	flags: func(flags *pflag.FlagSet) {
		flags.StringSliceVarP(&lsOptions.protos, "proto", "p", []string{"tcp", "udp", "icmp"}, "only these protocols")
		flags.StringVarP(&lsOptions.local, "local", "l", "", "only with this `END` on our side")
		flags.StringVarP(&lsOptions.remote, "remote", "r", "", "only with this `END` on the other side")
		flags.StringVarP(&lsOptions.user, "user", "u", "", "only of this `USER`, a name or a number")
		flags.BoolVarP(&lsOptions.json, "json", "j", false, "all there is to know, as one JSON array")
	},
	run: func(_ *pflag.FlagSet, states []string) error {
		local, err := parseEnd(lsOptions.local)
		if err != nil {
			return err
		}
		remote, err := parseEnd(lsOptions.remote)
		if err != nil {
			return err
		}
		uid, err := parseUser(lsOptions.user)
		if err != nil {
			return err
		}
		r, err := root()
		if err != nil {
			return err
		}
		var rows []lsRow
		for _, proto := range lsOptions.protos {
			more, err := readRows(filepath.Join(r, proto, "all.json"))
			if err != nil {
				return err
			}
			rows = append(rows, more...)
		}
		rows = slices.DeleteFunc(rows, func(row lsRow) bool {
			return len(states) > 0 && !slices.ContainsFunc(states, row.in) || !local.fits(row.Local) || !remote.fits(row.Remote) ||
				lsOptions.user != "" && row.UID != uid
		})
		if lsOptions.json {
			return printJSON(os.Stdout, rows)
		}
		return printTable(os.Stdout, rows)
	},
}

// lsRow is what the table shows of a conversation, and all of it.
type lsRow struct {
	Proto, State  string
	Number        int
	QIn, QOut     int
	Local, Remote *lsEnd // nil: none
	UID           uint32

	text json.RawMessage
}

// lsEnd is an address and a port.
type lsEnd struct {
	Addr netip.Addr
	Port uint16
}

func (e *lsEnd) String() string {
	if e == nil {
		return "-"
	}
	return fmt.Sprintf("%v!%d", e.Addr, e.Port)
}

func readRows(path string) ([]lsRow, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(text, &texts); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rows := make([]lsRow, len(texts))
	for i := range rows {
		if err := json.Unmarshal(texts[i], &rows[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rows[i].text = texts[i]
	}
	return rows, nil
}

// in reports whether the conversation is in a state, however that is spelled.
func (r lsRow) in(state string) bool {
	plain := strings.NewReplacer("_", "", "-", "", " ", "").Replace
	return strings.EqualFold(plain(r.State), plain(state))
}

// An endFilter is what an end has to be; the zero value takes all.
type endFilter struct {
	addr netip.Addr // not valid: any
	port uint16     // 0: any
}

// parseEnd reads ADDR, PORT, :PORT, ADDR:PORT or ADDR!PORT.
func parseEnd(text string) (f endFilter, err error) {
	if text == "" {
		return f, nil
	}
	wrong := usageError(fmt.Sprintf("%q: an address, a port or ADDR:PORT is wanted", text))
	if f.addr, err = netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return f, nil
	}
	host, port := "", text
	if at := strings.LastIndexAny(text, ":!"); at >= 0 {
		host, port = strings.Trim(text[:at], "[]"), text[at+1:]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return f, wrong
	}
	f.port = uint16(n)
	if host == "" || host == "*" {
		return f, nil
	}
	if f.addr, err = netip.ParseAddr(host); err != nil {
		return f, wrong
	}
	return f, nil
}

func (f endFilter) fits(e *lsEnd) bool {
	if f == (endFilter{}) {
		return true
	}
	return e != nil && (!f.addr.IsValid() || f.addr == e.Addr) && (f.port == 0 || f.port == e.Port)
}

func printTable(w io.Writer, rows []lsRow) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "CONV\tSTATE\tUNREAD\tUNSENT\tLOCAL\tREMOTE\tOWNER")
	names := map[uint32]string{}
	for _, r := range rows {
		if names[r.UID] == "" {
			names[r.UID] = userName(r.UID)
		}
		fmt.Fprintf(table, "%s/%d\t%s\t%d\t%d\t%v\t%v\t%s\n", r.Proto, r.Number, r.State, r.QIn, r.QOut, r.Local, r.Remote, names[r.UID])
	}
	return table.Flush()
}

func printJSON(w io.Writer, rows []lsRow) error {
	sep := "[\n"
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "%s%s", sep, r.text); err != nil {
			return err
		}
		sep = ",\n"
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "[]")
		return err
	}
	_, err := fmt.Fprintln(w, "\n]")
	return err
}

// parseUser finds a user by name or number.
func parseUser(text string) (uid uint32, err error) {
	if text == "" {
		return 0, nil
	}
	if u, err := user.Lookup(text); err == nil {
		text = u.Uid
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, usageError(fmt.Sprintf("--user %q: there is no such user; a name or a number is wanted", text))
	}
	return uint32(n), nil
}

// userName is the name of a user, or the number of one without.
func userName(uid uint32) string {
	number := strconv.Itoa(int(uid))
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}
