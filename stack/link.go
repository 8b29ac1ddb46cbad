package stack

// A Link of a Host: the files of link/NAME. plug.go tells how it comes about.

import (
	"fmt"
	"strings"

	"slashnet/nic"
	"slashnet/stack/neterr"
)

// Link is a cable with a name and two ends, a and b. Who is plugged in is under the
// Host's lock.
type Link struct {
	host  *Host
	id    int
	name  string
	cable *nic.Cable
	by    [2]plugger // whoever was plugged in last
}

// ID is the number of a link, by which its files know it.
func (l *Link) ID() int { return l.id }

// Name is its name.
func (l *Link) Name() string { return l.name }

// MakeLink makes a link, both ends free.
func (h *Host) MakeLink(name string, u User) (*Link, error) {
	h.lock()
	defer h.unlock()
	if err := h.mayConfigure(u); err != nil {
		return nil, err
	}
	if h.closing {
		return nil, neterr.ShuttingDown
	}
	return h.links.add(name, MaxLinks, func(id int) (*Link, error) {
		return &Link{host: h, id: id, name: name, cable: nic.NewCable("link/" + name)}, nil
	})
}

// RemoveLink takes a link away that nothing is plugged into. What is on its way is
// lost.
func (h *Host) RemoveLink(name string, u User) error {
	h.lock()
	defer h.unlock()
	l := h.links.byName[name]
	err := h.mayConfigure(u)
	switch {
	case err != nil:
	case l == nil:
		return neterr.NotFound.With("%s", name)
	default:
		for e := range l.by {
			if by := l.at(nic.CableEnd(e)); by != nil && h.lives(*by) {
				err = neterr.Busy.With("%s is plugged in", by.path)
			}
		}
	}
	if err != nil {
		h.root.stack.Logf("rmdir link/%s: %v", clip(name), err)
		return err
	}
	h.links.remove(name)
	l.cable.Close()
	return nil
}

// Link finds a link by its name; nil: there is none.
func (h *Host) Link(name string) *Link {
	h.lock()
	defer h.unlock()
	return h.links.byName[name]
}

// LinkByID finds one by its number.
func (h *Host) LinkByID(id int) *Link {
	h.lock()
	defer h.unlock()
	return h.links.byID[id]
}

// Links are all, in the order in which they were made.
func (h *Host) Links() []*Link {
	h.lock()
	defer h.unlock()
	return h.links.all()
}

// at is who is plugged in at an end; nil: nobody.
func (l *Link) at(e nic.CableEnd) *plugger {
	if !l.cable.Plugged(e) {
		return nil
	}
	return &l.by[e]
}

// spec names an end, as nic and plug want it.
func (l *Link) spec(e nic.CableEnd) string { return linkSpec + l.name + "/" + e.String() }

// freeEnd is the end of a name, or the first one that is free.
func (l *Link) freeEnd(name string) (nic.CableEnd, error) {
	for _, e := range []nic.CableEnd{nic.EndA, nic.EndB} {
		switch by := l.at(e); {
		case name == e.String() && by != nil:
			return e, neterr.Busy.With("%s is plugged into %s", by.path, l.spec(e))
		case name == e.String(), name == "" && by == nil:
			return e, nil
		}
	}
	if name == "" {
		return 0, neterr.Busy.With("link/%s has both ends plugged in, into %s and %s", l.name, l.by[nic.EndA].path, l.by[nic.EndB].path)
	}
	return 0, neterr.NotFound.With("link/%s has the ends a and b, not %q", l.name, clip(name))
}

func (l *Link) plug(e nic.CableEnd, by plugger) (nic.NIC, error) {
	n, err := l.cable.Plug(e, nic.Options{Name: l.spec(e)})
	if err == nil {
		l.by[e] = by
	}
	return n, err
}

// Ctl carries out one line written to link/NAME/ctl: impair.
func (l *Link) Ctl(line string) error {
	line = strings.TrimSuffix(line, "\n")
	l.host.lock()
	defer l.host.unlock()
	err := l.command(line)
	if err != nil {
		l.host.root.stack.Logf("link/%s/ctl: %s: %v", l.name, clip(line), err)
	}
	return err
}

func (l *Link) command(line string) error {
	if err := checkLine(line); err != nil {
		return err
	}
	words := strings.Fields(line)
	if words[0] != "impair" {
		return neterr.UnknownControl.With("%q: impair [a|b] WORD VALUE… or impair [a|b] off is wanted", clip(line))
	}
	return impair(words[1:], [2]string{"a", "b"}, func(d int, p nic.Impair) error { return l.cable.Impair(nic.CableEnd(d), p) })
}

// CtlText is the file link/NAME/ctl: the lines that would make it what it is.
func (l *Link) CtlText() string {
	l.host.lock()
	defer l.host.unlock()
	a, b := l.cable.Impaired(nic.EndA), l.cable.Impaired(nic.EndB)
	if a == b {
		return fmt.Sprintf("impair %v\n", a)
	}
	return fmt.Sprintf("impair a %v\nimpair b %v\n", a, b)
}

// StatsText is the file stats: who is at the ends, and what became of what they
// sent.
func (l *Link) StatsText() string {
	l.host.lock()
	defer l.host.unlock()
	ends := []nic.CableEnd{nic.EndA, nic.EndB}
	var b strings.Builder
	for _, e := range ends {
		path := "-"
		if by := l.at(e); by != nil {
			path = by.path
		}
		fmt.Fprintf(&b, "%v: %s\n", e, path)
	}
	for _, e := range ends {
		s := l.cable.Stats(e)
		fmt.Fprintf(&b, "%v sent: %d\n%v sent bytes: %d\n%v passed: %d\n%v passed bytes: %d\n", e, s.Sent, e, s.SentBytes, e, s.Passed, e, s.PassedBytes)
		mischief(&b, e.String(), s.Mischief)
		fmt.Fprintf(&b, "%v overrun: %d\n%v unplugged: %d\n", e, s.Overrun, e, s.Unplugged)
	}
	fmt.Fprintf(&b, "snoop missed: %d\n", l.cable.Missed())
	return b.String()
}

// Snoop begins to read what goes into the link, as pcapng.
func (l *Link) Snoop() (*Snoop, error) { return l.host.root.stack.Snoop(l.cable.Captures) }
