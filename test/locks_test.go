package test

// The lock of package stack, by its annotation: the first letter. Exported
// methods of the guarded types take the lock, unexported ones assume it. go/types
// tells which call is which.

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// guarded are the types whose state the lock of a Stack or of a Host protects.
var guarded = []string{"Stack", "Conv", "Host", "View", "Iface", "Events", "Snoop", "Switch", "Link"}

// lockFree are exported methods that take no lock though they touch fields or
// call unexported methods, each with its reason. One that only calls other
// exported methods needs no row.
var lockFree = map[string]string{
	"Conv.Stack":   "a conversation never moves to another stack",
	"Conv.Num":     "a conversation's number never changes",
	"Iface.Num":    "an interface's number never changes",
	"Host.Root":    "the root stack never changes",
	"Host.ByID":    "the table of numbers is made of atomics, as every request of fs reads it",
	"View.ID":      "a view's number never changes",
	"View.Name":    "a view's name never changes",
	"View.Stack":   "a view is published with its stack",
	"View.Host":    "a view never moves to another Host",
	"View.Ctl":     "it takes Host.wiring, where uplinks change, and leaves the locks to whom it calls",
	"Iface.String": "it is made of the number",
	"Stack.Write":  "it only chooses who is to take it",
	"Host.Write":   "it only chooses who is to take it",
	"Switch.ID":    "a switch's number never changes",
	"Switch.Name":  "a switch's name never changes",
	"Link.ID":      "a link's number never changes",
	"Link.Name":    "a link's name never changes",
	"Link.Snoop":   "a link never gets another cable",
	// The Go API waits, so it is a user of Submit and Cancel as fs is.
	"Stack.DialContext": "it submits an Op; Config and the protocols never change",
}

// entries are unexported functions that take the lock, each with its reason:
// they begin a piece of work rather than being a part of one. A function
// literal that is given to go or to time.AfterFunc needs no row.
var entries = map[string]string{
	"Iface.resume":      "whoever flushes calls it after unlocking, and it goes in again",
	"Iface.rest":        "whoever flushes calls it after unlocking, and it goes in again",
	"Stack.heard":       "the end of a look-up, on its own goroutine",
	"Iface.bindLine":    "a NIC is opened by system calls, so Ctl calls it before it takes the lock",
	"Stack.stop":        "Close calls it after it has waited, without the lock",
	"intake.Receive":    "a NIC calls it, on its own goroutine",
	"Iface.start":       "the second half of bindLine, after those system calls",
	"View.shut":         "end gives it a goroutine of its own",
	"View.ctl":          wiring,
	"View.connected":    wiring,
	"View.unplug":       wiring,
	"View.route":        wiring,
	"View.bridge":       wiring,
	"View.address":      wiring,
	"View.nic":          wiring,
	"View.bound":        wiring,
	"View.nicLine":      wiring,
	"View.wiringText":   "CtlText asks the stack for its parts, without a lock",
	"Host.make":         "a step of Host.Write, which takes no lock",
	"Host.plugFor":      "an interface that is being bound calls what it returns, before it takes its stack's lock",
	"snoopWriter.Write": "the goroutine of a capture calls it",
	"snoopWriter.Close": "the same at its end",
	"Host.theBridge":    wiring,
	"Host.firstNIC":     wiring,
}

// Two stacks are joined by the exported methods of both, so no lock is held
// meanwhile but one that only serves this.
const wiring = "a step of View.Ctl, which holds Host.wiring and neither a Host's lock nor a Stack's"

// A finding is one break of the rule.
type lockReport struct {
	broken []string
	stale  []string // rows of lockFree and entries that nothing needs
}

// checkLocks reads a type-checked package.
func checkLocks(fset *token.FileSet, files []*ast.File, info *types.Info, free, begin map[string]string) lockReport {
	w := &lockWalk{info: info, calls: map[*types.Func]*called{}, fields: map[*ast.Ident]types.Type{}}
	for sel, s := range info.Selections {
		w.fields[sel.Sel] = s.Recv()
	}
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				w.add(fn)
			}
		}
	}
	var r lockReport
	used := map[string]bool{}
	for _, fn := range slices.SortedFunc(maps.Keys(w.calls), func(a, b *types.Func) int { return int(a.Pos() - b.Pos()) }) {
		c := w.calls[fn]
		name := funcName(fn)
		complain := func(words string) {
			at := fset.Position(fn.Pos())
			r.broken = append(r.broken, fmt.Sprintf("%s:%d: %s %s", filepath.Base(at.Filename), at.Line, name, words))
		}
		switch {
		case isLock(fn) || isUnlock(fn):
		case fn.Exported() && isGuarded(receiver(fn)):
			if c.locks || !c.touches {
				continue
			}
			used[name] = true
			if _, ok := free[name]; !ok {
				complain("is exported and does not take the lock: call lock, or give the reason in lockFree")
			}
		case c.locks:
			used[name] = true
			if _, ok := begin[name]; !ok {
				complain("is unexported, so it assumes the lock, yet it calls lock: the first letter is the annotation")
			}
		default:
			if to := w.lockingCall(c); to != nil && !fn.Exported() {
				used[name] = true
				if _, ok := begin[name]; !ok {
					complain("is unexported, so the lock is held, yet it calls " + funcName(to) + ", which takes it: a deadlock")
				}
			}
		}
	}
	for _, rows := range []map[string]string{free, begin} {
		for name := range rows {
			if !used[name] {
				r.stale = append(r.stale, name)
			}
		}
	}
	slices.Sort(r.stale)
	return r
}

// lockWalk holds what each function of the package does.
type lockWalk struct {
	info   *types.Info
	calls  map[*types.Func]*called
	fields map[*ast.Ident]types.Type // of what type the selected thing is a part
}

