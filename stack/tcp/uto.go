package tcp

import (
	"time"

	"slashnet/wire"
)

// The user timeout option, RFC 5482: each end says how long it has patience, so
// that the other has as much. output.go says ours in the SYN, input.go hears the
// peer's in any segment, timers.go looks at both.

// The peer may ask for as much patience as this: RFC 5482 §3.1, L_LIMIT and U_LIMIT.
const (
	leastPatience = 100 * time.Second // R2 of RFC 9293 §3.8.3
	mostPatience  = time.Hour
)

// sayTimeout puts the user's own timeout in a SYN.
func (c *Conn) sayTimeout(o *wire.TCPOptions) {
	if c.cfg.UserTimeout && c.user.userTimeout > 0 {
		o.UserTimeout = max(int(c.user.userTimeout.Seconds()), 1)
	}
}

// hearTimeout takes the peer's.
func (c *Conn) hearTimeout(o *wire.TCPOptions) {
	if c.cfg.UserTimeout && o.UserTimeout > 0 {
		c.patience = min(max(time.Duration(o.UserTimeout)*time.Second, leastPatience), mostPatience)
	}
}
