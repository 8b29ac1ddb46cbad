package stack

// Records: all there is to know of a conversation at one moment. The file status
// prints one as lines of a word and a value, status.json as an object with the
// same words, all.json the records of a whole protocol.

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"slashnet/wire"
)

// A Record is a consistent picture of a conversation. Its words are in the tags,
// once, for status and for JSON.
type Record struct {
	Proto  string   `json:"proto"`
	Number int      `json:"number"`
	Name   string   `json:"name,omitempty"` // given by mkdir
	UID    uint32   `json:"uid"`            // of the owner
	GID    uint32   `json:"gid"`
	State  string   `json:"state"`
	Local  hostPort `json:"local"`
	Remote hostPort `json:"remote"`
	Idle   seconds  `json:"idle"` // since the last change of state or traffic
	QIn    int      `json:"qin"`  // unread bytes
	QOut   int      `json:"qout"` // unsent or unacknowledged bytes

	*QueueRecord
	*ListenRecord
	*TCPRecord

	Set *SettingsRecord `json:"set,omitempty"`

	Open    int   `json:"open"`    // handles
	Waiting int   `json:"waiting"` // parked operations
	TTL     uint8 `json:"ttl"`
	TOS     uint8 `json:"tos"`

	FromTTL     uint8    `json:"fromttl,omitempty"` // with what the last datagram came
	FromTOS     uint8    `json:"fromtos,omitempty"`
	FromOptions hexBytes `json:"fromoptions,omitempty"`

	Life   string   `json:"life"`           // what it lives by
	Ends   *seconds `json:"ends,omitempty"` // until its clock runs out
	EndsBy string   `json:"endsby,omitempty"`
	Why    string   `json:"why"`
}

// A QueueRecord is the part of a conversation of datagrams.
type QueueRecord struct {
	Datagrams int      `json:"datagrams"`        // unread
	Groups    []string `json:"groups,omitempty"` // joined, and on which interface
}

// A ListenRecord is the part of one that takes calls.
type ListenRecord struct {
	Calls      int `json:"calls"`      // that nobody has taken
	Handshakes int `json:"handshakes"` // under way
	Backlog    int `json:"backlog"`    // the limit of each
	Taken      int `json:"taken"`      // calls that live
}

// A TCPRecord is the part of a connection: bytes, segments and times.
type TCPRecord struct {
	Cwnd       int      `json:"cwnd"`
	SSThresh   int      `json:"ssthresh"` // 0 before the first loss
	SRTT       seconds  `json:"srtt"`
	RTTVar     seconds  `json:"rttvar"`
	MinRTT     seconds  `json:"minrtt"`
	RTO        seconds  `json:"rto"`
	InFlight   int      `json:"inflight"`
	Retrans    uint64   `json:"retrans"` // segments sent again
	Retries    int      `json:"retries"` // time-outs in a row
	Lost       int      `json:"lost"`
	SACKed     int      `json:"sacked"`
	OutOfOrder int      `json:"outoforder"`
	MSS        int      `json:"mss"`
	MTU        int      `json:"mtu"`    // of the path, as far as is known
	WScale     [2]int   `json:"wscale"` // the peer's, ours
	Options    []string `json:"options"`
	SndWnd     int      `json:"sndwnd"`
	RcvWnd     int      `json:"rcvwnd"`
	SndBuf     int      `json:"sndbuf"` // limits of the queues, as they are now
	RcvBuf     int      `json:"rcvbuf"`
	Urgent     int      `json:"urgent,omitempty"` // unread bytes up to the end of urgent data
	CC         string   `json:"cc"`
	Recovery   string   `json:"recovery"`
	BytesIn    uint64   `json:"bytesin"`
	BytesOut   uint64   `json:"bytesout"`
	SegsIn     uint64   `json:"segsin"`
	SegsOut    uint64   `json:"segsout"`
	Probes     int      `json:"probes"` // keep-alives without an answer
	Timer      struct { // those that run
		Rexmit *seconds `json:"rexmit,omitempty"`
		DelAck *seconds `json:"delack,omitempty"`
		Keep   *seconds `json:"keep,omitempty"`
		Wait   *seconds `json:"wait,omitempty"`
	} `json:"timer"`
}

