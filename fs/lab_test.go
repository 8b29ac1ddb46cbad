package fs

// Switches, links and their captures in the tree.

import (
	"fmt"
	"strings"
	"testing"
)

// room is alice and bob with a link and a switch between them, and the root on
// that switch.
const room = `cd $NET; mkdir view/alice view/bob link/wire switch/lan
	echo nic link:wire 10.1.0.1/24 >view/alice/ctl
	printf 'nic link:wire 10.1.0.2/24\nnic switch:lan 10.2.0.2/24\nipifc/2: add 10.3.0.2/24\nipifc/2: add fd00::2/64\nctl: ip.forward on\niproute: add 10.9.0.0/16 10.2.0.1\n' >view/bob/ctl
	exec 3<>ipifc/clone; read n <&3; echo bind ether switch:lan >&3; echo add 10.2.0.1/24 >&3
	ping() { head -n "$2" $1/icmp/dial/$3 2>/dev/null | grep -c ms; }
`

func TestRoom(t *testing.T) {
	w := newWorld(t)
	w.want(room+`ping view/alice/net 2 10.1.0.2; ping . 1 10.2.0.2; ls link switch link/wire switch/lan`,
		"2\n1\nlink:\nwire\n\nlink/wire:\nctl\nsnoop\nstats\n\nswitch:\nlan\n\nswitch/lan:\nctl\nports\nstats\ntable\n")
	w.want(`cd $NET; head -n2 link/wire/stats; grep -E '^(stations|ports|table)' switch/lan/stats; cut -d' ' -f1,2 switch/lan/ports; cut -d' ' -f2 switch/lan/table | sort; cat link/wire/ctl`,
		"a: view/alice/net/ipifc/1\nb: view/bob/net/ipifc/1\nports: 2\nstations: 2\ntable full: 0\n"+
			"switch:lan/1 view/bob/net/ipifc/2\nswitch:lan/2 ipifc/2\nswitch:lan/1\nswitch:lan/2\nimpair off\n")
	w.want(`cd $NET; head -n1 view/bob/net/ipifc/1/status 2>/dev/null | cut -d' ' -f1,2; head -n1 ipifc/2/status | cut -d' ' -f1,2`, "device link:wire/b\ndevice switch:lan/2\n")

	// What a ctl reads is what makes it again.
	want := w.ok(`cat $NET/view/bob/ctl`)
	if !strings.HasSuffix(want, "nic link:wire/b 10.1.0.2/24\nnic switch:lan 10.2.0.2/24\nipifc/2: add 10.3.0.2/24\nipifc/2: add fd00::2/64\niproute: add 10.9.0.0/16 10.2.0.1 0\nctl: ip.forward on\n") {
		t.Errorf("bob's ctl is\n%s", want)
	}
	again := w.ok(`cd $NET; b=$(cat view/bob/ctl; echo .); rmdir view/bob; mkdir view/bob
		until ! grep -q bob link/wire/stats; do sleep .01; done; printf '%s' "${b%.}" >view/bob/ctl; cat view/bob/ctl`)
	if again != want {
		t.Errorf("made again, bob's ctl is\n%s\nnot\n%s", again, want)
	}
	// A line that is in force succeeds; off takes the NIC away, and the end is free.
	w.ok(`cd $NET/view/alice; echo nic link:wire 10.1.0.1/24 >ctl; echo nic link:wire/a 10.1.0.1/24 >ctl; grep -c '^nic' ctl | grep -x 1
		echo nic link:wire off >ctl; ! grep '^nic' ctl; grep -x 'a: -' ../../link/wire/stats; echo nic link:wire/a >ctl; grep -x 'nic link:wire/a' ctl`)
	for line, words := range map[string]string{
		"nic link:wire 10.7.0.1/24":          "has link:wire/a already",
		"nic link:wire/b":                    "view/bob/net/ipifc/1 is plugged into link:wire/b",
		"nic link:wire/c":                    "the ends a and b",
		"nic link:none":                      "mkdir link/none makes it",
		"nic switch:none 10.0.0.1/24":        "mkdir switch/none makes it",
		"nic switch:lan nonsense":            "nonsense",
		"nic switch:lan 10.7.0.1/24 8.8":     "gateway",
		"nic switch:lan 10.7.0.1/24 8.8.8.8": "another address in 10.7.0.0/24",
		"nic switch:lan 10.7.0.1/24 x y":     "too",
		"nic switch:lan off":                 "has no NIC",
		"nic":                                "is wanted",
		"nic what":                           "no such NICs",
	} {
		if r := w.sh("echo " + line + " >$NET/view/alice/ctl"); r.code == 0 {
			t.Errorf("%s was taken", line)
		}
		if log := w.ok("tail -n1 $NET/view/alice/log"); !strings.Contains(log, words) {
			t.Errorf("%s: the log says %q", line, log)
		}
	}
	w.want(`cd $NET; grep '^nic' view/alice/ctl; wc -l <switch/lan/ports`, "nic link:wire/a\n2\n")

	// Nothing goes that somebody is plugged into; whoever goes holds nothing back.
	for _, dir := range []string{"link/wire", "switch/lan"} {
		if r := w.sh("rmdir $NET/" + dir); !strings.Contains(r.err, "busy") {
			t.Errorf("rmdir %s: %+v", dir, r)
		}
		w.ok(fmt.Sprintf("grep -q 'rmdir %s: .*plugged in' $NET/log", dir))
	}
	w.want(`cd $NET; rmdir view/alice view/bob; echo unbind >ipifc/2/ctl; rmdir link/wire switch/lan; ls link switch; ls -d link/wire 2>&1 | grep -c 'No such'`, "link:\n\nswitch:\n1\n")
}

