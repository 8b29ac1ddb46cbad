package tcp

// A State is where a connection is in its life (RFC 9293 §3.3.2).
type State uint8

// The states, in the order in which a connection may pass through them. A Conn
// is never in Listen: a listener is the stack's, and has no control block.
const (
	Closed State = iota
	Listen
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWaiting
)

var stateNames = [...]string{
	"Closed", "Listen", "Syn_sent", "Syn_received", "Established", "Finwait1",
	"Finwait2", "Close_wait", "Closing", "Last_ack", "Time_wait",
}

// String is the state as Plan 9 spells it.
func (s State) String() string { return stateNames[s] }

// synchronised states have seen both SYNs acknowledged.
func (s State) synchronised() bool { return s >= Established }

// sending reports whether data, or a FIN, may still have to go out.
func (s State) sending() bool {
	switch s {
	case Established, CloseWait, FinWait1, Closing, LastAck:
		return true
	}
	return false
}

// receiving reports whether the peer's FIN is still to come.
func (s State) receiving() bool {
	return s == Established || s == FinWait1 || s == FinWait2
}
