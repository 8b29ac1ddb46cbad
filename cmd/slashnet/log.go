package main

// The daemon's log on stderr. Lines come from the goroutines that carry frames
// and answer files: none of them may wait for a terminal that is stopped or a
// pipe that is full.

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/rs/zerolog/diode"
)

const (
	// logLines is how many lines may wait to be written; older ones give way.
	logLines = 1024
	// logParting is how long the end of the daemon waits for the last of them.
	logParting = time.Second
)

// logger makes the log. flush writes what waits, and ends it.
func logger(level string, json bool) (log zerolog.Logger, flush func(), err error) {
	l, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		return zerolog.Nop(), nil, usageError(fmt.Sprintf("--log-level %q: debug, info, warn or error", level))
	}
	queue := diode.NewWriter(onlyWriter{os.Stderr} /* or it would be closed */, logLines, 0, func(missed int) {
		fmt.Fprintf(os.Stderr, "%d lines of the log were lost\n", missed)
	})
	var out io.Writer = queue
	if !json {
		out = zerolog.ConsoleWriter{Out: queue, TimeFormat: time.TimeOnly, NoColor: true}
	}
	return zerolog.New(out).Level(l).With().Timestamp().Logger(), func() { flushLog(queue) }, nil
}

func flushLog(queue diode.Writer) {
	done := make(chan struct{})
	go func() {
		queue.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(logParting):
	}
}
