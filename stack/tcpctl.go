package stack

// The verbs that only TCP has; ctl.go's command calls tcpControl.

import (
	"fmt"
	"strings"
	"time"

	"slashnet/stack/neterr"
	"slashnet/stack/tcp"
	"slashnet/wire"
)

func (s *Stack) tcpControl(c *Conv, verb string, args []string) (known bool, err error) {
	o := c.opts
	switch verb {
	case "shutdown":
		return true, s.shutdown(c, args)
	case "hangupxmit": // Harvey's word
		return true, s.shutdown(c, []string{"wr"})
	case "keepalive":
		err = o.setKeepAlive(args)
	case "keepidle":
		o.keepIdle, err = oneDuration(verb, args, time.Second)
	case "keepintvl":
		o.keepIntvl, err = oneDuration(verb, args, time.Second)
	case "keepcnt":
		o.keepCount, err = smallNumber(verb, args, 1, 100)
	case "nodelay":
		o.noDelay, err = optionalSwitch(verb, args)
	case "cork":
		o.cork, err = optionalSwitch(verb, args)
	case "quickack":
		o.quickAck, err = optionalSwitch(verb, args)
	case "usertimeout":
		o.userTimeout, err = oneDuration(verb, args, time.Millisecond)
	case "retries":
		o.retries, err = retries(args)
	case "rcvbuf":
		o.rcvBuf, err = s.bufferSize(c, verb, args)
	case "sndbuf":
		o.sndBuf, err = s.bufferSize(c, verb, args)
	case "mss":
		if o.mss, err = smallNumber(verb, args, 88, 65495); err == nil && c.tcb != nil {
			err = neterr.InUse.With("mss is said in the first segment: set it before connect or announce")
		}
	case "linger":
		err = o.setLinger(args)
	case "cc":
		o.cc, err = oneCC(args)
	case "checksum":
		_, err = smallNumber(verb, args, 1, 1)
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	c.opts = o
	if c.tcb != nil {
		o.apply(c.tcb, s.now)
		s.touch(c)
	}
	return true, nil
}

func smallNumber(verb string, args []string, lo, hi uint64) (int, error) {
	n, err := oneNumber(verb, args, lo, hi)
	return int(n), err
}

func optionalSwitch(verb string, args []string) (bool, error) {
	if len(args) == 0 {
		return true, nil
	}
	on, ok := parseOnOff(args[0])
	if !ok || len(args) > 1 {
		return false, neterr.BadArg.With("%s %q: on or off is wanted", verb, clip(strings.Join(args, " ")))
	}
	return on, nil
}

// retries is R2 of a connection (RFC 9293 §3.8.3), below 0 for none.
func retries(args []string) (int, error) {
	if len(args) == 1 && args[0] == "forever" {
		return -1, nil
	}
	return smallNumber("retries", args, 1, 255)
}

// userBuffer is the largest queue that somebody gets who owns neither the tree
// nor the machine: what a queue holds is the daemon's memory.
const userBuffer = 8 << 20

func (s *Stack) bufferSize(c *Conv, verb string, args []string) (int, error) {
	const lo = 4 << 10
	hi := 1 << 30
	if c.owner.UID != 0 && c.owner.UID != s.cfg.Owner.UID {
		hi = userBuffer
	}
	if len(args) == 1 {
		if n, ok := parseSize(args[0]); ok && n >= lo && n <= hi {
			return n, nil
		}
	}
	return 0, neterr.BadArg.With("%s %q: %d-%d bytes are wanted; k, m and g may follow", verb, clip(strings.Join(args, " ")), lo, hi)
}

func oneCC(args []string) (string, error) {
	if len(args) == 1 && (args[0] == "cubic" || args[0] == "newreno") {
		return args[0], nil
	}
	return "", neterr.BadArg.With("cc %q: cubic or newreno is wanted", clip(strings.Join(args, " ")))
}

// setKeepAlive is Plan 9's keepalive [ms], with on and off.
func (o *tcpOptions) setKeepAlive(args []string) error {
	if len(args) == 1 && args[0] == "off" {
		o.keepAlive = false
		return nil
	}
	if len(args) == 1 && args[0] != "on" {
		d, err := oneDuration("keepalive", args, time.Millisecond)
		if err != nil {
			return err
		}
		o.keepIdle = max(d, time.Second)
	} else if len(args) > 1 {
		return neterr.BadControl.With("keepalive [MS|on|off] is wanted")
	}
	o.keepAlive = true
	return nil
}

func (o *tcpOptions) setLinger(args []string) error {
	if len(args) == 1 && args[0] == "off" {
		o.lingerOn = false
		return nil
	}
	d, err := oneDuration("linger", args, time.Second)
	if err != nil {
		return err
	}
	o.linger, o.lingerOn = d, true
	return nil
}

// shutdown closes one direction, or both.
func (s *Stack) shutdown(c *Conv, args []string) error {
	if len(args) != 1 || args[0] != "rd" && args[0] != "wr" && args[0] != "rdwr" {
		return neterr.BadArg.With("shutdown %q: rd, wr or rdwr is wanted", clip(strings.Join(args, " ")))
	}
	if c.tcb == nil || c.phase != connected {
		return neterr.NotConnected.With("tcp/%d is not connected", c.num)
	}
	if args[0] != "rd" {
		c.tcb.CloseWrite(s.now)
		c.opts.writeShut = true
	}
	if args[0] != "wr" {
		c.tcb.CloseRead(s.now)
	}
	s.touch(c)
	return nil
}

// tcpStatus is Plan 9's line.
func (s *Stack) tcpStatus(c *Conv) string {
	var st tcp.Stats
	if c.tcb != nil {
		st = c.tcb.Stats()
	}
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	until := func(at time.Duration) int64 {
		if at == 0 {
			return 0
		}
		return max(0, ms(at-s.now))
	}
	return fmt.Sprintf("%s qin %d qout %d rq 0.%d srtt %d mdev %d sst %d cwin %d swin %d>>%d rwin %d>>%d qscale 0 timer.start %d timer.count %d rerecv 0 katimer.start %d katimer.count %d\n",
		tcpState(c), st.QIn, st.QOut, st.OutOfOrder, ms(st.SRTT), ms(st.RTTVar), st.SSThresh, st.Cwnd, st.SndWnd, st.SndScale, st.RcvWnd, st.RcvScale,
		ms(st.RTO), until(st.RexmitAt), ms(s.keepIdle(c)), until(st.KeepAt))
}

func optionList(st tcp.Stats) []string {
	on := []string{}
	for _, o := range []struct {
		name string
		on   bool
	}{{"sack", st.SACK}, {"timestamps", st.Timestamps}, {"wscale", st.WScale}, {"ecn", st.ECN}, {"usertimeout", st.Patience > 0}} {
		if o.on {
			on = append(on, o.name)
		}
	}
	return on
}

func (s *Stack) keepIdle(c *Conv) time.Duration {
	if c.opts.keepIdle > 0 {
		return c.opts.keepIdle
	}
	return s.knobs.tcp.KeepIdle
}

func (s *Stack) tcpStats() string {
	n := &s.counts.TCP
	t := &s.counts.Tables
	var b strings.Builder
	row := func(name string, v any) { fmt.Fprintf(&b, "%s: %v\n", name, v) }
	row("MaxConn", s.knobs.maxConvs)
	row("ActiveOpens", n.ActiveOpens)
	row("PassiveOpens", n.PassiveOpens)
	row("EstabResets", n.EstabResets)
	row("CurrEstab", t.CurrEstab)
	row("InSegs", n.InSegs)
	row("OutSegs", n.OutSegs)
	row("RetransSegs", n.RetransSegs)
	row("RetransTimeouts", n.RetransTimeouts)
	row("OutRsts", n.OutRsts)
	row("OutOfOrder", n.OutOfOrder)
	row("OutOfOrderDrops", n.OutOfOrderDrops)
	row("DupAcks", n.DupAcks)
	row("MTUProbes", n.MTUProbes)
	row("BlackHoles", n.BlackHoles)
	row("CEMarks", n.CEMarks)
	row("ECNReductions", n.ECNReductions)
	row("Delayack", n.DelayedAcks)
	row("Recovery", n.FastRecovery)
	row("TailProbes", n.TailProbes)
	row("WindowProbes", n.WindowProbes)
	row("KeepAlives", n.KeepAlives)
	row("TimedOut", n.TimedOut)
	row("PAWSDropped", n.PAWSDropped)
	row("NoTimestamp", n.NoTimestamp)
	row("ChallengeAcks", n.ChallengeAcks)
	row("ChallengeHeld", n.ChallengeHeld)
	row("BadAck", n.BadAck)
	row("BadSyn", n.BadSyn)
	row("BadRst", n.BadRst)
	row("NoAck", n.NoAck)
	row("Duplicates", n.Duplicates)
	row("OutsideWindow", n.OutsideWindow)
	row("AfterClose", n.AfterClose)
	row("DeadSegments", n.DeadSegments)
	row("NoConv", t.NoConv)
	row("SynsDropped", t.SynsDropped)
	row("EmbryosEvicted", t.EmbryosEvicted)
	row("CookiesSent", n.CookiesSent)
	row("CookiesTaken", n.CookiesTaken)
	row("CookiesRefused", n.CookiesRefused)
	row("TimeWaits", len(s.proto(wire.TCP).waits.byNum))
	row("TimeWaitsDropped", t.TimeWaitsDropped)
	return b.String()
}
