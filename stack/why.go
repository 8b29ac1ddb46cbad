package stack

// The file why: one sentence on what a conversation is doing, or what it waits
// for, and what keeps it.

import (
	"fmt"
	"time"

	"slashnet/stack/tcp"
	"slashnet/wire"
)

// why is the state, how long, what is going on, and who has it open.
func (c *Conv) why() string {
	ago := forHowLong(c.stack.now - c.told.since)
	var what string
	switch {
	case c.proto.num == wire.TCP:
		what = c.tcpWhy()
	case c.phase == announced && c.headers:
		what = fmt.Sprintf("announced at %v: datagrams from everybody are read from data, each behind 52 bytes of addresses", bang(c.local))
	case c.phase == announced:
		what = c.listenWhy()
	case c.phase == connected && c.ping != nil:
		what = fmt.Sprintf("pinging %v once a second", c.remote.Addr())
	case c.phase == connected:
		what = "connected to " + bang(c.remote)
		if isICMP(c.proto.num) {
			what = fmt.Sprintf("connected to %v", c.remote.Addr())
		}
		if n := len(c.datagrams.items); n > 0 {
			what += fmt.Sprintf(", %s unread", many(n, "datagram is", "datagrams are"))
		}
		what += c.obstacle()
	default:
		what = c.idleWhy()
	}
	return fmt.Sprintf("%s for %s: %s%s", c.proto.state(c), ago, what, c.keptWhy())
}