func TestFixturesAreNamedAndOwned(t *testing.T) {
	w := newWorld(t)
	w.ok("mkdir $NET/link/wire $NET/switch/sw $NET/view/v")
	for script, words := range map[string]string{
		"mkdir $NET/link/wire": "File exists", "mkdir $NET/link/7": "Invalid argument", "mkdir $NET/switch/.x": "Invalid argument",
		"mkdir $NET/switch/$(printf %300s | tr ' ' x)": "File name too long", "rmdir $NET/switch/no": "No such file",
		"mkdir $NET/link/wire/x": "not permitted", "rmdir $NET/link": "not permitted", "mkdir $NET/view/v/net/link": "not permitted",
		"echo impair loss 200% >$NET/link/wire/ctl": "Invalid argument", "echo impair c loss 1% >$NET/link/wire/ctl": "Invalid argument",
		"echo what >$NET/link/wire/ctl": "Invalid argument", "echo plug tap:x >$NET/switch/sw/ctl": "Invalid argument",
	} {
		if r := w.sh(script); !strings.Contains(r.err, words) {
			t.Errorf("%s: %+v", script, r)
		}
	}
	w.want("cat $NET/link/wire/ctl; grep -c 'want 0% to 100%' $NET/log; stat -c %a $NET/link/wire/ctl $NET/link/wire/snoop $NET/ipifc/1/snoop", "impair off\n1\n644\n400\n400\n")
	for _, script := range []string{"mkdir $NET/link/mine", "mkdir $NET/switch/mine", "rmdir $NET/link/wire", "echo impair off >$NET/link/wire/ctl", "cat $NET/link/wire/snoop", "cat $NET/ipifc/1/snoop"} {
		if r := w.run(1000, nil, "bash", "-c", script); !strings.Contains(r.err, "ermi") {
			t.Errorf("a stranger's %s: %+v", script, r)
		}
	}
}

