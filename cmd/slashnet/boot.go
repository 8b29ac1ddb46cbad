package main

// What up writes into the tree before anybody sees it: the default route, knobs,
// and the boot script. It is the ctl language, given to the host directly: the
// daemon never opens a file of its own mount.

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"slashnet/stack"
)

// maxBoot bounds a boot script: thousands of lines, not a wrong file.
const maxBoot = 1 << 20

// A writer is one who writes into files of the tree: the tag that he gives to
// iproute marks the routes that he adds after it.
type writer struct {
	host *stack.Host
	tag  string
}

// configure applies the flags --gateway, --set and --boot.
func configure(h *stack.Host, gateways, set []string, boot string) error {
	w := &writer{host: h}
	for _, gateway := range gateways {
		everywhere := "0.0.0.0/0"
		if strings.Contains(gateway, ":") {
			everywhere = "::/0"
		}
		if err := w.write("iproute", "add "+everywhere+" "+gateway); err != nil {
			return fmt.Errorf("--gateway %s: %w", gateway, err)
		}
	}
	for _, knob := range set {
		name, value, ok := strings.Cut(knob, "=")
		if !ok {
			return usageError(fmt.Sprintf("--set %q: want NAME=VALUE, such as ip.ttl=64", knob))
		}
		if err := w.write("ctl", name+" "+value); err != nil {
			return fmt.Errorf("--set %s: %w", knob, err)
		}
	}
	if boot == "" {
		return nil
	}
	f, err := os.Open(boot)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	size := 0
	for n := 1; lines.Scan(); n++ {
		if size += len(lines.Bytes()) + 1; size > maxBoot {
			return fmt.Errorf("%s:%d: longer than %d bytes, the limit of a boot script", boot, n, maxBoot)
		}
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		path, message, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("%s:%d: want path: message, such as ctl: ip.ttl 64", boot, n)
		}
		if err := w.write(strings.TrimSpace(path), strings.TrimSpace(message)); err != nil {
			return fmt.Errorf("%s:%d: %w", boot, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", boot, err)
	}
	return nil
}

// write does what writing a message to a file of the tree does.
func (w *writer) write(path, message string) error { return w.host.Write(path, message, &w.tag) }
