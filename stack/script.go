package stack

// A line of a boot script or of a view's ctl: `PATH: MESSAGE` does what writing
// the message to the file of the tree does. cmd/slashnet reads such lines from
// files, view.go from view/NAME/ctl.

import (
	"strconv"
	"strings"

	"slashnet/stack/neterr"
)

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
