package tcp

import (
	"sort"
	"time"

	"slashnet/wire"
)

// The flight is all sequence space from una to nxt, cut into legs: the SYN, the
// FIN, and each segment as it was sent, of one or of many MSS. It is the
// scoreboard of RFC 6675 and carries the times that RFC 8985 asks for. output.go
// adds to it, ack.go and loss.go work on it.

// A leg is a run of sequence space that was sent at one time.
type leg struct {
	seq, end wire.Seq
	sent     time.Duration
	sacked   bool // has arrived, says the peer
	lost     bool // is to be sent again
	resent   bool // has been sent again: useless for an RTT, RFC 6298 §3 (Karn)
}

func (l *leg) len() int { return int(l.end - l.seq) }

type flight struct {
	legs   fifo[leg]
	sacked int      // bytes
	lost   int      // bytes
	hint   wire.Seq // no leg before it is lost
	last   time.Duration
}

// maxLegs bounds the list: SACK blocks of strange shape cut legs, and a peer may
// be hostile. Beyond it they are not cut any more, which only costs exactness.
const maxLegs = 4096

// A delivery is what an acknowledgement has told us of legs that arrived.
type delivery struct {
	bytes  int           // newly acknowledged or SACKed
	first  time.Duration // when the oldest leg that was never resent left
	clean  bool          // there was one
	resent bool          // legs that were resent are among them
	marked bool          // something was marked: RFC 3168

	twice     bool // something has arrived twice, RFC 2883
	duplicate wire.Seq
}

func (f *flight) add(seq, end wire.Seq, now time.Duration) {
	f.legs.push(leg{seq: seq, end: end, sent: f.stamp(now)})
}

// stamp is the time of a transmission. No two have the same, though a batch is
// sent at one time: what was sent after what is the question that RACK asks.
func (f *flight) stamp(now time.Duration) time.Duration {
	f.last = max(now, f.last+1)
	return f.last
}

// find is the index of the leg that holds seq.
func (f *flight) find(seq wire.Seq) int {
	all := f.legs.all()
	return sort.Search(len(all), func(i int) bool { return seq.Less(all[i].end) })
}

// cut makes seq a border between legs, if it is inside the flight, and returns
// the index of the leg that begins there. ok is false if the list is full.
func (f *flight) cut(seq wire.Seq) (i int, ok bool) {
	i = f.find(seq)
	if i == f.legs.len() || f.legs.at(i).seq == seq || seq.Less(f.legs.at(i).seq) {
		return i, true
	}
	if f.legs.len() >= maxLegs {
		return i, false
	}
	left := *f.legs.at(i)
	left.end = seq
	f.legs.insert(i, left)
	f.legs.at(i + 1).seq = seq
	return i + 1, true
}

// ack takes away all before una. Each leg that had not been known to have
// arrived is shown to seen.
func (f *flight) ack(una wire.Seq, r *rack, d *delivery) {
	for f.legs.len() > 0 {
		l := f.legs.at(0)
		if !l.seq.Less(una) {
			return
		}
		part := *l
		if una.Less(l.end) {
			part.end = una
		}
		n := part.len()
		switch {
		case l.sacked:
			f.sacked -= n
		default:
			if l.lost {
				f.lost -= n
			}
			d.note(&part, r)
		}
		if una.Less(l.end) {
			l.seq = una
			return
		}
		f.legs.pop()
	}
}

// sack marks [left, right) as arrived. Legs that arrived become one, so that a
// block which grows with each acknowledgement costs the same each time.
func (f *flight) sack(left, right wire.Seq, r *rack, d *delivery) {
	i, ok := f.cut(left)
	if !ok {
		i++ // the uncut leg is not wholly inside
	}
	if i == f.legs.len() {
		return
	}
	if l := f.legs.at(i); l.sacked && !l.end.Less(right) {
		return // reported before
	}
	f.cut(right)
	j := i
	for ; j < f.legs.len() && !right.Less(f.legs.at(j).end); j++ {
		l := f.legs.at(j)
		if l.sacked {
			continue
		}
		if l.lost {
			l.lost = false
			f.lost -= l.len()
		}
		l.sacked = true
		f.sacked += l.len()
		d.note(l, r)
	}
	f.merge(i, j)
}

// merge makes one leg of those from i up to j, all SACKed, and of their SACKed
// neighbours.
func (f *flight) merge(i, j int) {
	if i >= j {
		return
	}
	if i > 0 && f.legs.at(i-1).sacked {
		i--
	}
	if j < f.legs.len() && f.legs.at(j).sacked {
		j++
	}
	f.legs.at(i).end = f.legs.at(j - 1).end
	f.legs.remove(i+1, j)
}

func (d *delivery) note(l *leg, r *rack) {
	d.bytes += l.len()
	if l.resent {
		d.resent = true
	} else if !d.clean {
		d.clean, d.first = true, l.sent
	}
	r.arrived(l)
}

// lose marks leg i as lost.
func (f *flight) lose(i int) {
	l := f.legs.at(i)
	if l.lost || l.sacked {
		return
	}
	l.lost = true
	if f.lost == 0 || l.seq.Less(f.hint) {
		f.hint = l.seq
	}
	f.lost += l.len()
}

// loseAll makes one lost leg of everything. What was SACKed is forgotten: the
// peer may have dropped it again (RFC 2018 §8).
func (f *flight) loseAll() {
	whole := *f.legs.last()
	for f.legs.len() > 0 {
		l := f.legs.pop()
		whole.resent = whole.resent || l.resent
		if l.seq.Less(whole.seq) {
			whole.seq = l.seq
		}
	}
	whole.sacked, whole.lost = false, true
	f.legs.push(whole)
	f.sacked, f.lost, f.hint = 0, whole.len(), whole.seq
}

// findAll takes the marks back: nothing was lost.
func (f *flight) findAll() {
	for i := range f.legs.all() {
		f.legs.at(i).lost = false
	}
	f.lost = 0
}

// firstLost is the index of the first leg to be sent again.
func (f *flight) firstLost() int {
	for i := f.find(f.hint); i < f.legs.len(); i++ {
		if l := f.legs.at(i); l.lost {
			f.hint = l.seq
			return i
		}
	}
	return -1
}

// resend notes that the first n bytes of leg i, which was lost, go out again.
func (f *flight) resend(i, n int, now time.Duration) {
	l := f.legs.at(i)
	if n < l.len() {
		if j, ok := f.cut(l.seq + wire.Seq(n)); ok {
			l = f.legs.at(j - 1)
		} else {
			n = l.len() // the list is full: take the rest as sent; a timeout will mend it
		}
	}
	l.lost, l.resent, l.sent = false, true, f.stamp(now)
	f.lost -= n
}
