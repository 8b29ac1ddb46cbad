package tcp

// Forward RTO recovery, RFC 5682 §2: was the timeout needless? Timestamps tell at once
// (undoSpurious); without them new data does. What was only late is acknowledged
// although it was not sent again. timers.go begins, ack.go shows each acknowledgement,
// and output.go sends nothing again in the meantime.
type frto uint8

const (
	frtoNone  frto = iota
	frtoFirst      // the timer has expired, and the first segment goes again
	frtoNew        // that was acknowledged: now new segments, and not the rest
)

// beginFRTO is step 1: not for a timeout after another loss.
func (c *Conn) beginFRTO() {
	c.frto = frtoNone
	if !c.tsOK && c.phase == open {
		c.frto = frtoFirst
	}
}

// stepFRTO is steps 2 and 3, with an acknowledgement of so many bytes.
func (c *Conn) stepFRTO(acked int) {
	usable := int(int32(c.una-c.nxt)) + c.wnd
	switch {
	case acked > 0 && c.frto == frtoFirst && c.una.Less(c.recover) && usable >= c.mss && int(c.sendq.end-c.nxt) > 0:
		c.frto = frtoNew
	case acked > 0 && c.frto == frtoNew:
		c.frto = frtoNone
		c.revert()
	default:
		c.frto = frtoNone // the rest goes again as after any timeout
	}
}
