package test

// The walls of the house: who may import whom, and what pure means. go list
// knows the imports, go/ast the rest.

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "slashnet"

// A room says what a package may import of this module, and why no more.
type room struct {
	may     []string
	because string
	pure    bool
}

// rooms is the plan of the house. A new package needs a row.
var rooms = map[string]room{
	"wire": {
		because: "wire is the language that all rooms speak: were it to know one of them, they could not all know it",
		pure:    true,
	},
	"stack/neterr": {
		because: "every room returns its errors, so it is a leaf",
		pure:    true,
	},
	"nic": {
		may:     []string{"wire", "stack/neterr"},
		because: "a NIC carries frames and does not ask what is in them; the stack above it is one of many users",
	},
	"arp": {
		may:     []string{"wire", "stack/neterr"},
		because: "arp is pure: it is given frames and times and says what to send, so that a test needs neither stack nor NIC",
		pure:    true,
	},
	"igmp": {
		may:     []string{"wire"},
		because: "igmp is pure: it is told of groups and queries and says what to report",
		pure:    true,
	},
	"ndp": {
		may:     []string{"wire", "stack/neterr"},
		because: "ndp is pure: it is given messages and times and says what to send, so that hours of a lifetime are a test's moment",
		pure:    true,
	},
	"mld": {
		may:     []string{"wire"},
		because: "mld is pure: groups and queries in, records of reports out",
		pure:    true,
	},
	"route": {
		may:     []string{"wire", "stack/neterr"},
		because: "route is pure: a table from prefixes to numbers, which knows interfaces only by their number",
		pure:    true,
	},
	"stack/reasm": {
		may:     []string{"wire", "stack/neterr"},
		because: "reasm is pure: fragments in, datagrams out",
		pure:    true,
	},
	"stack/tcp": {
		may:     []string{"wire", "stack/neterr"},
		because: "the engine is pure: segments and times in, segments out; addresses, ports and locks are the stack's",
		pure:    true,
	},
	"stack": {
		may:     []string{"wire", "nic", "arp", "igmp", "ndp", "mld", "route", "stack/neterr", "stack/reasm", "stack/tcp"},
		because: "the stack serves files, Go programs and tests alike, so it knows none of them",
	},
	"stack/dns": {
		may:     []string{"stack/neterr"},
		because: "the resolver is a user of conversations, which it is given a function to dial; so it can be tested without a stack",
	},
	"stack/sim": {
		may:     []string{"wire", "nic", "stack", "stack/neterr", "stack/tcp"},
		because: "the stepped world drives whole stacks by their exported methods, as any user does",
	},
	"fs": {
		may:     []string{"wire", "stack", "stack/neterr"},
		because: "a file is an operation of the stack: frames, engines and tables are the stack's own affair",
	},
	"cmd/slashnet": {
		may:     []string{"wire", "nic", "stack", "stack/dns", "stack/neterr", "fs"},
		because: "main puts the parts together and has no logic of its own, so the pure rooms are none of its business",
	},
	"test":              {may: []string{"test/netns"}, because: "the tests of the whole go through the binary and the files, as users do"},
	"test/netns":        {because: "it starts the binary, as a user would"},
	"test/bridge":       {may: []string{"nic"}, because: "it carries frames between two kernels, and no stack of ours looks at them"},
	"test/dialogue":     {because: "a script knows what the wire and the user see, and no part of the stack; its codec is its own, so as not to share wire's mistakes"},
	"test/play":         {may: []string{"test/dialogue"}, because: "it is the peer of a script, and the user at the files: nothing of slashnet is in it"},
	"test/requirements": {because: "it runs the tests of the others and imports none of them"},
	"test/peer":         {because: "the peer is the other side of the cable: it must not share our mistakes"},
}