// impair reads back as set, on a link and on an interface, and bad words change
// nothing.
func TestImpair(t *testing.T) {
	w := newWorld(t)
	const all = "delay 50ms jitter 5ms loss 1% dup 0.1% reorder 1% corrupt 0.01% rate 10mbit queue 100 seed 42"
	w.want(room+`cd link/wire; echo impair `+all+` >ctl; cat ctl; echo impair b off >ctl; cat ctl; ! echo impair a loss 1 >ctl 2>/dev/null; head -n1 ctl; echo impair off >ctl; cat ctl`,
		"impair "+all+"\nimpair a "+all+"\nimpair b off\nimpair a "+all+"\nimpair off\n")
	w.want(`cd $NET; echo impair out `+all+` >ipifc/2/ctl; grep ^impair ipifc/2/stats; ! echo impair out delay soon >ipifc/2/ctl 2>/dev/null; grep '^impair out' ipifc/2/stats; echo impair off >ipifc/2/ctl; grep ^impair ipifc/2/stats`,
		"impair in: off\nimpair out: "+all+"\nimpair out: "+all+"\nimpair in: off\nimpair out: off\n")
	w.ok(`cd $NET/view/alice; echo ipifc/1: impair in loss 100% >ctl; grep -E '^ipifc/1: impair in loss 100% seed [0-9]+$' ctl`)
	w.want(`cd $NET/view/alice; timeout 1 cat net/icmp/dial/10.1.0.2 | grep -c ms || true; grep '^in lost: [1-9]' net/ipifc/1/stats | wc -l`, "0\n1\n")
}

// A capture is read while it grows; it ends with its link, or Ctrl-C.
func TestSnoop(t *testing.T) {
	w := newWorld(t)
	w.want(room+`
		exec 4<link/wire/snoop 5<view/bob/net/ipifc/1/snoop
		ping view/alice/net 2 10.1.0.2
		timeout 5 tcpdump -c 4 -n -r - icmp <&4 2>/dev/null | grep -c 'echo reply'
		timeout 5 tcpdump -c 4 -n -r - icmp <&5 2>/dev/null | grep -c 'echo reply'`, "2\n2\n2\n")
	w.want(`cd $NET; timeout -s INT 0.2 cat link/wire/snoop >/dev/null || echo $?; exec 4<view/bob/net/ipifc/1/snoop; (cat <&4 2>/dev/null >/dev/null || echo gone) & exec 4<&-; rmdir view/bob view/alice; wait
		exec 4<link/wire/snoop; (timeout 5 tcpdump -r - <&4 2>/dev/null; echo $?) & exec 4<&-; rmdir link/wire; wait`, "124\ngone\n0\n")
}

// poll says when there is something to read.
func TestSnoopPoll(t *testing.T) {
	w := newWorld(t)
	w.want(room+`exec 4<link/wire/snoop
		python3 - <<'END'
import os, select, subprocess
p = select.poll(); p.register(4, select.POLLIN)
print(len(p.poll(2000))); os.read(4, 65536)
print(len(p.poll(100)))
ping = subprocess.Popen(["head", "-n1", "view/alice/net/icmp/dial/10.1.0.2"], stdout=subprocess.DEVNULL)
print(len(p.poll(5000))); ping.wait()
os.set_blocking(4, False)
while p.poll(0): os.read(4, 65536)
try: os.read(4, 1)
except BlockingIOError: print("EAGAIN")
END`, "1\n0\n1\nEAGAIN\n")
}

// Two switches are joined by one link, not by two.
func TestJoinedSwitches(t *testing.T) {
	w := newWorld(t)
	w.want(`cd $NET; mkdir switch/one switch/two switch/three link/x link/y link/z view/a view/b
		echo plug link:x >switch/one/ctl; echo plug link:x >switch/two/ctl; echo plug link:x >switch/two/ctl
		echo plug link:y >switch/two/ctl; echo plug link:y >switch/three/ctl
		echo plug link:z >switch/one/ctl
		for s in one two three; do ! echo plug link:z 2>/dev/null >switch/$s/ctl || cat switch/$s/ctl; done
		echo nic switch:one 10.1.0.1/24 >view/a/ctl; echo nic switch:three 10.1.0.2/24 >view/b/ctl
		head -n1 view/a/net/icmp/dial/10.1.0.2 2>/dev/null | grep -c ms; grep -c 'close a loop' log
		echo unplug link:y >switch/three/ctl; cat switch/three/ctl; echo plug link:z >switch/three/ctl; cat switch/three/ctl; head -n1 view/b/net/icmp/dial/10.1.0.1 2>/dev/null | grep -c ms`,
		"plug link:x/a\nplug link:z/a\n1\n2\nplug link:z/b\n1\n")
}
