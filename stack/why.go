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
	ago := forHowLong(c.stack.now - c.changed)
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
		what = fmt.Sprintf("connected to %v", bang(c.remote))
		if n := len(c.datagrams.items); n > 0 {
			what += fmt.Sprintf(", %d datagrams are unread", n)
		}
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
		return fmt.Sprintf("looking up the address of %s", clean(c.attempt.target.host))
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
	return "nobody has written connect or announce to its ctl yet"
}

func (c *Conv) listenWhy() string {
	w := fmt.Sprintf("announced at %v", bang(c.local))
	switch {
	case len(c.calls) > 0:
		w += fmt.Sprintf(", %d calls wait for somebody to open listen", len(c.calls))
		if len(c.calls)+c.embryos >= c.backlog {
			w += fmt.Sprintf("; the backlog of %d is full, new ones are not answered", c.backlog)
		}
	case c.waiting > 0:
		w += ", waiting for a call"
	default:
		w += ", no call yet, and nobody waits for one"
	}
	return w
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
	switch st.State {
	case tcp.Closed:
		return c.idleWhy() + unreadWords(st)
	case tcp.SynSent:
		return fmt.Sprintf("calling %v, %d tries without an answer%s", bang(c.remote), st.Backoff+1, c.softWords())
	case tcp.SynReceived:
		return fmt.Sprintf("%v has called and has not confirmed our answer yet", bang(c.remote))
	case tcp.Established:
		return c.trouble(st, "up with "+bang(c.remote))
	case tcp.CloseWait:
		return c.trouble(st, "the peer has closed and waits for us to close"+unreadWords(st))
	case tcp.FinWait1:
		return c.trouble(st, fmt.Sprintf("we have closed; %d bytes or the end of them are not acknowledged yet", st.QOut))
	case tcp.FinWait2:
		return "we have closed, the peer has seen it and may still send" + unreadWords(st)
	case tcp.Closing:
		return c.trouble(st, "both ends have closed at once; the peer has not acknowledged our end yet")
	case tcp.LastAck:
		return c.trouble(st, "both ends have closed; the peer has not acknowledged our end yet")
	case tcp.TimeWaiting:
		return "both ends have closed; the number is kept so that late segments cannot hit a new connection"
	}
	return st.State.String()
}

// trouble puts what stops the flow before what is normal.
func (c *Conv) trouble(st tcp.Stats, normal string) string {
	now := c.stack.now
	switch {
	case st.Backoff > 0:
		return fmt.Sprintf("%s; retransmitting since %s, %d times without an answer from the peer%s", normal,
			forHowLong(now-st.RetransmittingSince), st.Backoff, c.softWords())
	case st.ZeroWindowSince > 0 && st.QOut > 0:
		return fmt.Sprintf("%s; %d bytes wait for the peer to read: it has shut its window %s ago", normal, st.QOut, forHowLong(now-st.ZeroWindowSince))
	case st.KeepProbes > 0:
		return fmt.Sprintf("%s; %d keep-alive probes without an answer", normal, st.KeepProbes)
	case c.starved:
		return fmt.Sprintf("%s; %d bytes wait for room in the interface's queue", normal, st.QOut)
	case st.QOut > 0 && st.InFlight >= st.SndWnd && st.SndWnd > 0:
		return fmt.Sprintf("%s; sending as fast as the peer's window of %d bytes allows, %d bytes queued", normal, st.SndWnd, st.QOut)
	case st.QOut > 0 && st.InFlight+st.MSS > st.Cwnd:
		return fmt.Sprintf("%s; sending as fast as the network seems to take it (cwnd %d), %d bytes queued", normal, st.Cwnd, st.QOut)
	case st.QOut > 0:
		return fmt.Sprintf("%s; %d bytes sent and not yet acknowledged", normal, st.QOut)
	}
	if st.State == tcp.Established {
		return normal + unreadWords(st)
	}
	return normal
}

func unreadWords(st tcp.Stats) string {
	if st.QIn == 0 {
		return ""
	}
	return fmt.Sprintf(", %d bytes are unread", st.QIn)
}

func (c *Conv) softWords() string {
	if err := c.tcb.SoftErr(); err != nil {
		return fmt.Sprintf(" (%v)", err)
	}
	return ""
}

// keptWhy says what keeps a conversation alive.
func (c *Conv) keptWhy() string {
	switch {
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
		return fmt.Sprintf("; nobody has it open, and it stays for the %d calls it took", c.children)
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
	return fmt.Sprintf("Time_wait for %s: both ends have closed; the number is kept for another %s so that late segments cannot hit a new connection; only this record is left",
		forHowLong(now-w.since), forHowLong(max(0, w.tcp.Deadline()-now)))
}
