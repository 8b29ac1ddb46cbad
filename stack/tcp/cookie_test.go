package tcp

import (
	"encoding/binary"
	"hash/fnv"
	"testing"
	"time"

	"slashnet/wire"
)

// testMAC is a hash with a key, as good as a test needs it.
func testMAC(key uint64) MAC {
	return func(numbers ...uint64) uint64 {
		h := fnv.New64a()
		for _, n := range append([]uint64{key}, numbers...) {
			h.Write(binary.BigEndian.AppendUint64(nil, n))
		}
		return h.Sum64()
	}
}

// baked is a call that was answered with a cookie: the answer, and the ACK that
// brings it back.
type baked struct {
	cfg     *Config
	reply   wire.TCPHeader
	ack     wire.TCPHeader
	setup   Setup
	bakedAt time.Duration
}

func bake(cfg *Config, now time.Duration, o wire.TCPOptions) baked {
	b := baked{cfg: cfg, setup: Setup{MTU: 1500, IPHeader: 20}, bakedAt: now}
	syn := wire.TCPHeader{Seq: scriptIRS, Flags: wire.SYN, Window: 65535, Options: o}
	b.reply = b.engine().Cookie(now, b.setup, &syn, testMAC(1))
	b.ack = wire.TCPHeader{Seq: scriptIRS + 1, Ack: b.reply.Seq + 1, Flags: wire.ACK, Window: 1000}
	if b.reply.Options.HasTimestamps {
		b.ack.Options.HasTimestamps = true
		b.ack.Options.TSVal, b.ack.Options.TSEcr = o.TSVal+30, b.reply.Options.TSVal
	}
	return b
}

func (b *baked) engine() *Conn { return NewConn(b.cfg, func() uint64 { return 12345 }) }

// redeem gives the ACK back after d.
func (b *baked) redeem(d time.Duration, key uint64) *Conn {
	c, ack := b.engine(), b.ack
	if !c.Redeem(b.bakedAt+d, b.setup, &ack, testMAC(key)) {
		return nil
	}
	c.Input(b.bakedAt+d, &ack, nil, nil)
	return c
}

func TestRFC4987_AGREED(t *testing.T) {
	for name, tc := range map[string]struct {
		o    wire.TCPOptions
		mss  int
		cfg  func(*Config)
		want agreed
		ws   uint8
	}{
		"nothing":            {mss: 536},
		"all":                {o: wire.TCPOptions{MSS: 1460, SACKPermitted: true, HasWScale: true, WScale: 7, HasTimestamps: true, TSVal: 99}, mss: 1460, want: agreed{sackOK: true, tsOK: true, wsOK: true}, ws: 7},
		"shift 14":           {o: wire.TCPOptions{MSS: 9000, HasWScale: true, WScale: 14, HasTimestamps: true}, mss: 1460, want: agreed{tsOK: true, wsOK: true}, ws: 14},
		"shift 0":            {o: wire.TCPOptions{MSS: 1459, SACKPermitted: true, HasWScale: true, HasTimestamps: true}, mss: 1440, want: agreed{sackOK: true, tsOK: true, wsOK: true}},
		"no window scale":    {o: wire.TCPOptions{MSS: 100, SACKPermitted: true, HasTimestamps: true}, mss: minMSS, want: agreed{sackOK: true, tsOK: true}},
		"without timestamps": {o: wire.TCPOptions{MSS: 1460, SACKPermitted: true, HasWScale: true, WScale: 7}, mss: 1460},
		"ours are off":       {o: wire.TCPOptions{MSS: 1460, SACKPermitted: true, HasWScale: true, WScale: 7, HasTimestamps: true}, mss: 1460, cfg: func(c *Config) { c.SACK, c.WScale = false, false }, want: agreed{tsOK: true}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			if tc.cfg != nil {
				tc.cfg(cfg)
			}
			b := bake(cfg, 10*time.Minute+777*time.Millisecond, tc.o)
			o := b.reply.Options
			if b.reply.Flags != wire.SYN|wire.ACK || b.reply.Ack != scriptIRS+1 || o.MSS != 1460 ||
				o.HasTimestamps != tc.want.tsOK || o.HasWScale != tc.want.wsOK || o.SACKPermitted != tc.want.sackOK {
				t.Errorf("the answer is %+v", b.reply)
			}
			c := b.redeem(time.Second, 1)
			if c == nil {
				t.Fatal("the cookie is refused")
			}
			if c.State() != Established || c.mss != tc.mss || c.shift != tc.ws ||
				c.sackOK != tc.want.sackOK || c.tsOK != tc.want.tsOK || c.wsOK != tc.want.wsOK || c.wnd != 1000<<tc.ws {
				t.Errorf("in %v: mss %d, shift %d, window %d, agreed %+v", c.State(), c.mss, c.shift, c.wnd, c.agreed)
			}
			if c.rcvShift != o.WScale || c.rtt.sampled {
				t.Errorf("our shift is %d, %d was said; an RTT was taken: %v", c.rcvShift, o.WScale, c.rtt.sampled)
			}
			var seg Segment
			c.Write(b.bakedAt+time.Second, []byte("hello"))
			if !c.Output(b.bakedAt+time.Second, &seg) || seg.H.Seq != b.reply.Seq+1 || seg.H.Ack != scriptIRS+1 || seg.Len != 5 ||
				int32(seg.H.Options.TSVal-o.TSVal) < 0 {
				t.Errorf("the first segment is %+v", seg.H)
			}
			seg.Release()
			c.Free()
		})
	}
}

func TestRFC4987_REFUSED(t *testing.T) {
	o := wire.TCPOptions{MSS: 1460, SACKPermitted: true, HasWScale: true, WScale: 7, HasTimestamps: true}
	for name, tc := range map[string]struct {
		after  time.Duration
		key    uint64
		change func(*baked)
		ok     bool
	}{
		"as it is":           {key: 1, ok: true},
		"a minute old":       {key: 1, after: time.Minute, ok: true},
		"two minutes old":    {key: 1, after: 2 * time.Minute},
		"an hour old":        {key: 1, after: time.Hour},
		"of another tuple":   {key: 2},
		"another number":     {key: 1, change: func(b *baked) { b.ack.Ack += 8 }},
		"another MSS":        {key: 1, change: func(b *baked) { b.ack.Ack = (b.ack.Ack-1)&^7 + 7 + 1 }},
		"another caller":     {key: 1, change: func(b *baked) { b.ack.Seq++ }},
		"another shift":      {key: 1, change: func(b *baked) { b.ack.Options.TSEcr ^= 8 }},
		"no timestamps":      {key: 1, change: func(b *baked) { b.ack.Options.HasTimestamps = false }},
		"a larger window":    {key: 1, change: func(b *baked) { b.cfg.RcvBuf = 1 << 30 }},
		"timestamps are off": {key: 1, change: func(b *baked) { b.cfg.Timestamps = false }},
	} {
		t.Run(name, func(t *testing.T) {
			b := bake(DefaultConfig(), time.Hour, o)
			if tc.change != nil {
				tc.change(&b)
			}
			c := b.redeem(tc.after, tc.key)
			if (c != nil) != tc.ok {
				t.Errorf("taken: %v, want %v", c != nil, tc.ok)
			}
			n := b.cfg.Counters
			if n.CookiesSent != 1 || n.CookiesTaken+n.CookiesRefused != 1 || (n.CookiesTaken == 1) != tc.ok {
				t.Errorf("counted %d sent, %d taken, %d refused", n.CookiesSent, n.CookiesTaken, n.CookiesRefused)
			}
		})
	}
}