// A SettingsRecord is what verbs have set, under their names.
type SettingsRecord struct {
	NoDelay      toggle   `json:"nodelay,omitempty"`
	Cork         toggle   `json:"cork,omitempty"`
	QuickAck     toggle   `json:"quickack,omitempty"`
	KeepAlive    toggle   `json:"keepalive,omitempty"`
	KeepIdle     seconds  `json:"keepidle,omitempty"`
	KeepIntvl    seconds  `json:"keepintvl,omitempty"`
	KeepCnt      int      `json:"keepcnt,omitempty"`
	UserTimeout  seconds  `json:"usertimeout,omitempty"`
	Retries      string   `json:"retries,omitempty"`
	SndBuf       int      `json:"sndbuf,omitempty"`
	RcvBuf       int      `json:"rcvbuf,omitempty"`
	MSS          int      `json:"mss,omitempty"`
	Linger       *seconds `json:"linger,omitempty"`
	CC           string   `json:"cc,omitempty"`
	RTimeout     seconds  `json:"rtimeout,omitempty"`
	IgnoreAdvice toggle   `json:"ignoreadvice,omitempty"`
	Headers      toggle   `json:"headers,omitempty"`
	IPOptions    string   `json:"ipoptions,omitempty"`
	Bind         string   `json:"bind,omitempty"`
}

// settings are nil if there are none.
func (c *Conv) settings() *SettingsRecord {
	o := &c.opts
	r := SettingsRecord{
		NoDelay: toggle(o.noDelay), Cork: toggle(o.cork), QuickAck: toggle(o.quickAck),
		KeepAlive: toggle(o.keepAlive), KeepIdle: seconds(o.keepIdle), KeepIntvl: seconds(o.keepIntvl), KeepCnt: o.keepCount,
		UserTimeout: seconds(o.userTimeout), SndBuf: o.sndBuf, RcvBuf: o.rcvBuf, MSS: o.mss, CC: o.cc,
		RTimeout: seconds(c.readTimeout), IgnoreAdvice: toggle(c.ignoreAdvice), Headers: toggle(c.headers),
		IPOptions: hexBytes(c.ipOptions).String(),
	}
	if o.lingerOn {
		d := seconds(o.linger)
		r.Linger = &d
	}
	switch {
	case o.retries < 0:
		r.Retries = "forever"
	case o.retries > 0:
		r.Retries = strconv.Itoa(o.retries)
	}
	if c.bound.IsValid() {
		r.Bind = bang(c.bound)
	}
	if r == (SettingsRecord{}) {
		return nil
	}
	return &r
}

// record takes the picture.
func (c *Conv) record() Record {
	s := c.stack
	r := Record{Proto: c.proto.name, Number: c.num, Name: c.name, UID: c.owner.UID, GID: c.owner.GID, State: c.proto.state(c),
		Local: hostPort(c.local), Remote: hostPort(c.remote), Idle: seconds(s.now - c.changed), QIn: c.proto.unread(c), Set: c.settings(),
		Open: c.held, Waiting: c.parked.n, TTL: c.ttl, TOS: c.tos, FromTTL: c.heard.ttl, FromTOS: c.heard.tos, FromOptions: c.heard.options, Life: c.life(), Why: c.why()}
	if at, why, ok := c.expiry(); ok {
		r.Ends, r.EndsBy = s.until(at), why
	}
	if c.phase == announced && !c.headers {
		r.ListenRecord = &ListenRecord{len(c.calls), len(c.embryos), c.backlog, c.children}
	}
	switch {
	case c.tcb != nil:
		r.tcp(c)
	case c.proto.num != wire.TCP:
		r.QueueRecord = &QueueRecord{len(c.datagrams.items), c.groupsText()}
	}
	return r
}

func (r *Record) tcp(c *Conv) {
	s, st := c.stack, c.tcb.Stats()
	r.QOut = st.QOut
	t := &TCPRecord{
		Cwnd: st.Cwnd, SSThresh: st.SSThresh, SRTT: seconds(st.SRTT), RTTVar: seconds(st.RTTVar), MinRTT: seconds(st.MinRTT), RTO: seconds(st.RTO),
		InFlight: st.InFlight, Retrans: st.Retrans, Retries: st.Backoff, Lost: st.Lost, SACKed: st.SACKed, OutOfOrder: st.OutOfOrder,
		MSS: st.MSS, MTU: st.MTU, WScale: [2]int{st.SndScale, st.RcvScale}, Options: optionList(st), SndWnd: st.SndWnd, RcvWnd: st.RcvWnd, SndBuf: st.SndBuf, RcvBuf: st.RcvBuf, Urgent: st.Urgent,
		CC: st.CC, Recovery: st.Recovery, BytesIn: st.BytesIn, BytesOut: st.BytesOut, SegsIn: st.SegsIn, SegsOut: st.SegsOut, Probes: st.KeepProbes,
	}
	t.Timer.Rexmit, t.Timer.DelAck = s.until(st.RexmitAt), s.until(st.DelAckAt)
	t.Timer.Keep, t.Timer.Wait = s.until(st.KeepAt), s.until(st.WaitAt)
	r.TCPRecord = t
}

