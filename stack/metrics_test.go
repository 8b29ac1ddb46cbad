package stack

import (
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"

	"slashnet/wire"
)

// value is a metric as Prometheus reads it; labels are pairs of name and value.
func value(t testing.TB, families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	f := families["slashnet_"+name]
	if f == nil {
		t.Fatalf("no family %s", name)
	}
	for _, m := range f.Metric {
		has := map[string]string{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i < len(labels); i += 2 {
			fits = fits && has[labels[i]] == labels[i+1]
		}
		if fits {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s %v", name, labels)
	return 0
}

func TestMetrics(t *testing.T) {
	a, b := pair(t)
	l := clone(t, b, wire.TCP)
	command(t, l, "announce 80")
	c := clone(t, a, wire.TCP)
	command(t, c, "connect 10.0.0.2:80")
	if err := ctl(t, clone(t, a, wire.TCP), "connect 10.0.0.2:81"); err == nil {
		t.Error("somebody is at 81")
	}
	listen(t, l)
	reader := start(b, &Op{Kind: OpRead, Conv: clone(t, b, wire.TCP), Max: 1})
	wait(t, reader)
	start(b, &Op{Kind: OpStream, Stream: b.Events(nil), Max: 1})

	text := b.MetricsText() + ProcessMetrics()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, m := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"tcp_passive_opens_total", nil, 1},
		{"tcp_no_conv_total", nil, 1},
		{"tcp_out_rsts_total", nil, 1},
		{"tcp_curr_estab", nil, 1},
		{"tcp_paws_dropped_total", nil, 0},
		{"ip_reasm_oks_total", nil, 0},
		{"conversations", []string{"proto", "tcp", "state", "Listen"}, 1},
		{"conversations", []string{"proto", "tcp", "state", "Established"}, 1},
		{"conversations", []string{"proto", "tcp", "state", "Closed"}, 1},
		{"interface_drops_total", []string{"interface", "1", "reason", "no route"}, 0},
		{"arp_replies_total", []string{"interface", "1"}, 1},
		{"reassembly_fragments_total", []string{"verdict", "overlap"}, 0},
		{"operations", nil, 1},
	} {
		if got := value(t, families, m.name, m.labels...); got != m.want {
			t.Errorf("%s%v is %v, want %v", m.name, m.labels, got, m.want)
		}
	}
	for _, name := range []string{"rx_done_total", "process_goroutines", "process_heap_bytes", "timers", "limit", "ip_in_receives_total"} {
		if value(t, families, name) == 0 {
			t.Errorf("%s is 0", name)
		}
	}
	if n := value(t, families, "interface_rx_bytes_total", "interface", "1"); n < 100 {
		t.Errorf("%v bytes received", n)
	}
	// Nothing that stats prints as a number is missing here.
	if len(families) < 90 {
		t.Errorf("only %d families", len(families))
	}
}
