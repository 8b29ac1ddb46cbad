package main

// The tree as its clients see it: paths, and conversations held by their files.
// Every command but up works through it.

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// root is the tree to use.
func root() (string, error) {
	if r := os.Getenv("SLASHNET_ROOT"); r != "" {
		if isTree(r) {
			return r, nil
		}
		for _, usual := range usualRoots() {
			if isTree(usual) { // a container inherits the place of a tree outside
				return "", fmt.Errorf("SLASHNET_ROOT is %s, and no tree is mounted there, but at %s: unset it", r, usual)
			}
		}
		return "", fmt.Errorf("SLASHNET_ROOT is %s, and no tree is mounted there: slashnet up %s mounts one", r, r)
	}
	for _, r := range usualRoots() {
		if isTree(r) {
			return r, nil
		}
	}
	return "", fmt.Errorf("no tree at %s: start one with slashnet up, or name its place in SLASHNET_ROOT", strings.Join(usualRoots(), " or "))
}

// usualRoots are the places of a tree that nobody gave a place.
func usualRoots() []string {
	roots := []string{"/net"}
	if run := os.Getenv("XDG_RUNTIME_DIR"); run != "" {
		roots = append(roots, filepath.Join(run, "net"))
	}
	return roots
}

func isTree(path string) bool {
	_, err := os.Stat(filepath.Join(path, "tcp", "clone"))
	return err == nil
}

// readText reads a small file of the tree without its final newline.
func readText(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSuffix(string(b), "\n"), err
}

// open opens a file whose reads and writes wait. os.OpenFile would make it
// nonblocking, and then connect returns before it is done.
func open(path string) (*os.File, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

// conversation is one that we hold: it ends with its ctl, at the latest when
// this process does.
type conversation struct {
	dir string
	num string
	ctl *os.File
}

// clone makes a conversation of a protocol.
func clone(proto string) (*conversation, error) {
	r, err := root()
	if err != nil {
		return nil, err
	}
	ctl, err := open(filepath.Join(r, proto, "clone"))
	if err != nil {
		return nil, err
	}
	return held(filepath.Join(r, proto), ctl)
}

// held makes a conversation of its open ctl.
func held(dir string, ctl *os.File) (*conversation, error) {
	b := make([]byte, 32)
	n, err := ctl.Read(b)
	if err != nil {
		ctl.Close()
		return nil, fmt.Errorf("reading the number of a conversation: %w", err)
	}
	num := strings.TrimSpace(string(b[:n]))
	return &conversation{dir: filepath.Join(dir, num), num: num, ctl: ctl}, nil
}

// send writes a control request; an error says what N/err says, which begins with
// the request.
func (c *conversation) send(request string) error {
	_, err := io.WriteString(c.ctl, request)
	if err == nil {
		return nil
	}
	if words, _ := c.text("err"); words != "" {
		return errors.New(words)
	}
	var reason unix.Errno
	if errors.As(err, &reason) {
		return fmt.Errorf("%s: %s", request, reason.Error())
	}
	return fmt.Errorf("%s: %w", request, err)
}

func (c *conversation) text(file string) (string, error) {
	return readText(filepath.Join(c.dir, file))
}

func (c *conversation) data() (*os.File, error) { return open(filepath.Join(c.dir, "data")) }

// join copies input to the conversation, shuts its sending side down at the end
// of input, and copies what comes to output until the peer has closed.
func (c *conversation) join(input io.Reader, output io.Writer) error {
	data, err := c.data()
	if err != nil {
		return err
	}
	defer data.Close()
	go func() {
		// A peer that stops reading is told by the copy below.
		if _, err := io.Copy(onlyWriter{data}, input); err == nil {
			c.send("shutdown wr")
		}
	}()
	_, err = io.Copy(output, onlyReader{data})
	return err
}

// onlyReader and onlyWriter hide from io.Copy what else a file can do: a copy
// by splice or sendfile does not wait as read and write do.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }
