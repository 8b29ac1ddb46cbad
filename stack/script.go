package stack

// A line of a boot script or of a view's ctl: `PATH: MESSAGE` does what writing
// the message to the file of the tree does. cmd/slashnet reads such lines from
// files, view.go from view/NAME/ctl.

import (
	"strconv"
	"strings"

	"slashnet/stack/neterr"
)

// Write carries out a message to one of the files that configure a Host: those of
// its root stack, view/NAME/ctl, view/NAME/net/…, switch/NAME/ctl and link/NAME/ctl.
// The path mkdir stands for the command, and the message for its arguments.
func (h *Host) Write(path, message string, tag *string) error {
	if path == "mkdir" {
		for _, dir := range strings.Fields(message) {
			if err := h.make(dir); err != nil {
				return err
			}
		}
		return nil
	}
	kind, rest, _ := strings.Cut(path, "/")
	name, file, _ := strings.Cut(rest, "/")
	var ctl func(line string) error
	switch kind {
	case "view":
		v := h.View(name)
		if inside, ok := strings.CutPrefix(file, "net/"); ok && v != nil {
			tag := ""
			return v.stack.Write(inside, message, &tag)
		}
		if v != nil {
			ctl = v.Ctl
		}
	case "switch":
		if w := h.Switch(name); w != nil {
			ctl = w.Ctl
		}
	case "link":
		if l := h.Link(name); l != nil {
			ctl = l.Ctl
		}
	default:
		return h.root.stack.Write(path, message, tag)
	}
	if ctl == nil || file != "ctl" {
		return neterr.NotFound.With("%s: `mkdir: %s/NAME` before it makes one, whose ctl is written to", clip(path), kind)
	}
	return ctl(message)
}

// make makes a directory, in the name of root.
func (h *Host) make(dir string) (err error) {
	kind, name, _ := strings.Cut(dir, "/")
	switch kind {
	case "view":
		_, err = h.Mkdir(name, User{})
	case "switch":
		_, err = h.MakeSwitch(name, User{})
	case "link":
		_, err = h.MakeLink(name, User{})
	default:
		err = neterr.BadArg.With("%q: view/NAME, switch/NAME or link/NAME is wanted", clip(dir))
	}
	return err
}

// Write carries out a message to one of the files that configure a stack. tag
// marks the routes that one writer adds.
func (s *Stack) Write(path, message string, tag *string) error {
	switch path {
	case "ctl":
		return s.WriteCtl(message)
	case "arp":
		return s.WriteARP(message)
	case "iproute":
		return s.WriteRoute(message, tag)
	case "ndb": // a line at a time, so each goes behind the others
		return s.WriteNdb(message+"\n", true)
	}
	if num, ok := strings.CutPrefix(path, "ipifc/"); ok {
		num = strings.TrimSuffix(num, "/ctl")
		if n, err := strconv.Atoi(num); err == nil {
			if i := s.Iface(n); i != nil {
				return i.Ctl(message)
			}
			return neterr.NoInterface.With("%s: see the listing of ipifc", clip(path))
		}
	}
	return neterr.NotFound.With("%q is not configured by messages: ctl, arp, iproute, ndb and ipifc/N are", clip(path))
}
