package stack

// View is one stack of a Host, and what its owner says to it: the file
// view/NAME/ctl. fs calls it.

import (
	"context"
	"fmt"
	"strings"

	"slashnet/stack/neterr"
)

// View is a stack with a name and a number.
type View struct {
	host    *Host
	id      int
	name    string
	stack   *Stack
	release func()
	uplink  uplink // under Host.wiring
	line    string // that made it; under the Host's lock
	mode    uint32 // of its directory; under the Host's lock
	ended   bool   // nothing is connected any more; under Host.wiring
}

// ID is the number of a view.
func (v *View) ID() int { return v.id }

// Name is the name of a view; the root has none.
func (v *View) Name() string { return v.name }

// Host is the one that it is a view of.
func (v *View) Host() *Host { return v.host }

// Stack is the view's own.
func (v *View) Stack() *Stack { return v.stack }

// viewMode is the first mode of a view's directory.
const viewMode = 0o755

// Mode is that of the directory view/NAME, which says who finds the files in it.
func (v *View) Mode() uint32 {
	v.host.lock()
	defer v.host.unlock()
	return v.mode
}

// Chmod changes it, for the owner of the tree and root.
func (v *View) Chmod(u User, mode uint32) error {
	v.host.lock()
	defer v.host.unlock()
	if err := v.host.mayConfigure(u); err != nil {
		return err
	}
	v.mode = mode & 0o777
	return nil
}

// shut closes a view's stack, takes its cable away and lets go of it.
func (v *View) shut(ctx context.Context) {
	v.stack.Part(ctx) // unless Host.Close has done so
	v.stack.End()
	v.stack.OnConvGone(nil)
	v.host.wiring.Lock()
	v.ended = true
	v.unplug()
	v.host.wiring.Unlock()
	if v.release != nil {
		v.release()
	}
}

// viewLimits are the knobs that the verb limit sets.
var viewLimits = []string{"conversations", "detached", "operations", "handles", "memory", "rate.in", "rate.out"}

const viewUsage = "uplink none|routed ADDR/LEN|switch ADDR/LEN [GATEWAY] (and the same of the other family behind it), nic SPEC [ADDR/LEN [GATEWAY]], nic SPEC off, limit NAME N, or PATH: MESSAGE is wanted"

// Ctl carries out one line written to view/NAME/ctl.
func (v *View) Ctl(line string) error {
	line = strings.TrimSuffix(line, "\n")
	if err := v.ctl(line); err != nil {
		v.stack.Logf("view/%s/ctl: %s: %v", v.name, clip(line), err)
		return err
	}
	return nil
}

func (v *View) ctl(line string) error {
	if err := checkLine(line); err != nil {
		return err
	}
	if path, message, ok := strings.Cut(line, ": "); ok {
		tag := ""
		return v.stack.Write(strings.TrimSpace(path), strings.TrimSpace(message), &tag)
	}
	w, err := words(line)
	if err != nil {
		return err
	}
	switch {
	case w[0] == "uplink" && len(w) > 1:
		v.host.wiring.Lock()
		defer v.host.wiring.Unlock()
		if v.ended {
			return neterr.ShuttingDown
		}
		return v.connect(w[1:])
	case w[0] == "limit" && len(w) == 3 && w[1] == "rate":
		if err := v.stack.WriteCtl("limit.rate.in " + w[2]); err != nil {
			return err
		}
		return v.stack.WriteCtl("limit.rate.out " + w[2])
	case w[0] == "nic" && len(w) > 1:
		v.host.wiring.Lock()
		defer v.host.wiring.Unlock()
		if v.ended {
			return neterr.ShuttingDown
		}
		return v.nic(w[1:])
	case w[0] == "limit" && len(w) == 3:
		for _, name := range viewLimits {
			if w[1] == name {
				return v.stack.WriteCtl("limit." + name + " " + w[2])
			}
		}
		return neterr.BadControl.With("limit %q: %s are known", clip(w[1]), "rate, "+strings.Join(viewLimits, ", "))
	}
	return neterr.UnknownControl.With("%q: %s", clip(line), viewUsage)
}

// CtlText is the file view/NAME/ctl: the lines that would make it what it is.
func (v *View) CtlText() string {
	v.host.lock()
	line := v.line
	v.host.unlock()
	if line == "" {
		line = uplinkNone
	}
	var b strings.Builder
	fmt.Fprintf(&b, "uplink %s\n", line)
	for knob := range strings.Lines(v.stack.CtlText()) {
		if limit, ok := strings.CutPrefix(knob, "limit."); ok {
			b.WriteString("limit " + limit)
		}
	}
	b.WriteString(v.wiringText())
	return b.String()
}