// forHowLong is a duration as people say it.
func forHowLong(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Truncate(time.Millisecond).String()
	case d < time.Minute:
		return d.Truncate(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
}

func (c *Conv) idleWhy() string {
	if c.phase == connecting {
		return fmt.Sprintf("looking up the address of %s, without an answer yet", clean(c.attempt.target.host))
	}
	if c.phase == hungup {
		if c.cause != nil {
			return fmt.Sprintf("it ended: %v", c.cause)
		}
		return "it was closed"
	}
	if c.connectErr != nil {
		return fmt.Sprintf("the last connect failed: %v; it can be tried again", c.connectErr)
	}
	if c.lastErr != "" {
		return "nobody has connected or announced it yet; the last command failed: " + c.lastErr
	}
	return "nobody has written connect or announce to its ctl yet"
}

func (c *Conv) listenWhy() string {
	w := fmt.Sprintf("announced at %v", bang(c.local))
	switch {
	case len(c.calls) > 0:
		w += fmt.Sprintf(", %s for somebody to open listen", many(len(c.calls), "call waits", "calls wait"))
	case c.waiting > 0:
		w += ", waiting for a call"
	default:
		w += ", no call yet, and nobody waits for one"
	}
	embryos := len(c.embryos)
	if embryos > 0 {
		w += fmt.Sprintf("; %s not confirmed our answer yet", many(embryos, "caller has", "callers have"))
	}
	switch {
	case len(c.calls) >= c.backlog:
		w += fmt.Sprintf("; the backlog of %d is full, new calls are not answered", c.backlog)
	case embryos >= c.backlog && c.stack.knobs.cookies == cookiesOff:
		w += ", as many as the backlog: each new one takes the place of the oldest"
	case embryos >= c.backlog:
		w += ", as many as the backlog: new ones get a cookie, and are forgotten until it comes back"
	}
	return w
}

// many counts things.
func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// tcpWhy says what a TCP conversation is about.
func (c *Conv) tcpWhy() string {
	switch {
	case c.phase == announced:
		return c.listenWhy()
	case c.tcb == nil:
		return c.idleWhy()
	}
	st := c.tcb.Stats()
	unread := unreadWords(st)
	switch st.State {
	case tcp.Closed:
		return c.idleWhy() + unread
	case tcp.SynSent:
		return fmt.Sprintf("calling %v, %s without an answer%s%s", bang(c.remote), many(st.Backoff+1, "try", "tries"), c.rivalWords(), c.obstacle())
	case tcp.SynReceived:
		w := fmt.Sprintf("%v has called and has not confirmed our answer yet", bang(c.remote))
		if st.Backoff > 0 {
			w += fmt.Sprintf(", which was sent %d times", st.Backoff+1)
		}
		return w + c.obstacle()
	case tcp.Established:
		return "up with " + bang(c.remote) + unread + c.trouble(st)
	case tcp.CloseWait:
		return "the peer has closed and waits for us to close" + unread + c.trouble(st)
	case tcp.FinWait1:
		return "we have closed, the peer has not acknowledged our end yet" + unread + c.trouble(st)
	case tcp.FinWait2:
		w := "we have closed, the peer has seen it and may still send" + unread
		if st.WaitAt > 0 {
			w += fmt.Sprintf("; it is given up in %s", forHowLong(max(0, st.WaitAt-c.stack.now)))
		}
		return w
	case tcp.Closing:
		return "both ends have closed at once, the peer has not acknowledged our end yet" + unread + c.trouble(st)
	case tcp.LastAck:
		return "both ends have closed, the peer has not acknowledged our end yet" + unread + c.trouble(st)
	case tcp.TimeWaiting:
		return waitWords(st.WaitAt-c.stack.now) + unread
	}
	return st.State.String()
}

func waitWords(left time.Duration) string {
	return fmt.Sprintf("both ends have closed; the number is kept for another %s so that late segments cannot hit a new connection", forHowLong(max(0, left)))
}

// trouble is what stops the flow, the gravest alone.
func (c *Conv) trouble(st tcp.Stats) string {
	now := c.stack.now
	unsent := st.QOut - st.InFlight - st.Lost - st.SACKed
	waits := st.QOut > 0 || !st.FinAcked && st.State != tcp.Established && st.State != tcp.CloseWait
	shut := st.ZeroWindowSince > 0 && st.QOut > 0
	switch {
	case st.Backoff > 0 && !(shut && st.LastRecv >= st.LastSend): // probes of a shut window are answered
		return fmt.Sprintf("; retransmitting for %s, %s without an answer from the peer%s",
			forHowLong(now-st.RetransmittingSince), many(st.Backoff, "time", "times"), c.obstacle())
	case shut:
		return fmt.Sprintf("; %s for the peer to read: it has shut its window %s ago", many(st.QOut, "byte waits", "bytes wait"), forHowLong(now-st.ZeroWindowSince))
	case st.KeepProbes > 0:
		return fmt.Sprintf("; %s without an answer, it was last heard %s ago%s",
			many(st.KeepProbes, "keep-alive probe is", "keep-alive probes are"), forHowLong(now-st.LastRecv), c.obstacle())
	case waits && c.obstacle() != "":
		return c.obstacle()
	case c.starved:
		return fmt.Sprintf("; %s for room in the interface's queue", many(st.QOut, "byte waits", "bytes wait"))
	case st.QOut > 0 && st.InFlight >= st.SndWnd && st.SndWnd > 0:
		return fmt.Sprintf("; sending as fast as the peer's window of %d bytes allows, %d bytes queued", st.SndWnd, st.QOut)
	case unsent > 0 && st.InFlight+st.MSS > st.Cwnd:
		return fmt.Sprintf("; sending as fast as the network seems to take it (cwnd %d), %d bytes queued", st.Cwnd, st.QOut)
	case unsent > 0 && c.opts.cork:
		return fmt.Sprintf("; %s for more, as cork is on", many(unsent, "byte waits", "bytes wait"))
	case unsent > 0:
		return fmt.Sprintf("; %s until what was sent is acknowledged (nodelay sends them at once)", many(unsent, "byte waits", "bytes wait"))
	case st.QOut > 0:
		return fmt.Sprintf("; %s sent and not yet acknowledged", many(st.QOut, "byte is", "bytes are"))
	}
	return ""
}

// obstacle is why segments may not arrive: what we know ourselves, else what
// routers said last.
func (c *Conv) obstacle() string {
	to, err := c.stack.pathTo(c.remote.Addr())
	if err != nil {
		return fmt.Sprintf("; %v", err)
	}
	if !to.group && to.out.unanswered(to.hop) {
		return fmt.Sprintf("; nobody on the cable answers for %v", to.hop)
	}
	if c.tcb != nil && c.tcb.SoftErr() != nil {
		return fmt.Sprintf("; %v", c.tcb.SoftErr())
	}
	return ""
}

func unreadWords(st tcp.Stats) string {
	switch {
	case st.QIn == 0:
		return ""
	case st.RcvWnd == 0:
		return fmt.Sprintf(", %s unread and the peer may send no more until somebody reads", many(st.QIn, "byte is", "bytes are"))
	}
	return fmt.Sprintf(", %s unread", many(st.QIn, "byte is", "bytes are"))
}

// keptWhy says what keeps a conversation alive.
func (c *Conv) keptWhy() string {
	switch {
	case c.listener != nil && c.phase == connecting:
		return ""
	case c.listener != nil:
		return "; it waits in the listener's queue for somebody to take it"
	case c.held > 0 || c.waiting > 0:
		return ""
	case c.name != "":
		return "; nobody has it open, and it stays until rmdir"
	}
	at, _, ok := c.expiry()
	switch {
	case ok:
		return fmt.Sprintf("; nobody has it open, and it will be closed in %s", forHowLong(max(0, at-c.stack.now)))
	case c.detached && c.children > 0:
		return fmt.Sprintf("; nobody has it open, and it stays for the %s that it took", many(c.children, "call", "calls"))
	}
	if c.detached && c.keep == keepForever && !c.closing {
		return "; nobody has it open, and it is kept for ever"
	}
	return "; nobody has it open"
}

// life is the word of status for what a conversation lives by.
func (c *Conv) life() string {
	switch {
	case c.name != "":
		return "rmdir"
	case c.detached && c.keep == keepForever:
		return "keep forever"
	case c.detached:
		return fmt.Sprintf("keep %v", c.keep)
	}
	return "handles"
}

// why says the same of a record of TIME-WAIT.
func (w *timeWait) why(now time.Duration) string {
	return fmt.Sprintf("Time_wait for %s: %s; only this record is left", forHowLong(now-w.since), waitWords(w.tcp.Deadline()-now))
}
