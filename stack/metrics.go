package stack

// The file metrics: everything that is counted, in Prometheus's text format. What
// there is is copied under the lock and printed without it. The names come from
// the counters' own, so that no counter is forgotten.

import (
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"slashnet/arp"
	"slashnet/ndp"
	"slashnet/nic"
	"slashnet/stack/reasm"
)

// A measurement is what metrics prints, of one moment.
type measurement struct {
	counts Counters
	reasm  reasm.Stats
	usage  usage
	shares []share
	timers int
	states []stateCount
	ifaces []ifaceCount
}

type stateCount struct {
	proto, state string
	n            int
}

type ifaceCount struct {
	labels string
	device struct{ RxFrames, RxBytes, TxFrames, TxBytes, TxErrors uint64 }
	drops  dropCounters
	arp    arp.Stats
	nd     ndp.Stats
}

func (s *Stack) measure() measurement {
	m := measurement{counts: s.counts, reasm: s.reasm.Stats(), usage: s.usage, shares: s.shares(), timers: len(s.timers)}
	for _, pr := range s.protos {
		for _, state := range slices.Sorted(maps.Keys(pr.states)) {
			m.states = append(m.states, stateCount{pr.name, state, pr.states[state]})
		}
	}
	for _, n := range s.ifnums() {
		i := s.ifaces[n]
		c := ifaceCount{labels: fmt.Sprintf("interface=%q,device=%q", strconv.Itoa(n), i.deviceName()), drops: i.drops}
		c.device.RxFrames, c.device.RxBytes = i.in.frames, i.in.bytes
		c.device.TxFrames, c.device.TxBytes, c.device.TxErrors = i.sent.frames.Load(), i.sent.bytes.Load(), i.sent.errors.Load()
		if i.arp != nil {
			c.arp = i.arp.Stats()
		}
		if i.ip6 != nil {
			c.nd = i.ip6.cache.Stats()
		}
		m.ifaces = append(m.ifaces, c)
	}
	return m
}

// MetricsText is the file metrics: the stack's counters, and what it holds.
func (s *Stack) MetricsText() string {
	s.lock()
	m := s.measure()
	s.unlock()
	var e exposition
	e.counters("", "the file stats", []any{m.counts}, nil)
	for _, group := range []struct {
		prefix, file string
		counters     any
	}{
		{"ip_", "the file stats", m.counts.IP}, {"icmp_", "icmp/stats", m.counts.ICMP}, {"icmpv6_", "icmpv6/stats", m.counts.ICMPv6}, {"udp_", "udp/stats", m.counts.UDP},
		{"tcp_", "tcp/stats", m.counts.TCP}, {"tcp_", "tcp/stats", m.counts.Tables}, {"reassembly_", "the file stats", m.reasm},
	} {
		e.counters(group.prefix, group.file, []any{group.counters}, nil)
	}
	e.icmp("icmp", &m.counts.ICMP)
	e.icmp("icmpv6", &m.counts.ICMPv6)
	e.family("reassembly_fragments_total", "counter", "Fragments, by what became of them.")
	for v, n := range m.reasm.Fragments {
		e.sample(fmt.Sprintf("verdict=%q", reasm.Verdict(v)), n)
	}
	e.interfaces(m.ifaces)
	e.family("conversations", "gauge", "Conversations by state; Time_wait includes those of which only a record is left.")
	for _, c := range m.states {
		e.sample(fmt.Sprintf("proto=%q,state=%q", c.proto, c.state), c.n)
	}
	e.gauge("operations", "Operations that wait.", m.usage.ops)
	e.family("used", "gauge", "What is in use of each limit.")
	for _, l := range m.shares {
		e.sample(fmt.Sprintf("limit=%q", l.name), l.used)
	}
	e.family("limit", "gauge", "The knobs named limit.")
	for _, l := range m.shares {
		e.sample(fmt.Sprintf("limit=%q", l.name), l.limit)
	}
	e.gauge("timers", "Timers that run.", m.timers)
	return e.String()
}

// ProcessMetrics are those of the process that all its stacks live in.
func ProcessMetrics() string {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(heap)
	var e exposition
	e.gauge("process_goroutines", "Goroutines of the daemon.", runtime.NumGoroutine())
	e.gauge("process_heap_bytes", "Bytes of live and not yet collected objects.", heap[0].Value.Uint64())
	e.gauge("process_memory_bytes", "Bytes that the runtime has mapped.", heap[1].Value.Uint64())
	return e.String()
}