// called is what a function does on its own goroutine.
type called struct {
	locks   bool // calls (*Stack).lock itself
	touches bool // uses a field of a guarded type, or calls an unexported function
	to      []*types.Func
}

func (w *lockWalk) add(decl *ast.FuncDecl) {
	c := &called{}
	w.calls[w.info.Defs[decl.Name].(*types.Func)] = c
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			return false
		case *ast.CallExpr:
			if w.isLater(n) {
				return false
			}
		case *ast.Ident:
			switch used := w.info.Uses[n].(type) {
			case *types.Func:
				if used.Pkg() == nil || used.Pkg() != w.info.Defs[decl.Name].Pkg() {
					break
				}
				c.to = append(c.to, used)
				switch {
				case isLock(used):
					c.locks = true
				case !used.Exported() && !isUnlock(used):
					c.touches = true
				}
			case *types.Var:
				if used.IsField() && isGuarded(w.fields[n]) {
					c.touches = true
				}
			}
		}
		return true
	})
}

// isLater reports whether a call has a function called on another goroutine.
func (w *lockWalk) isLater(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := w.info.Uses[sel.Sel].(*types.Func)
	return ok && (fn.FullName() == "time.AfterFunc" || fn.FullName() == "(*sync.WaitGroup).Go")
}

// lockingCall is a call of an exported method that takes the lock.
func (w *lockWalk) lockingCall(c *called) *types.Func {
	for _, to := range c.to {
		callee := w.calls[to]
		if to.Exported() && isGuarded(receiver(to)) && callee != nil && (callee.locks || w.lockingCall(callee) != nil) {
			return to
		}
	}
	return nil
}

func receiver(fn *types.Func) types.Type {
	if r := fn.Signature().Recv(); r != nil {
		return r.Type()
	}
	return nil
}

func named(t types.Type) string {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}

func isGuarded(t types.Type) bool  { return slices.Contains(guarded, named(t)) }
func isLock(fn *types.Func) bool   { return fn.Name() == "lock" && hasLock(receiver(fn)) }
func isUnlock(fn *types.Func) bool { return fn.Name() == "unlock" && hasLock(receiver(fn)) }
func hasLock(t types.Type) bool    { return named(t) == "Stack" || named(t) == "Host" }

func funcName(fn *types.Func) string {
	if r := named(receiver(fn)); r != "" {
		return r + "." + fn.Name()
	}
	return fn.Name()
}

// typeCheck loads a package of this module, its imports from the build cache.
func typeCheck(t *testing.T, path string) (*token.FileSet, []*ast.File, *types.Info) {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", path)
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v: does the package build?", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[name] = file
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	fset := token.NewFileSet()
	var files []*ast.File
	for _, p := range packages(t) {
		if p.ImportPath != path {
			continue
		}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
	}
	return fset, files, check(t, fset, files, importer.ForCompiler(fset, "gc", lookup))
}

func check(t *testing.T, fset *token.FileSet, files []*ast.File, imports types.Importer) *types.Info {
	t.Helper()
	info := &types.Info{
		Defs:       map[*ast.Ident]types.Object{},
		Uses:       map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	conf := types.Config{Importer: imports}
	if _, err := conf.Check("stack", fset, files, info); err != nil {
		t.Fatal(err)
	}
	return info
}

func TestLocks(t *testing.T) {
	fset, files, info := typeCheck(t, module+"/stack")
	r := checkLocks(fset, files, info, lockFree, entries)
	for _, words := range r.broken {
		t.Error("stack/" + words)
	}
	for _, name := range r.stale {
		t.Errorf("%s has a row in lockFree or entries that it no longer needs", name)
	}
}

func TestLocksSeesBreaks(t *testing.T) {
	const source = `package stack
type mutex struct{}
func (mutex) Lock() {}
type Stack struct { mu mutex; n int }
type Conv struct { s *Stack; n int }
func (s *Stack) lock() { s.mu.Lock() }
func (s *Stack) unlock() { s.settle() }
func (s *Stack) settle() { s.n++ }
func (s *Stack) Good() int { s.lock(); defer s.unlock(); return s.n }
func (c *Conv) Good() { c.s.lock(); c.step(); c.s.unlock() }
func (c *Conv) Through() int { return len([]int{}) }
func (s *Stack) Start() { go func() { s.lock(); s.unlock() }() }
func (c *Conv) step() { c.n++ }
func (s *Stack) Bare() int { return s.n }
func (c *Conv) Calls() { c.step() }
func (c *Conv) retakes() { c.s.lock() }
func (c *Conv) deadlock() { c.Good() }
func deadlock(s *Stack) { s.Good() }
func (s *Stack) Num() int { return s.n }
func (s *Stack) timer() { s.lock(); s.unlock() }
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "fixture.go", bytes.NewReader([]byte(source)), 0)
	if err != nil {
		t.Fatal(err)
	}
	files := []*ast.File{f}
	info := check(t, fset, files, nil)
	r := checkLocks(fset, files, info,
		map[string]string{"Stack.Num": "the number never changes", "Stack.Good": "stale"},
		map[string]string{"Stack.timer": "begins the timer's work", "Conv.gone": "stale"})
	var names []string
	for _, words := range r.broken {
		names = append(names, strings.Fields(words)[1])
	}
	want := []string{"Stack.Bare", "Conv.Calls", "Conv.retakes", "Conv.deadlock", "deadlock"}
	if !slices.Equal(names, want) {
		t.Errorf("found %q, want %q", names, want)
	}
	if want := []string{"Conv.gone", "Stack.Good"}; !slices.Equal(r.stale, want) {
		t.Errorf("stale rows %q, want %q", r.stale, want)
	}
}