// record is what there is to know of a connection in TIME-WAIT.
func (w *timeWait) record(pr *protocol) Record {
	return Record{Proto: pr.name, Number: w.num, UID: w.owner.UID, GID: w.owner.GID, State: "Time_wait",
		Local: hostPort(w.flow.local), Remote: hostPort(w.flow.remote), Idle: seconds(pr.stack.now - w.since),
		Life: "time-wait", Ends: pr.stack.until(w.tcp.Deadline()), Why: w.why(pr.stack.now)}
}

// Record is the picture of one conversation, which may be in TIME-WAIT and have
// nothing else left.
func (s *Stack) Record(p wire.Proto, num int) (Record, bool) {
	s.lock()
	defer s.unlock()
	pr := s.proto(p)
	if c := pr.convs[num]; c != nil {
		return c.record(), true
	}
	if w := pr.waits.byNum[num]; w != nil {
		return w.record(pr), true
	}
	return Record{}, false
}

// Records are the pictures of the conversations with numbers above after, in
// order, at most max of them, all of one moment.
func (s *Stack) Records(p wire.Proto, after, max int) []Record {
	s.lock()
	defer s.unlock()
	pr := s.proto(p)
	var rows []Record
	pr.walk(after, max, func(c *Conv, w *timeWait) {
		if c != nil {
			rows = append(rows, c.record())
		} else {
			rows = append(rows, w.record(pr))
		}
	})
	return rows
}

// recordsAtOnce are copied under the lock together: half a millisecond's worth.
const recordsAtOnce = 128

// AllJSON is the file all.json: an array of the records of a protocol, one a
// line, each consistent in itself. Beyond limit bytes it breaks off: that is more
// than its reader will keep.
func (s *Stack) AllJSON(p wire.Proto, limit int) string {
	var b strings.Builder
	b.WriteString("[")
	for after, sep := -1, "\n"; b.Len() <= limit; {
		rows := s.Records(p, after, recordsAtOnce)
		for i := range rows {
			b.WriteString(sep)
			b.Write(rows[i].JSON())
			after, sep = rows[i].Number, ",\n"
			runtime.Gosched() // whoever carries bytes goes first
		}
		if len(rows) < recordsAtOnce {
			b.WriteString("\n]\n")
			break
		}
	}
	return b.String()
}

// JSON is the record as one object.
func (r *Record) JSON() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // of numbers, strings and the types below
	}
	return b
}

// Text is the record as lines of a word and a value.
func (r *Record) Text() string {
	var b strings.Builder
	writeFields(&b, "", reflect.ValueOf(r).Elem())
	return b.String()
}

// writeFields prints what JSON would hold, nested words with a dot between.
func writeFields(b *strings.Builder, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f, field := v.Field(i), v.Type().Field(i)
		word, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		} else if option == "omitempty" && f.IsZero() {
			continue
		}
		_, printable := f.Interface().(fmt.Stringer)
		switch {
		case field.Anonymous:
			writeFields(b, prefix, f)
		case f.Kind() == reflect.Struct && !printable:
			writeFields(b, prefix+word+".", f)
		default:
			fmt.Fprintf(b, "%s%s %s\n", prefix, word, valueText(f))
		}
	}
}

func valueText(v reflect.Value) string {
	text := fmt.Sprint(v.Interface())
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return text
	}
	if v.Len() == 0 {
		return "none"
	}
	return strings.Trim(text, "[]")
}

// seconds are a time that JSON holds as a number of them.
type seconds time.Duration

func (d seconds) String() string { return time.Duration(d).String() }

func (d seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(d).Seconds(), 'f', -1, 64), nil
}

// toggle is a switch as ctl takes it; true or absent in JSON.
type toggle bool

func (on toggle) String() string { return onOff(bool(on)) }

// until is the time left of a timer, nil if it does not run.
func (s *Stack) until(at time.Duration) *seconds {
	if at == 0 {
		return nil
	}
	left := seconds(max(0, at-s.now))
	return &left
}

// hexBytes are bytes that are printed in hexadecimal.
type hexBytes []byte

func (b hexBytes) String() string { return hex.EncodeToString(b) }

// MarshalText makes JSON hold the same text.
func (b hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// A hostPort is an address and a port, null in JSON if there is none.
type hostPort netip.AddrPort

func (e hostPort) String() string { return bang(netip.AddrPort(e)) }

func (e hostPort) MarshalJSON() ([]byte, error) {
	a := netip.AddrPort(e)
	if !a.IsValid() {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, `{"addr":%q,"port":%d}`, a.Addr(), a.Port()), nil
}