// MetricsText is what metrics says of the switches and links.
func (h *Host) MetricsText() string {
	h.lock()
	defer h.unlock()
	var cables, tables []any
	var cableLabels, tableLabels []string
	for _, l := range h.links.all() {
		for _, from := range []nic.CableEnd{nic.EndA, nic.EndB} {
			cables = append(cables, l.cable.Stats(from))
			cableLabels = append(cableLabels, fmt.Sprintf("link=%q,from=%q", l.name, from.String()))
		}
	}
	for _, w := range h.switches.all() {
		tables = append(tables, w.sw.Stats())
		tableLabels = append(tableLabels, fmt.Sprintf("switch=%q", w.name))
	}
	var e exposition
	e.counters("link_", "link/NAME/stats", cables, cableLabels)
	e.counters("switch_", "switch/NAME/stats", tables, tableLabels)
	return e.String()
}

// An exposition is a text in Prometheus's format, version 0.0.4.
type exposition struct {
	strings.Builder
	name string // of the family
}

func (e *exposition) family(name, kind, help string) {
	e.name = "slashnet_" + name
	fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n", e.name, help, e.name, kind)
}

// sample is a line of the family; labels are as in `proto="tcp"`.
func (e *exposition) sample(labels string, value any) {
	if labels != "" {
		labels = "{" + labels + "}"
	}
	fmt.Fprintf(e, "%s%s %v\n", e.name, labels, value)
}

func (e *exposition) gauge(name, help string, value any) {
	e.family(name, "gauge", help)
	e.sample("", value)
}

// counters prints the fields of a struct: those of 64 bits only grow, an int goes
// up and down. Several structs of a type differ in their labels.
func (e *exposition) counters(prefix, file string, structs []any, labels []string) {
	if len(structs) == 0 {
		return
	}
	for _, field := range reflect.VisibleFields(reflect.TypeOf(structs[0])) {
		name := prefix + snake(field.Name)
		switch field.Type.Kind() {
		case reflect.Uint64:
			e.family(name+"_total", "counter", field.Name+", as in "+file+".")
		case reflect.Int:
			e.family(name, "gauge", field.Name+", as in "+file+".")
		default:
			continue
		}
		for n, s := range structs {
			label := ""
			if labels != nil {
				label = labels[n]
			}
			e.sample(label, reflect.ValueOf(s).FieldByIndex(field.Index))
		}
	}
}

func (e *exposition) icmp(proto string, c *ICMPCounters) {
	for _, way := range []struct {
		name, help string
		counts     *[256]uint32
	}{{proto + "_in_total", "Messages of " + proto + " received, by type.", &c.In}, {proto + "_out_total", "Messages of " + proto + " sent, by type.", &c.Out}} {
		e.family(way.name, "counter", way.help)
		for t, n := range way.counts {
			if n > 0 {
				e.sample(fmt.Sprintf(`type="%d"`, t), n)
			}
		}
	}
}

func (e *exposition) interfaces(list []ifaceCount) {
	var labels []string
	var devices, arps, nds []any
	for i := range list {
		labels = append(labels, list[i].labels)
		devices, arps, nds = append(devices, list[i].device), append(arps, list[i].arp), append(nds, list[i].nd)
	}
	e.counters("interface_", "ipifc/N/stats", devices, labels)
	e.counters("arp_", "ipifc/N/stats", arps, labels)
	e.counters("nd_", "ipifc/N/stats", nds, labels)
	e.family("interface_drops_total", "counter", "Frames and datagrams that went no further, by reason.")
	for i := range list {
		for r := dropReason(1); r < dropReasons; r++ {
			e.sample(fmt.Sprintf("%s,reason=%q", list[i].labels, dropNames[r]), list[i].drops[r])
		}
	}
}

// snake makes out_rsts of OutRsts, paws_dropped of PAWSDropped and reasm_oks of
// ReasmOKs.
func snake(name string) string {
	name = strings.ReplaceAll(strings.ReplaceAll(name, "OKs", "Oks"), "ACKs", "Acks")
	var b strings.Builder
	for i, r := range name {
		upper := unicode.IsUpper(r)
		starts := i > 0 && upper && (unicode.IsLower(rune(name[i-1])) || i+1 < len(name) && unicode.IsLower(rune(name[i+1])))
		if starts {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
