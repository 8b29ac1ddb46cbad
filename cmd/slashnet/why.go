package main

// slashnet why: what a conversation waits for, from its why file.

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

var why = command{
	name:    "why",
	args:    "N",
	summary: "why a conversation is in the state it is in",
	help: `
Prints one sentence: what conversation N waits for, since when, and who could end
it. N is a number or a name in tcp, or a path such as udp/3.

  slashnet why 7
`,
	run: func(_ *pflag.FlagSet, args []string) error {
		if len(args) != 1 {
			return usageError("one conversation is wanted, such as 7 or udp/3")
		}
		proto, num, ok := strings.Cut(args[0], "/")
		if !ok {
			proto, num = "tcp", args[0]
		}
		r, err := root()
		if err != nil {
			return err
		}
		text, err := readText(filepath.Join(r, proto, num, "why"))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no conversation %s/%s: slashnet ls lists them", proto, num)
		}
		if err != nil {
			return err
		}
		fmt.Println(text)
		return nil
	},
}
