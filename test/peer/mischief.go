package main

// Programs that do what should be refused, and print how it was.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// write FILE LINES writes each line of the file LINES, a quoted string of Go, to
// FILE in one go, and prints the errno of each.
func write(args []string) error {
	lines, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for quoted := range strings.Lines(string(lines)) {
		text, err := strconv.Unquote(strings.TrimSpace(quoted))
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		fmt.Println(errno(err))
	}
	return nil
}

// vandal ROOT tries on every file of a tree to remove, rename, link and replace
// it, and to make one beside it; it prints what was done, on what, with what errno.
func vandal(args []string) error {
	root := args[0]
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if path != root && err == nil {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, path := range all {
		beside := filepath.Join(filepath.Dir(path), "new!")
		for what, try := range map[string]func() error{
			"unlink":   func() error { return unix.Unlink(path) },
			"rename":   func() error { return unix.Rename(path, beside) },
			"replace":  func() error { return unix.Rename(beside, path) },
			"exchange": func() error { return unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, root, unix.RENAME_EXCHANGE) },
			"link":     func() error { return unix.Link(path, beside) },
			"symlink":  func() error { return unix.Symlink(path, beside) },
			"mknod":    func() error { return unix.Mknod(beside, unix.S_IFIFO|0o666, 0) },
			"create":   func() error { return os.WriteFile(beside, nil, 0o666) },
			"setxattr": func() error { return unix.Setxattr(path, "user.new", []byte("x"), 0) },
			"below":    func() error { return unix.Mkdir(path+"/new!/new!", 0o777) },
		} {
			fmt.Println(what, strings.TrimPrefix(path, root+"/"), errno(try()))
		}
	}
	return nil
}

func errno(err error) string {
	var no syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &no):
		return unix.ErrnoName(no)
	}
	return err.Error()
}
