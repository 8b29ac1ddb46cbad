package dialogue

// Wrong are scripts with a wrong expectation each, and the words of the failure:
// the tests of both runners play them.
var Wrong = map[string]string{
	begin + "expect . 1 ack 2":                               "ack is 1",
	begin + "expect F. 1 ack 1":                              "the flags differ",
	begin + "expect . 2 ack 1":                               "the sequence number is 1",
	begin + "expect . 1 ack 1 win 1":                         "win is",
	begin + "expect . 1 ack 1 ect":                           "ECT is false",
	begin + "expect . 1 ack 1 ts":                            "ts is not so",
	begin + "expect nothing":                                 "came: . 1 ack 1",
	"S\n-- script --\nopen\nexpect S 0 mss 1":                "mss is 14",
	"S\n-- script --\nopen\nexpect S 0 nosackok":             "nosackok is not so",
	"S\n-- script --\nopen\nexpect in 5s S 0":                "came after",
	up + "expect . 1 ack 1":                                  "nothing came",
	up + "state Closed":                                      "the state is Established",
	up + "fails ECONNRESET":                                  `error is ""`,
	up + "read eof":                                          "end of file",
	up + "read 1":                                            "unread",
	up + "inject P. 2:12 ack 1\nread 10":                     "unread",
	up + "inject P. 2:12 ack 1\nexpect . 1 ack 1 sack 3:12":  "sack is 2:12",
	up + "inject P. 1:11 ack 1\nread nothing":                "unread",
	up + "write 10\nexpect P. 1:12 ack 1":                    "10 bytes of payload",
	up + "write 10\nexpect data 1:12":                        "nothing more came at 11",
	up + "write 10\nexpect data 2:11":                        "want data from 2 on",
	up + "write 10\nexpect in 5s P. 1:11 ack 1":              "came after",
	up + "inject F. 1 ack 1\nexpect . 1 ack 2\nread nothing": "end of file",
}

const (
	begin = "A handshake.\n-- script --\nopen\nexpect S 0\ninject S. 0 ack 1 mss 1000 sackok\n"
	up    = begin + "expect . 1 ack 1\n"
)

// WrongOnes are the same as scripts, each named after the words of its failure.
func WrongOnes() (all []*Script, err error) {
	for text, want := range Wrong {
		s, err := Parse(want, text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