// landlords are the packages of others that only some rooms may use.
var landlords = map[string]room{
	"github.com/hanwen/go-fuse":      {may: []string{"fs"}, because: "FUSE is how the tree is served; whatever else knew it could not be used without a mount"},
	"github.com/gaissmai/bart":       {may: []string{"route"}, because: "how prefixes are found is the routing table's secret"},
	"github.com/songgao/water":       {may: []string{"nic"}, because: "devices are made where they are used, in nic"},
	"github.com/gopacket/gopacket":   {may: []string{"nic"}, because: "it writes captures; the codecs of wire are our own"},
	"github.com/vishvananda/netlink": {may: []string{"nic", "cmd/slashnet"}, because: "only the host's end of a TAP is the kernel's"},
	"github.com/miekg/dns":           {may: []string{"stack/dns"}, because: "messages of DNS are read and written in one place"},
	"github.com/rs/zerolog":          {may: []string{"cmd/slashnet"}, because: "the rooms say what happened by return values and counters; main decides what is logged"},
	"github.com/spf13/pflag":         {may: []string{"cmd/slashnet"}, because: "flags are of the command line"},
	"golang.org/x/sys":               {may: []string{"nic", "fs", "cmd/slashnet", "test/netns", "test/peer", "test/play"}, because: "system calls are made at the edges: the stack itself makes none"},
	"golang.org/x/net":               {because: "it is the kernel's network, or a test suite"},
	"golang.org/x/tools":             {because: "it is a tool"},
}

// impure is what a pure room may not import, and why.
var impure = map[string]string{
	"sync":         "a pure room has no lock: its caller holds one",
	"os":           "a pure room makes no system call",
	"os/signal":    "a pure room makes no system call",
	"os/exec":      "a pure room makes no system call",
	"syscall":      "a pure room makes no system call",
	"net":          "a pure room makes no system call; addresses are net/netip",
	"context":      "nothing waits in a pure room",
	"log":          "a pure room says what happened by return values and counters",
	"log/slog":     "a pure room says what happened by return values and counters",
	"math/rand":    "randomness is an argument, so that a seed repeats a run",
	"math/rand/v2": "randomness is an argument, so that a seed repeats a run",
	"crypto/rand":  "randomness is an argument, so that a seed repeats a run",
	"unsafe":       "what comes from the cable is read with bounds checks",
	"C":            "plain Go",
}

// pardons are the exceptions, with their reasons.
var pardons = map[string]string{
	"wire: sync/atomic":     "a Buf is held on both sides of the lock, so its count is atomic",
	"wire: sync":            "blocks come from a sync.Pool, which waits for nobody",
	"route: net":            "a mask is a net.IPMask while it is read, which is bytes and no system call",
	"stack/neterr: syscall": "an error has an errno; the package is used for that type alone",
}

// clocks are the functions of package time that look at a clock or wait.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

// packages lists the module's packages.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// forbidden says what is wrong with a package's imports.
func forbidden(p listed) []string {
	name := strings.TrimPrefix(p.ImportPath, module+"/")
	r, ok := rooms[name]
	if !ok {
		return []string{fmt.Sprintf("package %s is in no row of rooms: say what it may import, and why no more", name)}
	}
	var wrong []string
	complain := func(imported, because string) {
		if _, ok := pardons[name+": "+imported]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", name, imported, because))
		}
	}
	for _, imported := range p.Imports {
		if inner, ok := strings.CutPrefix(imported, module+"/"); ok {
			if !slices.Contains(r.may, inner) {
				complain(inner, r.because)
			}
			continue
		}
		foreign := strings.Contains(strings.Split(imported, "/")[0], ".")
		known := false
		for path, l := range landlords {
			if imported != path && !strings.HasPrefix(imported, path+"/") {
				continue
			}
			known = true
			if !slices.Contains(l.may, name) {
				complain(imported, l.because)
			}
		}
		if foreign && !known {
			complain(imported, "no row of landlords names it: say who may use it, and why nobody else")
		}
		if !r.pure {
			continue
		}
		if because, ok := impure[imported]; ok {
			complain(imported, because)
		}
	}
	return wrong
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, wrong := range forbidden(p) {
			t.Error(wrong)
		}
	}
}

