package main

// Where up mounts the tree: the place that was asked for, or the first usual one
// that is free. A dead tree that lies there is fs.Mount's to clear.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A place is a directory to mount on.
type place struct {
	path string
	made bool // by us: then we remove it
}

// leave removes the directory if it was made for the mount.
func (p *place) leave() {
	if p.made {
		os.Remove(p.path)
	}
}

// choosePlace finds the directory for a tree, and makes it if need be.
func choosePlace(arg string) (*place, error) {
	if arg == "" {
		for _, usual := range usualRoots() {
			if free(usual) {
				arg = usual
				break
			}
		}
	}
	if arg == "" {
		return nil, fmt.Errorf("not free: %s; name a MOUNTPOINT", strings.Join(usualRoots(), ", "))
	}
	path, err := filepath.Abs(arg)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return &place{path: path}, nil
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	return &place{path: path, made: true}, nil
}

// free reports whether nobody uses a directory: it is not there, or it is empty
// and no mount, or the daemon of the mount is gone.
func free(path string) bool {
	var here, above unix.Stat_t
	switch err := unix.Stat(path, &here); {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTCONN):
		return true
	case err != nil:
		return false
	}
	if unix.Stat(filepath.Dir(path), &above) != nil || here.Dev != above.Dev {
		return false
	}
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}
