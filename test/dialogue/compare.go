package dialogue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// What an expected segment says, beside one of ours, and both in words: play.go
// asks.

// compare says in what a segment of ours is not as it was expected.
func (p *player) compare(w *wording, seg *Segment) error {
	flags := seg.Flags
	if w.flags&psh == 0 {
		flags &^= psh
	}
	seq := w.from
	switch {
	case flags != w.flags:
		return fmt.Errorf("the flags differ")
	case seg.Seq-p.isn != uint32(seq) && !p.unrelated(w, seg):
		return fmt.Errorf("the sequence number is %d", int32(seg.Seq-p.isn))
	case len(seg.Payload) != w.to-w.from:
		return fmt.Errorf("%d bytes of payload", len(seg.Payload))
	case !bytes.Equal(seg.Payload, stream(w.from, len(seg.Payload))):
		return fmt.Errorf("the payload is not ours at %d", w.from)
	}
	for word, n := range w.has {
		if err := p.compareField(word, n, w, seg); err != nil {
			return err
		}
	}
	return nil
}

// unrelated reports whether a reset has the sequence number 0 of RFC 9293 §3.10.7.1,
// which is not counted from an ISN.
func (p *player) unrelated(w *wording, seg *Segment) bool {
	return w.flags == rst|ack && w.from == 0 && seg.Seq == 0
}

func (p *player) compareField(word string, n int, w *wording, seg *Segment) error {
	differs := func(got, want any) error { return fmt.Errorf("%s is %v, want %v", word, got, want) }
	number := func(got, want int) error {
		if got != want {
			return differs(got, want)
		}
		return nil
	}
	field := func(kind byte) int { // -1: absent
		body := seg.option(kind)
		if body == nil {
			return -1
		}
		v := 0
		for _, x := range body {
			v = v<<8 | int(x)
		}
		return v
	}
	present := func(kind byte, want bool) error {
		if (seg.option(kind) != nil) != want {
			return fmt.Errorf("%s is not so", word)
		}
		return nil
	}
	switch word {
	case "ack":
		return number(int(int32(seg.Ack-peerISN)), n)
	case "win":
		return number(int(seg.Window), n)
	case "urg":
		return number(int(seg.Urgent), n)
	case "mss":
		return number(field(optMSS), n)
	case "ws":
		return number(field(optScale), n)
	case "sackok":
		return present(optSACKOK, true)
	case "ts":
		return present(optStamps, true)
	case "ecr":
		if body := seg.option(optStamps); len(body) == 8 {
			return number(int(int32(binary.BigEndian.Uint32(body[4:])-peerTime)), n)
		}
		return fmt.Errorf("there is no timestamp")
	case "tsval":
		if body := seg.option(optStamps); len(body) == 8 {
			return number(int(int32(binary.BigEndian.Uint32(body)-p.firstStamp)), n)
		}
		return fmt.Errorf("there is no timestamp")
	case "sack":
		if got, want := sackText(seg), blocksText(w.sack); got != want {
			return differs(got, want)
		}
	case "nosack":
		return present(optSACK, false)
	case "nosackok":
		return present(optSACKOK, false)
	case "nomss":
		return present(optMSS, false)
	case "nows":
		return present(optScale, false)
	case "nots":
		return present(optStamps, false)
	case "ect", "noect":
		if seg.ECT != (word == "ect") {
			return fmt.Errorf("ECT is %v", seg.ECT)
		}
	}
	return nil
}

func blocksText(blocks [][2]int) string {
	var words []string
	for _, b := range blocks {
		words = append(words, fmt.Sprintf("%d:%d", b[0], b[1]))
	}
	return strings.Join(words, ",")
}

// sackText is what our SACK blocks say, as a script writes it.
func sackText(seg *Segment) string {
	var blocks [][2]int
	for body := seg.option(optSACK); len(body) >= 8; body = body[8:] {
		blocks = append(blocks, [2]int{int(int32(binary.BigEndian.Uint32(body) - peerISN)), int(int32(binary.BigEndian.Uint32(body[4:]) - peerISN))})
	}
	return blocksText(blocks)
}

// show writes a segment of ours as a script does.
func (p *player) show(seg *Segment) string {
	var b strings.Builder
	for i, x := range flagLetters {
		if seg.Flags&(1<<i) != 0 {
			b.WriteRune(x)
		}
	}
	if seg.Flags == 0 {
		b.WriteByte('-')
	}
	isn := p.isn
	if seg.Flags&syn != 0 {
		isn = seg.Seq
	}
	seq := int(int32(seg.Seq - isn))
	fmt.Fprintf(&b, " %d", seq)
	if n := len(seg.Payload); n > 0 {
		fmt.Fprintf(&b, ":%d", seq+n)
	}
	if seg.Flags&ack != 0 {
		fmt.Fprintf(&b, " ack %d", int32(seg.Ack-peerISN))
	}
	fmt.Fprintf(&b, " win %d", seg.Window)
	if o := seg.option(optMSS); len(o) == 2 {
		fmt.Fprintf(&b, " mss %d", binary.BigEndian.Uint16(o))
	}
	if o := seg.option(optScale); len(o) == 1 {
		fmt.Fprintf(&b, " ws %d", o[0])
	}
	if seg.option(optSACKOK) != nil {
		b.WriteString(" sackok")
	}
	if s := sackText(seg); s != "" {
		fmt.Fprintf(&b, " sack %s", s)
	}
	if o := seg.option(optStamps); len(o) == 8 {
		fmt.Fprintf(&b, " ts %d ecr %d", int32(binary.BigEndian.Uint32(o)-p.firstStamp), int32(binary.BigEndian.Uint32(o[4:])-peerTime))
	}
	if seg.ECT {
		b.WriteString(" ect")
	}
	return b.String()
}
