package stack

// A Switch of a Host: the files of switch/NAME. plug.go tells how it comes about.

import (
	"fmt"
	"strings"
	"time"

	"slashnet/nic"
	"slashnet/stack/neterr"
)

// Switch is a learning switch with a name. What is plugged in is under the Host's
// lock.
type Switch struct {
	host  *Host
	id    int
	name  string
	sw    *nic.Switch
	last  int // number given to a port
	ports map[string]plugger
}

// ID is the number of a switch, by which its files know it.
func (w *Switch) ID() int { return w.id }

// Name is its name.
func (w *Switch) Name() string { return w.name }

// MakeSwitch makes a switch.
func (h *Host) MakeSwitch(name string, u User) (*Switch, error) {
	h.lock()
	defer h.unlock()
	if err := h.mayConfigure(u); err != nil {
		return nil, err
	}
	if h.closing {
		return nil, neterr.ShuttingDown
	}
	return h.switches.add(name, MaxSwitches, func(id int) (*Switch, error) {
		sw, err := nic.NewSwitch(nic.SwitchOptions{})
		return &Switch{host: h, id: id, name: name, sw: sw, ports: map[string]plugger{}}, err
	})
}

// RemoveSwitch takes a switch away that nothing is plugged into.
func (h *Host) RemoveSwitch(name string, u User) error {
	h.lock()
	defer h.unlock()
	w := h.switches.byName[name]
	err := h.mayConfigure(u)
	switch {
	case err != nil:
	case w == nil:
		return neterr.NotFound.With("%s", name)
	default:
		for _, p := range w.sw.Ports() {
			if by := w.ports[p.Name]; h.lives(by) {
				err = neterr.Busy.With("%s is plugged in", by.path)
			}
		}
	}
	if err != nil {
		h.root.stack.Logf("rmdir switch/%s: %v", clip(name), err)
		return err
	}
	h.switches.remove(name)
	return w.sw.Close()
}

// Switch finds a switch by its name; nil: there is none.
func (h *Host) Switch(name string) *Switch {
	h.lock()
	defer h.unlock()
	return h.switches.byName[name]
}

// SwitchByID finds one by its number.
func (h *Host) SwitchByID(id int) *Switch {
	h.lock()
	defer h.unlock()
	return h.switches.byID[id]
}

// Switches are all, in the order in which they were made.
func (h *Host) Switches() []*Switch {
	h.lock()
	defer h.unlock()
	return h.switches.all()
}

// plug makes a port for an interface.
func (w *Switch) plug(by plugger) (nic.NIC, error) {
	w.last++
	name := fmt.Sprintf("%s%s/%d", switchSpec, w.name, w.last)
	n, err := w.sw.Port(name)
	if err == nil {
		w.note(name, by)
	}
	return n, err
}

// note remembers who is at a port, and forgets who has left.
func (w *Switch) note(name string, by plugger) {
	there := map[string]plugger{name: by}
	for _, p := range w.sw.Ports() {
		if by, ok := w.ports[p.Name]; ok {
			there[p.Name] = by
		}
	}
	w.ports = there
}

const switchUsage = "plug link:NAME or unplug link:NAME is wanted"

// Ctl carries out one line written to switch/NAME/ctl.
func (w *Switch) Ctl(line string) error {
	line = strings.TrimSuffix(line, "\n")
	w.host.lock()
	defer w.host.unlock()
	err := w.command(line)
	if err != nil {
		w.host.root.stack.Logf("switch/%s/ctl: %s: %v", w.name, clip(line), err)
	}
	return err
}

func (w *Switch) command(line string) error {
	if err := checkLine(line); err != nil {
		return err
	}
	words := strings.Fields(line)
	if len(words) != 2 || !strings.HasPrefix(words[1], linkSpec) {
		return neterr.BadControl.With("%q: %s", clip(line), switchUsage)
	}
	switch joined := w.joined(words[1]); {
	case words[0] == "plug" && joined != "":
		return nil // it is in force
	case words[0] == "plug":
		return w.join(words[1])
	case words[0] == "unplug" && joined == "":
		return neterr.NotFound.With("%s is not plugged into switch/%s", clip(words[1]), w.name)
	case words[0] == "unplug":
		return w.sw.Remove(joined)
	}
	return neterr.UnknownControl.With("%q: %s", clip(line), switchUsage)
}

// joined is the end of a link that is plugged into the switch, if one is.
func (w *Switch) joined(spec string) string {
	for _, p := range w.sw.Ports() {
		if p.Attached && sameSpec(p.Name, spec) {
			return p.Name
		}
	}
	return ""
}

// sameSpec reports whether a canonical spec is what spec asks for, perhaps without
// saying which end.
func sameSpec(canonical, spec string) bool {
	return canonical == spec || strings.HasPrefix(canonical, spec+"/")
}

// join plugs the end of a link into the switch.
func (w *Switch) join(spec string) error {
	by := plugger{sw: w, path: "switch/" + w.name}
	n, name, err := w.host.plug(spec, by)
	if err != nil {
		return err
	}
	if err := w.sw.Attach(n); err != nil {
		n.Close()
		return err
	}
	w.note(name, by)
	return nil
}

// CtlText is the file switch/NAME/ctl: the lines that would make it what it is.
func (w *Switch) CtlText() string {
	w.host.lock()
	defer w.host.unlock()
	var b strings.Builder
	for _, p := range w.sw.Ports() {
		if p.Attached {
			fmt.Fprintf(&b, "plug %s\n", p.Name)
		}
	}
	return b.String()
}

// PortsText is the file ports: a line for each, with who is there and what has
// gone into the switch and out of it.
func (w *Switch) PortsText() string {
	w.host.lock()
	defer w.host.unlock()
	var b strings.Builder
	for _, p := range w.sw.Ports() {
		s, path := p.Stats, w.ports[p.Name].path
		if p.Attached {
			path = p.Name
		} else { // as its NIC sees it, the other way round
			s.FramesIn, s.BytesIn, s.FramesOut, s.BytesOut = s.FramesOut, s.BytesOut, s.FramesIn, s.BytesIn
		}
		fmt.Fprintf(&b, "%s %s in %d bytes %d out %d bytes %d dropped %d\n",
			p.Name, path, s.FramesIn, s.BytesIn, s.FramesOut, s.BytesOut, s.Dropped())
	}
	return b.String()
}

// TableText is the file table: the stations that were heard, where, and how many
// seconds ago.
func (w *Switch) TableText() string {
	w.host.lock()
	defer w.host.unlock()
	var b strings.Builder
	for _, s := range w.sw.Stations() {
		fmt.Fprintf(&b, "%s %s %d\n", s.MAC.Plan9(), s.Port, int(s.Age/time.Second))
	}
	return b.String()
}

// StatsText is the file stats.
func (w *Switch) StatsText() string {
	w.host.lock()
	defer w.host.unlock()
	s := w.sw.Stats()
	var drops [nic.DropKinds]uint64
	ports := w.sw.Ports()
	for _, p := range ports {
		for i, n := range p.Drops {
			drops[i] += n
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ports: %d\nstations: %d\nmoved: %d\ntable full: %d\n", len(ports), s.Stations, s.Moves, s.Full)
	for i, n := range drops {
		fmt.Fprintf(&b, "dropped %v: %d\n", nic.Drop(i), n)
	}
	return b.String()
}
