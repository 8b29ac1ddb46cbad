package wire

// What every Parse returns; stack counts drops by it.

// An Error names the check that a header failed. It is small, so that whoever
// drops the packet can count by it: an array of ErrorKinds counters.
type Error uint8

// The checks, in the order in which they are made.
const (
	ErrShort        Error = iota + 1 // fewer bytes than the fixed header
	ErrVersion                       // not the version of IP that was asked for
	ErrHeaderLength                  // header length below its minimum, or past the end
	ErrLength                        // length field below the header, or past the end
	ErrChecksum                      // the sum is wrong
	ErrFormat                        // ARP for something else than IPv4 on Ethernet

	ErrorKinds = int(ErrFormat) + 1
)

var errorTexts = [ErrorKinds]string{
	"no error",
	"shorter than its header",
	"wrong IP version",
	"bad header length",
	"bad length",
	"bad checksum",
	"not IPv4 on Ethernet",
}

func (e Error) Error() string {
	if int(e) < len(errorTexts) {
		return errorTexts[e]
	}
	return "unknown error"
}