func TestImportsSeesWrongOnes(t *testing.T) {
	for _, test := range []struct{ pkg, imports, want string }{
		{"wire", "slashnet/nic", "wire imports nic: "},
		{"stack", "slashnet/fs", "stack imports fs: "},
		{"stack/tcp", "slashnet/stack", "stack/tcp imports stack: "},
		{"stack", "github.com/hanwen/go-fuse/v2/fuse", "stack imports github.com/hanwen/go-fuse/v2/fuse: "},
		{"arp", "sync", "arp imports sync: "},
		{"route", "log/slog", "route imports log/slog: "},
		{"fs", "example.org/new", "fs imports example.org/new: "},
		{"attic", "fmt", "package attic is in no row"},
	} {
		wrong := forbidden(listed{ImportPath: module + "/" + test.pkg, Imports: []string{test.imports}})
		if len(wrong) != 1 || !strings.HasPrefix(wrong[0], test.want) {
			t.Errorf("%s importing %s: got %q, want one that begins with %q", test.pkg, test.imports, wrong, test.want)
		}
	}
	for _, fine := range []listed{
		{ImportPath: module + "/stack", Imports: []string{"slashnet/wire", "sync", "time"}},
		{ImportPath: module + "/route", Imports: []string{"github.com/gaissmai/bart", "net/netip"}},
	} {
		if wrong := forbidden(fine); wrong != nil {
			t.Errorf("%s: %q", fine.ImportPath, wrong)
		}
	}
}

// stains says where a file of a pure package looks at a clock or starts a
// goroutine.
func stains(fset *token.FileSet, f *ast.File) []string {
	timeName := ""
	for _, spec := range f.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); path == "time" {
			timeName = "time"
			if spec.Name != nil {
				timeName = spec.Name.Name
			}
		}
	}
	var found []string
	complain := func(n ast.Node, words string) {
		at := fset.Position(n.Pos())
		found = append(found, fmt.Sprintf("%s:%d: %s", filepath.Base(at.Filename), at.Line, words))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			complain(n, "a goroutine in a pure package: its caller decides who runs")
		case *ast.SelectStmt:
			complain(n, "a wait in a pure package: waiting is the stack's")
		case *ast.ChanType:
			complain(n, "a channel in a pure package: waiting is the stack's")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && timeName != "" && x.Name == timeName && slices.Contains(clocks, n.Sel.Name) {
				complain(n, "time."+n.Sel.Name+" in a pure package: now is an argument")
			}
		}
		return true
	})
	return found
}

func TestPure(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if !rooms[name].pure {
			continue
		}
		for _, file := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, stain := range stains(fset, f) {
				t.Errorf("%s/%s", name, stain)
			}
		}
	}
}

func TestPureSeesStains(t *testing.T) {
	const source = `package dirty
import clock "time"
func f(in chan int) {
	go f(nil)
	select {}
	_ = clock.Now()
	_ = clock.Second
}`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "dirty.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	if found := stains(fset, f); len(found) != 4 {
		t.Errorf("found %d of 4 stains: %q", len(found), found)
	}
}

// TestFilesSayWhatTheyAre: a file begins with who calls whom, above or below
// its package clause; a package says what it is and what it leaves out.
func TestFilesSayWhatTheyAre(t *testing.T) {
	for _, p := range packages(t) {
		documented := false
		for _, file := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || f.Doc != nil
			if !headed(fset, f) {
				t.Errorf("%s/%s has no comment at its head: say what it holds, who calls it and whom it calls", p.ImportPath, file)
			}
		}
		if !documented {
			t.Errorf("package %s has no doc comment: say what it is and what it leaves out on purpose", p.ImportPath)
		}
	}
}

// headed reports whether a comment stands above the first declaration that is
// not an import, or documents that declaration at once: a file of one type
// needs no second introduction.
func headed(fset *token.FileSet, f *ast.File) bool {
	if f.Doc != nil {
		return true
	}
	if len(f.Comments) == 0 {
		return false
	}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		return f.Comments[0].Pos() < d.Pos()
	}
	return false
}
